"""The pictures that a decoder keeps: shrunk already, by frame, in so many bytes and no more."""

from __future__ import annotations

import threading

import numpy as np


class Reel:
    """Pictures of one camera in one episode. Two threads may use it.

    What is furthest from the cursor goes first, so that what is kept is always around it.

    Args:
        limit: The most bytes of all pictures.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._n_bytes, self._cursor = limit, 0, 0
        self._pictures: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes of the pictures that are kept."""
        return self._n_bytes

    def resize(self, limit: int) -> None:
        """Keep within another limit from now on; 0 lets go everything."""
        with self._lock:
            self._limit = limit
            self._thin(0 if limit == 0 else 1)

    def room(self) -> int:
        """Return how many pictures like those there are fit in; many while there is none."""
        with self._lock:
            return self._limit * len(self._pictures) // self._n_bytes if self._n_bytes else 1 << 30

    def __contains__(self, frame: int) -> bool:
        return frame in self._pictures

    def get(self, frame: int) -> np.ndarray | None:
        """Return the picture of a frame; None where it is not kept."""
        return self._pictures.get(frame)

    def newest(self, frame: int, since: int) -> int | None:
        """Return the last frame from `since` to `frame` whose picture is kept."""
        with self._lock:
            return max((kept for kept in self._pictures if since <= kept <= frame), default=None)

    def add(self, frame: int, picture: np.ndarray, cursor: int) -> None:
        """Keep a picture, and let go what is furthest from the cursor until all is within the limit."""
        with self._lock:
            old = self._pictures.pop(frame, None)
            self._pictures[frame] = picture
            self._n_bytes += picture.nbytes - (0 if old is None else old.nbytes)
            self._cursor = cursor
            self._thin(1)

    def _thin(self, least: int) -> None:
        """Let go pictures until they are within the limit, or `least` are left: one too large is shown all the same."""
        while self._n_bytes > self._limit and len(self._pictures) > least:
            ends = min(self._pictures), max(self._pictures)
            furthest = max(ends, key=lambda kept: abs(kept - self._cursor))
            self._n_bytes -= self._pictures.pop(furthest).nbytes

    def clear(self) -> None:
        """Let go everything."""
        with self._lock:
            self._pictures, self._n_bytes = {}, 0
