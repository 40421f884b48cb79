"""Keys of a plain terminal that steer a recording session, as in `lerobot-record`."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from collections.abc import Iterator

from collector.session.state import Event

_HELP_ALWAYS = (
    "      SPACE IS THE EMERGENCY STOP, c holds the robot while the leader is moved, p pauses,\n"
    "      q or Esc ends the session"
)
HELP = (
    "keys: right or n ends and saves the flight, + saves it as a success, - as a failure, left or r flies it again,\n"
    f"      u takes the last saved one back (5u: episode 5), b brings it back\n{_HELP_ALWAYS}"
)
HELP_TELEOP = f"keys: right goes on after a stop\n{_HELP_ALWAYS}"

_ESCAPE_S = 0.05
_EVENTS = {
    b" ": Event.HALT,
    b"\x1b[25~": Event.HALT,  # F13, which most foot pedals can be set to send
    b"+": Event.SUCCEED,
    b"-": Event.MISS,
    b"p": Event.PAUSE,
    b"c": Event.CLUTCH,
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

    def read(self) -> list[tuple[Event, int | None] | bytes]:
        """Return what has arrived: events, each with the episode typed before it, and other keys as they came."""
        found: list[tuple[Event, int | None] | bytes] = []
        data = os.read(self._descriptor, 256)
        # Over a slow line the rest of an arrow key comes a little later, and must not be taken for Esc.
        if data.endswith((b"\x1b", b"\x1b[")) and select.select([self._descriptor], [], [], _ESCAPE_S)[0]:
            data += os.read(self._descriptor, 256)
        for key in split(data):
            if key.isdigit():
                self._digits += key.decode()
                continue
            digits, self._digits = self._digits, ""
            event = _EVENTS.get(key)
            found.append(key if event is None else (event, int(digits) if digits else None))
        return found


def split(data: bytes) -> list[bytes]:
    """Return the keys in what a terminal sent at once; an escape sequence is one."""
    return re.findall(rb"\x1b\[[0-9;:]*[ -/]*[@-~]|\x1bO.|[\xc2-\xf4][\x80-\xbf]+|.", data, re.DOTALL)
