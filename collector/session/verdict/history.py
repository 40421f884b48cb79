"""What is usual in this session: a few numbers of each take, and how unlike them another one is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

LEAST_TAKES = 5
"""From so many takes on, there is something that is usual."""

_MOST_TAKES = 1000  # remembered, the latest: some hundred numbers each
_PRIOR_TAKES = (
    4  # a spread known from few takes leans to what sessions usually spread, as much as these would
)


@dataclass(frozen=True)
class Features:
    """What is remembered of one take.

    Attributes:
        episode: Its index in the dataset.
        seconds: Its length [s].
        path: How far all joints went together, in their ranges.
        start, end: First and last pose, (dim,).
        moves: Range in which each joint moved, (dim,); 0 where it stood still.
        ranges: Range in which each action moved, (n_action,); 0 where it stood still.
        leaps: Largest leap of each action, in shares of its range, (n_action,).
        tremor: The largest of any action, in shares of its range.
        usual: Whether it may say what is usual: no failure, no fragment, nothing interrupted.
    """

    episode: int
    seconds: float
    path: float
    start: np.ndarray
    end: np.ndarray
    moves: np.ndarray
    ranges: np.ndarray
    leaps: np.ndarray
    tremor: float
    usual: bool = True


@dataclass
class History:
    """The earlier takes of this session."""

    _takes: dict[int, Features] = field(default_factory=dict)
    _away: set[int] = field(default_factory=set)

    def add(self, features: Features) -> None:
        """Remember a take, in place of an earlier one of the same episode."""
        self._takes.pop(features.episode, None)
        self._away.discard(features.episode)
        self._takes[features.episode] = features
        while len(self._takes) > _MOST_TAKES:
            oldest = next(iter(self._takes))
            del self._takes[oldest]
            self._away.discard(oldest)

    def leave_out(self, episodes: Iterable[int]) -> None:
        """Forget takes that shall not be kept, and remember all others again."""
        self._away = set(episodes) & self._takes.keys()

    def __len__(self) -> int:
        return len(self._takes) - len(self._away)

    def usual(self, but: int | None = None) -> list[Features]:
        """Return the takes that say what is usual, without episode `but`."""
        return [
            take
            for episode, take in self._takes.items()
            if take.usual and episode != but and episode not in self._away
        ]

    def ranges(self, but: int | None, dim: int) -> np.ndarray:
        """Return the range that each action usually moves in, (dim,); 0 without any take."""
        known = [take.ranges for take in self.usual(but) if len(take.ranges) == dim]
        return np.median(known, axis=0) if known else np.zeros(dim)


def robust_z(value: float, known: np.ndarray, prior: float, floor: float) -> float:
    """Return how many usual spreads `value` lies above the median of `known`.

    The spread is 1.4826 times the median absolute deviation, drawn to `prior` while there are few, never under
    `floor`.
    """
    median = float(np.median(known))
    mad = 1.4826 * float(np.median(np.abs(known - median)))
    spread = (len(known) * mad + _PRIOR_TAKES * prior) / (len(known) + _PRIOR_TAKES)
    return (value - median) / max(spread, floor)


def pose_distance(pose: np.ndarray, known: np.ndarray, scale: np.ndarray) -> tuple[float, int]:
    """Return how far a pose is from what is usual, and by which joint.

    Far is what is far from the median and from all poses but one: where takes end in two places, both are usual.

    Args:
        pose: (dim,).
        known: Of the earlier takes, (n_takes, dim).
        scale: Range by joint, (dim,); inf where it says nothing.

    Returns:
        The distance in usual spreads of that joint, 0 where an earlier take was alike; the joint.
    """
    away = np.abs(pose - known) / scale
    second = np.sort(away, axis=0)[min(1, len(known) - 1)]  # alike in one take may be chance
    median = np.median(known, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(known - median), axis=0) / scale, 0.05)
    z = np.where(second > 0.15, np.abs(pose - median) / scale / spread, 0.0)
    joint = int(z.argmax()) if len(z) else 0
    return (float(z[joint]) if len(z) else 0.0), joint
