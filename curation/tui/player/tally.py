"""How many frames are shown of those that are due, so that what is left out can be said."""

from __future__ import annotations

from collections import deque

_OVER_S = 1.0
_ENOUGH = 0.9  # of the frames that are due: with fewer shown, it is said


class Tally:
    """Counts, over the last second and in all.

    Attributes:
        due: Frames that were due since the beginning.
        shown: How many of them were shown while they were due, each picture once.
    """

    def __init__(self) -> None:
        self.due = self.shown = 0
        self._last: deque[tuple[float, int, bool]] = deque()

    def clear(self) -> None:
        """Begin anew: time did not move the cursor."""
        self._last.clear()
        self.due = self.shown = 0

    def look(self, now_s: float, due: int, another: bool, exact: bool) -> None:
        """Count a look.

        Args:
            now_s: When [s].
            due: Frames that the cursor moved since the last look.
            another: Whether it moved to another picture (of a step of several frames one is drawn).
            exact: Whether the picture that is due is shown.
        """
        self.due += due
        if self._last and not another:
            at_s, before, seen = self._last[-1]
            self._last[-1] = at_s, before + due, seen or exact  # it may come while it is still due
            self.shown += exact and not seen
        elif due:
            self._last.append((now_s, due, exact))
            self.shown += exact
        while self._last and now_s - self._last[0][0] > _OVER_S:
            self._last.popleft()

    def words(self) -> str:
        """Say how many were shown in the last second, where it is not about all."""
        due, shown = sum(n for _, n, _ in self._last), sum(seen for _, _, seen in self._last)
        return f"{shown} of {due} frames" if len(self._last) > 1 and shown < _ENOUGH * due else ""
