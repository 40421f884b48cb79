"""Ctrl-C and SIGTERM as a request to stop at the next safe point; a second Ctrl-C stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """While entered, notes SIGINT and SIGTERM instead of dying of them.

    Attributes:
        signal: Name of the signal that came, or "".
        exit_code: What a shell expects of a process that such a signal ended.
    """

    def __init__(self) -> None:
        """Begin with no request."""
        self.signal = ""
        self.exit_code = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        # Python takes signals in the main thread only; elsewhere there is nothing to catch.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal, self.exit_code = signal.Signals(number).name, 128 + number
