"""Flights that never reached the task's goal, where the robot could tell."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip


def measure(episode: Episode, reference: Reference) -> Measure:
    """Take whether `next.success` is ever true; `combine` looks whether it ever is in the whole set.

    A warning only: nothing is wrong with the data, and failures are worth keeping for some uses. Those who
    want successes ask for them (`success` in a query).
    """
    values = episode.columns.get("next.success")
    if values is None or len(values) == 0:
        return skip("the column next.success is absent")
    reached = float(np.asarray(values, bool).any())
    return Measure(features=np.array([reached]), words="next.success is never true")


def combine(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score 1 for an episode without success, (n, 1) -> (n,); NaN where no episode of the set has any."""
    scores = 1.0 - features[:, 0] if features.any() else np.full(len(features), np.nan)
    return scores, [""] * len(features)


CHECK = Check(
    "no_success",
    "",
    "the goal was never reached",
    measure,
    Rule(fault=None, warn=0.5, against_set=False),
    combine=combine,
)
