"""The nearest good episode to one that is reviewed: what the same flight looks like when it went well."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from collector.dataset.reader import Dataset
from curation.cache import Cache, checks_version, digest
from curation.checks.base import Finding
from curation.checks.nearest import nearest
from curation.checks.paths import path_of
from curation.frames import Frames
from curation.scores import reference_choice, reference_of

_GROUP = "paths"


def good_episodes(
    n_episodes: int, labels: Mapping[int, Mapping[str, Any]], findings: Sequence[Finding]
) -> np.ndarray:
    """Return which episodes are good: those of verdict `keep`, and of the undecided those without a finding.

    Args:
        n_episodes: How many there are.
        labels: Current labels by episode, as `Labels.current` gives them.
        findings: What the checks found.

    Returns:
        bool, (n_episodes,).
    """
    found = {finding.episode_index for finding in findings}
    verdicts = [labels.get(episode, {}).get("verdict") for episode in range(n_episodes)]
    return np.array([v == "keep" or (v is None and e not in found) for e, v in enumerate(verdicts)], bool)


class Paths:
    """The flights of a dataset as points, near each other where the flights are alike.

    A point is the path that the checks `duplicate` and `wrong_task` compare (`curation.checks.paths`): state and
    action at 16 moments evenly in time, in shares of each joint's range.

    Attributes:
        points: float64, (n_episodes, n_features); NaN where an episode has no path (no motion, under 4 frames).
    """

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self._known = np.isfinite(points).all(axis=1) & bool(points.shape[1])

    @classmethod
    def of(cls, dataset: Dataset) -> Paths:
        """Compute the points of a dataset, or take them from `curation/.cache` where nothing changed since.

        Raises:
            DataError: If the dataset cannot be read.
        """
        frames, cache = Frames(dataset), Cache(dataset.root)
        key = digest([checks_version().encode(), *(key.encode() for key in frames.keys(cache))])
        for known, arrays in cache.parts(_GROUP):
            if known == [key] and "points" in arrays and len(arrays["points"]) == dataset.num_episodes:
                return cls(arrays["points"])
        chosen = reference_choice(frames.lengths)
        reference = reference_of([episode for block in frames.blocks(chosen) for episode in block])
        paths: dict[int, np.ndarray] = {}
        for block in frames.blocks(range(dataset.num_episodes)):
            for episode in block:
                path = path_of(episode, reference)
                if path is not None and len(path):
                    paths[episode.index] = path
        width = len(next(iter(paths.values()))) if paths else 0
        points = np.full((dataset.num_episodes, width), np.nan)
        for number, path in paths.items():
            points[number] = path
        cache.replace(_GROUP, [key], {"points": points})
        return cls(points)

    def nearest(self, episode: int, good: np.ndarray, besides: Collection[int] = ()) -> int | None:
        """Return the good episode whose path is nearest; None where there is none, or the episode has no path.

        Args:
            episode: Which one, never its own nearest.
            good: bool, (n_episodes,); see `good_episodes`.
            besides: Episodes to leave out.
        """
        allowed = self._known & good
        allowed[[episode, *besides]] = False
        among = np.flatnonzero(allowed)
        if not len(among) or not self._known[episode]:
            return None
        # One query looks at each point once: a tree would pay only for a great many.
        _, at = nearest(self.points[among], 1, self.points[[episode]])
        return int(among[at[0, 0]])
