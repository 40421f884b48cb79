"""Keys of a plain terminal that steer a recording session, as in `lerobot-record`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from collector.session.state import Event

HELP = (
    "keys: right or n ends and saves the flight, left or r flies it again, u takes the last saved one back "
    "(5u: episode 5), b brings it back, q or Esc ends the session"
)

_EVENTS = {
    b"\x1b[C": Event.END,
    b"n": Event.END,
    b"\r": Event.END,
    b"\n": Event.END,
    b"\x1b[D": Event.DISCARD,
    b"r": Event.DISCARD,
    b"u": Event.TAKE_BACK,
    b"b": Event.BRING_BACK,
    b"\x1b": Event.STOP,
    b"q": Event.STOP,
}


@contextlib.contextmanager
def terminal_keys() -> Iterator[int | None]:
    """Give the descriptor on which single keys arrive, or None where standard input is no terminal.

    The terminal's settings are restored on leaving. Windows consoles are not read here: there the flight
    ends by its time, its pilot or Ctrl-C.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield None
        return
    try:
        descriptor = sys.stdin.fileno()
        foreground = os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        foreground = False
    if not foreground:
        yield None
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class KeyReader:
    """Turns the keys that arrive on a descriptor into events; digits before a key name an episode."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digits = ""

    def read(self) -> tuple[Event, int | None] | None:
        """Return the event of the key that has arrived and the episode typed before it, or None for other keys."""
        key = os.read(self._descriptor, 32)
        if key.isdigit():
            self._digits += key.decode()
            return None
        digits, self._digits = self._digits, ""
        while key[:1].isdigit():  # typed so fast that they came together
            digits, key = digits + key[:1].decode(), key[1:]
        event = _EVENTS.get(key)
        return None if event is None else (event, int(digits) if digits else None)
