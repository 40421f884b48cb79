"""Human-like motion: a reach is a sum of overlapping strokes, each of least jerk.

A hand's path is well described by adding up such strokes in time, where the next begins before the last has
ended (T. Flash and E. Henis, "Arm trajectory modifications during reaching towards visual targets", J.
Cognitive Neuroscience 3(3), 1991); each follows the least-jerk profile (T. Flash and N. Hogan, "The
coordination of arm movements", J. Neuroscience 5(7), 1985, eq. B7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def least_jerk(share: np.ndarray | float) -> np.ndarray:
    """Return how far a stroke has come, 0 to 1, when `share` of its time has passed (0 to 1; clipped)."""
    s = np.clip(share, 0.0, 1.0)
    return s * s * s * (10.0 + s * (-15.0 + 6.0 * s))


@dataclass(frozen=True)
class Stroke:
    """One stroke: when it begins [s], how long it takes [s], and how far it goes in each coordinate, (n,)."""

    begin_s: float
    duration_s: float
    change: np.ndarray


class Strokes:
    """A path through n coordinates: a start, and strokes added to it.

    Attributes:
        start: The coordinates before the first stroke, (n,).
        end_s: When the last stroke ends [s].
    """

    def __init__(self, start: np.ndarray) -> None:
        self.start = np.asarray(start, float)
        self.goal = self.start.copy()
        self.end_s = 0.0
        self._strokes: list[Stroke] = []

    def to(self, goal: dict[int, float], duration_s: float, *, begin_s: float | None = None) -> float:
        """Add a stroke that brings some coordinates from where all earlier strokes end to a goal.

        Args:
            goal: Goal by coordinate.
            duration_s: How long it takes [s].
            begin_s: When it begins [s]; None begins when the last one ends.

        Returns:
            When it ends [s].
        """
        begin_s = self.end_s if begin_s is None else begin_s
        change = np.zeros_like(self.goal)
        for index, value in goal.items():
            change[index] = value - self.goal[index]
        self._strokes.append(Stroke(begin_s, duration_s, change))
        self.goal += change
        self.end_s = max(self.end_s, begin_s + duration_s)
        return begin_s + duration_s

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the coordinates at some times [s], (n_times,): (n_times, n)."""
        path = np.repeat(self.start[None], len(times_s), axis=0)
        for stroke in self._strokes:
            share = least_jerk((times_s - stroke.begin_s) / stroke.duration_s)
            path += share[:, None] * stroke.change
        return path
