"""Episodes that end where no other one ends."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip
from curation.checks.nearest import nearest

NEIGHBOURS = 5


def measure(episode: Episode, reference: Reference) -> Measure:
    """Take the last state, in shares of the range; `combine` compares it with the set's."""
    if len(episode) == 0 or not np.isfinite(reference.state_scale).any():
        return skip("no moving state")
    return Measure(features=episode.state[-1] / reference.state_scale, words="distance of the last state")


def combine(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score the mean distance to the 5 nearest last states, in % of the range; (n, n_state) -> (n,)."""
    if len(features) <= NEIGHBOURS:
        return np.full(len(features), np.nan), [""] * len(features)
    distances, _ = nearest(features, NEIGHBOURS + 1)
    return 100 * distances[:, 1:].mean(axis=1), [""] * len(features)


def measure_moving(episode: Episode, reference: Reference) -> Measure:
    """Score the speed at the end: the action's largest mean step over the last 0.15 s, in % of the range a second."""
    n = max(2, round(0.15 * episode.fps))
    if len(episode) < 2 * n or not np.isfinite(reference.action_scale).any():
        return skip("too short, or no action")
    speed = np.abs(episode.action[-1] - episode.action[-1 - n]) / n * episode.fps / reference.action_scale
    return Measure(
        100 * float(speed.max()), (len(episode) - n, len(episode)), "ends in the middle of a motion:"
    )


MOVING = Check(
    "truncated",
    "% of the range a second",
    "ends in the middle of a motion",
    measure_moving,
    Rule(fault=None, warn=5, floor=3, rel=0.3, at_least=15),
)
CHECK = Check(
    "end_state",
    "% of the range",
    "ends where no other episode ends",
    measure,
    Rule(fault=None, warn=6, floor=1.5, rel=0.3, at_least=8),
    combine=combine,
)
