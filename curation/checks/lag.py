"""How many frames the state lags behind the action, against the set."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score argmin over k of the MSE between two-frame velocities of action[t] and state[t+k], in frames.

    A parabola through the minimum and its neighbours gives the fraction. Columns shifted against each other
    by a dropped frame or a late camera thread show as a lag that the rest of the set does not have.
    """
    joints = np.flatnonzero(reference.tracks)
    if not len(joints):
        return skip("the action is not a position of the same joints")
    most = max(4, round(0.6 * episode.fps))
    n = len(episode) - 2
    if n < 3 * most:
        return skip("too short to measure a lag")
    scale = reference.state_scale[joints]
    state = (episode.state[2:, joints] - episode.state[:-2, joints]) / scale
    action = (episode.action[2:, joints] - episode.action[:-2, joints]) / scale
    if np.abs(action).max() < 0.01:
        return skip("hardly any motion")
    shifts = np.arange(-most // 2, most + 1)
    # The same rows of the action for each shift: otherwise the ends decide.
    rows = np.arange(most // 2 + 1, n - most)
    errors = np.array([np.mean((action[rows] - state[rows + k]) ** 2) for k in shifts])
    best = int(np.argmin(errors))
    lag = float(shifts[best])
    if 0 < best < len(shifts) - 1:
        left, mid, right = errors[best - 1 : best + 2]
        bend = left - 2 * mid + right
        lag += float(0.5 * (left - right) / bend) if bend > 0 else 0.0
    return Measure(lag, None, "lag of the state behind the action")


CHECK = Check(
    "lag",
    "frames",
    "state and action shifted in time",
    measure,
    Rule(fault=6, warn=4, side="both", floor=0.2, rel=0.1),
)
