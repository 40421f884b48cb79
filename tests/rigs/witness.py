"""A witness of the machine: what no process on it could do in time cannot be held against the recorder."""

from __future__ import annotations

import threading
import time
from pathlib import Path

_EVERY_S = 0.01


class Witness:
    """A thread that sleeps a little and writes a little, again and again, and notes when that took long.

    Args:
        path: File to write into, on the disk that is recorded onto.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rounds: list[tuple[float, float]] = []  # when each ended, and by how much it was late [s]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()

    def stalled_s(self, since_s: float, until_s: float) -> float:
        """Return how long the machine stood still altogether between two readings of `time.perf_counter()` [s]."""
        return sum(
            late for ended, late in list(self._rounds) if late > _EVERY_S and since_s < ended < until_s + late
        )

    def _run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            began = time.perf_counter()
            while not self._ending.wait(_EVERY_S):
                file.write(b".")
                ended = time.perf_counter()
                self._rounds.append((ended, ended - began - _EVERY_S))
                began = ended
