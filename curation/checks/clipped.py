"""Commands that the robot did not carry out as asked: `action` against `executed_action`."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, joint_name, longest, runs, skip

LEAST = 0.01
"""Share of an entry's range by which the two must differ."""


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score the longest time [s] in which an entry sent was over 1 % of its range off the one asked for."""
    executed = episode.columns.get("executed_action")
    if executed is None:
        return skip("the column executed_action is absent: the dataset does not know what was sent")
    sent = np.asarray(executed, np.float64).reshape(len(episode), -1) if len(episode) else np.zeros((0, 0))
    if sent.shape != episode.action.shape or not sent.size:
        return skip("executed_action has another shape than action")
    off = np.abs(sent - episode.action) / reference.action_scale
    worst = Measure(0.0)
    for j in np.flatnonzero((off > LEAST).any(axis=0)):
        span = longest(runs(off[:, j] > LEAST))
        if span is not None and (span[1] - span[0]) / episode.fps > worst.score:
            name = joint_name(reference.action_names, int(j))
            worst = Measure(
                (span[1] - span[0]) / episode.fps, span, f"{name} was sent something else than asked"
            )
    return worst


CHECK = Check(
    "clipped_action",
    "s",
    "actions that were sent otherwise than asked, by limits or safety",
    measure,
    Rule(fault=None, warn=6, floor=0.1, rel=0.35, at_least=0.3),
)
