"""Keys of a plain terminal that steer a recording session, as in `lerobot-record`."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterator

from collector.session.actions import ACTIONS, Action
from collector.session.keystream import ENABLE, PRESS, QUERY, RESTORE, SPEAKS, KeyStream
from collector.session.state import Event

_ESCAPE_S = 0.05  # the rest of an arrow key comes within this time; after it, an escape was the Esc key


class KeyReader:
    """Turns the keys of a terminal into events; digits before a key name an episode.

    Attributes:
        actions: What there is to ask for, with the keys.
        tells_releases: Whether the terminal was asked to tell when keys are let go, and can.
    """

    def __init__(self, descriptor: int) -> None:
        self.actions: tuple[Action, ...] = ACTIONS
        self.tells_releases = False
        self._descriptor = descriptor
        self._stream = KeyStream()
        self._digits = ""

    def fileno(self) -> int:
        """Return the terminal's descriptor, so that it can be waited for."""
        return self._descriptor

    def ask_for_releases(self) -> None:
        """Ask the terminal to tell when keys are let go, as far as it can: somebody flies by them."""
        if os.environ.get("TERM") not in (None, "dumb"):
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
                events += [
                    (action.event, int(digits) if digits and action.numbered else None)
                    for action in self.actions
                    if key.name in action.keys
                ]
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
