"""Takes in what a session tells in a thread of its own, and notices when the terminal stands still.

A stalled terminal (Ctrl-S, a lost network) blocks whoever writes to it, and with it the whole screen. Nothing that
control or recorder tell may be lost then, and nobody sees the robot: it is held.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Any

from collector.session.process import Processes
from collector.session.state import Event

_LOOK_S = 0.1
# So many looks without a beat of the screen mean that it stands still. They are counted, not timed: a machine that
# stood still as a whole is no stalled terminal.
_STALLED_LOOKS = 25
_LET_GO_LOOKS = 50  # after the session's end


class Pump(threading.Thread):
    """Carries messages from the session's processes into a queue.

    Args:
        processes: The session.

    Attributes:
        heard: The messages, in order; None is the last, when both processes have ended.
        stalled: Whether the screen stands still.
    """

    def __init__(self, processes: Processes) -> None:
        super().__init__(name="pump", daemon=True)
        self.heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.stalled = False
        self._processes = processes
        self._looks, self._looked_s, self._excused = 0, 0.0, False

    def beat(self) -> None:
        """The screen lives."""
        self._looks = 0
        self.stalled = False

    @contextlib.contextmanager
    def excused(self) -> Iterator[None]:
        """Within this the screen need not beat: the person has put it aside."""
        self._excused = True
        try:
            yield
        finally:
            self.beat()
            self._excused = False

    def screen_closed(self) -> None:
        """From here on there is no screen that could stand still."""
        self._excused = True

    def run(self) -> None:
        """Carry, until both processes have ended."""
        while self._processes.pipes:
            for pipe in wait(self._processes.pipes, timeout=_LOOK_S):
                message = self._processes.receive(pipe)
                if message is not None:
                    self.heard.put(message)
            self._watch()
        self.heard.put(None)
        while self._watch() < _LET_GO_LOOKS:
            time.sleep(_LOOK_S)
        # Everything is saved, and the screen can neither be drawn nor closed: only this ends the process.
        os._exit(1 if self._processes.stopped_by is None else 128 + self._processes.stopped_by)

    def _watch(self) -> int:
        """Count a look, unless there was one just now; return how many there were since the last beat."""
        now_s = time.monotonic()
        if self._excused or now_s - self._looked_s < 0.9 * _LOOK_S:
            return self._looks
        self._looked_s = now_s
        self._looks += 1
        if self._looks == _STALLED_LOOKS:
            self.stalled = True
            self._processes.command(Event.UNSEEN)
        return self._looks
