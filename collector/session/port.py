"""A session process's way to the screen. A screen that is gone may come back, or another may take its place."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, Listener
from typing import Any

from collector.session import ipc

_PASSING = frozenset({"sealing", "motors"})  # soon told again; a new screen need not hear the old ones


class ScreenPort:
    """Tells the screen what happens, and hears what the person asks for; never waits for either.

    Args:
        screen: The pipe to the screen.

    Attributes:
        gone_since_s: When the screen went, of `time.monotonic()`; None while it is there.
    """

    def __init__(self, screen: Connection) -> None:
        self.gone_since_s: float | None = None
        self._screen = screen
        self._told: list[dict[str, Any]] | None = None
        self._come: deque[tuple[Connection, int]] = deque()

    def await_others(self, address: str, key: bytes) -> None:
        """From here on, keep what is told, and let another screen attach at `address`."""
        if self._told is None:
            self._told = []
            listener = Listener(address, authkey=key)
            threading.Thread(target=self._listen, args=(listener,), name="port", daemon=True).start()

    def tell(self, kind: str, **content: Any) -> None:
        """Send a message with its moment, or drop it where the screen has stopped reading.

        A screen that comes later hears it too.
        """
        self._greet()
        content["told_s"] = time.monotonic()
        if self._told is not None and kind not in _PASSING:
            self._told.append({"kind": kind, **content, "again": True})
        if self.gone_since_s is None:
            ipc.send_unless_stalled(self._screen, kind, **content)

    def hear(self) -> Iterator[dict[str, Any]]:
        """Give the messages that have come, and notice a screen that went or came."""
        self._greet()
        try:
            while self.gone_since_s is None and self._screen.poll():
                message = ipc.receive(self._screen)
                if message is not None:
                    yield message
        except (EOFError, OSError):
            self.gone_since_s = time.monotonic()

    def close(self) -> None:
        """Close the way."""
        self._screen.close()

    def _listen(self, listener: Listener) -> None:
        while True:
            with contextlib.suppress(Exception):  # a stranger without the key, or one that went again
                self._welcome(listener.accept())

    def _welcome(self, screen: Connection) -> None:
        """Tell a new screen what was before: here, where a slow one keeps nobody waiting."""
        assert self._told is not None
        known = 0
        while known < len(self._told):
            ipc.send(screen, **self._told[known])
            known += 1
        self._come.append((screen, known))

    def _greet(self) -> None:
        """Take the newest screen, in place of the one before, and tell it what came meanwhile."""
        while self._come:
            screen, known = self._come.popleft()
            ipc.send_unless_stalled(self._screen, "replaced")
            with contextlib.suppress(OSError):
                self._screen.close()
            self._screen, self.gone_since_s = screen, None
            for message in (self._told or [])[known:]:
                ipc.send_unless_stalled(screen, **message)
