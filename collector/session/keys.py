"""Keys of a plain terminal that steer a recording session, as in `lerobot-record`."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterator

from collector.session.keystream import ENABLE, PRESS, QUERY, RESTORE, SPEAKS, KeyStream
from collector.session.state import Event

_HELP_ALWAYS = (
    "      SPACE IS THE EMERGENCY STOP, c holds the robot while the leader is moved, p pauses,\n"
    "      o takes over from a policy, or hands back (--takeover.type),\n"
    "      q or Esc ends the session"
)
HELP = (
    "keys: right or n ends and saves the flight, + saves it as a success, - as a failure, left or r flies it again,\n"
    f"      u takes the last saved one back (5u: episode 5), b brings it back\n{_HELP_ALWAYS}"
)
HELP_TELEOP = f"keys: right goes on after a stop\n{_HELP_ALWAYS}"

_ESCAPE_S = 0.05  # the rest of an arrow key comes within this time; after it, an escape was the Esc key
_EVENTS = {
    "space": Event.HALT,
    "f13": Event.HALT,  # which foot pedals can be set to send
    "+": Event.SUCCEED,
    "-": Event.MISS,
    "p": Event.PAUSE,
    "c": Event.CLUTCH,
    "o": Event.TAKE_OVER,
    "right": Event.END,
    "n": Event.END,
    "enter": Event.END,
    "left": Event.DISCARD,
    "r": Event.DISCARD,
    "u": Event.TAKE_BACK,
    "b": Event.BRING_BACK,
    "escape": Event.STOP,
    "q": Event.STOP,
}


class KeyReader:
    """Turns the keys of a terminal into events; digits before a key name an episode.

    Attributes:
        tells_releases: Whether the terminal was asked to tell when keys are let go, and can.
    """

    def __init__(self, descriptor: int) -> None:
        self.tells_releases = False
        self._descriptor = descriptor
        self._stream = KeyStream()
        self._digits = ""

    def fileno(self) -> int:
        """Return the terminal's descriptor, so that it can be waited for."""
        return self._descriptor

    def ask_for_releases(self) -> None:
        """Ask the terminal to tell when keys are let go, as far as it can: somebody flies by them."""
        os.write(self._descriptor, QUERY)

    def read(self) -> tuple[list[tuple[Event, int | None]], bytes]:
        """Return what was pressed: events, each with the episode typed before it, and all bytes as they came."""
        data = os.read(self._descriptor, 256)
        keys = self._stream.feed(data)
        # Over a slow line the rest of an arrow key comes a little later, and must not be taken for Esc.
        while data.endswith((b"\x1b", b"\x1b[", b"\x1bO")):
            if not select.select([self._descriptor], [], [], _ESCAPE_S)[0]:
                keys += self._stream.flush()
                break
            more = os.read(self._descriptor, 256)
            data += more
            keys += self._stream.feed(more)
        events = []
        for key in keys:
            if key is SPEAKS:
                self.tells_releases = True
                os.write(self._descriptor, ENABLE)
            elif key.kind == PRESS and key.name.isdigit():
                self._digits += key.name
            elif key.kind == PRESS:
                digits, self._digits = self._digits, ""
                if key.name in _EVENTS:
                    events.append((_EVENTS[key.name], int(digits) if digits else None))
        return events, data


@contextlib.contextmanager
def terminal_keys() -> Iterator[KeyReader | None]:
    """Give the reader of the terminal's single keys, or None where standard input is no terminal.

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
    reader = KeyReader(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield reader
    finally:
        if reader.tells_releases:
            with contextlib.suppress(OSError):  # a terminal that is gone
                os.write(descriptor, RESTORE)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
