"""A joint that does not move, or stops moving, while its action does."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, joint_name, runs, skip


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score how far an action went, in % of the range, while its joint reported no change at all.

    A still run is a run of frames whose state moves less than 0.2 % of the range in all; the score is the
    range of the action within it, starting 0.3 s after the run's start, when a healthy joint has answered.
    """
    if not reference.tracks.any():
        return skip("the action is not a position of the same joints")
    n = len(episode)
    settle = max(2, round(0.3 * episode.fps))
    worst, span, words = 0.0, None, ""
    joints = np.flatnonzero(reference.tracks)
    states = episode.state[:, joints] / reference.state_scale[joints]
    slow = np.abs(np.diff(states, axis=0)) < 1e-4
    for k, j in enumerate(joints):
        spots = runs(slow[:, k])
        for first, last in spots[spots[:, 1] - spots[:, 0] > settle + 1].tolist():
            last = min(n, last + 1)
            if np.ptp(states[first:last, k]) > 2e-3:
                continue
            action = episode.action[first : last - settle, j] / reference.state_scale[j]
            moved = float(np.ptp(action))
            if moved > worst:
                name = joint_name(reference.state_names, int(j))
                worst, span, words = moved, (first, last), f"{name} stands still while its action moves"
    return Measure(100 * worst, span, words)


CHECK = Check(
    "dead_joint",
    "% of the range",
    "a joint that does not follow its action",
    measure,
    Rule(fault=6, warn=4, floor=1.5, rel=0.35, at_least=8),
)
