"""How many frames the state lags behind the action, against the set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip
from curation.checks.medians import median
from curation.checks.tracking import predicted, residual


def slope_lag(episode: Episode, reference: Reference, rows: slice) -> float | None:
    """Return how many frames the state is later than the tracking model has it; None without model or motion.

    A delay of d frames makes the residual -d v, v the predicted velocity: per joint the least squares over
    the frames that move, and the median of the joints, so that one joint's own fault is no delay.
    """
    r = residual(episode, reference)
    if r is None or reference.tracking is None:
        return None
    if "velocity" not in episode.memo:
        episode.memo["velocity"] = _velocity(predicted(episode, reference))
    v = episode.memo["velocity"][rows]
    e = r[rows]
    if len(v) < 12:
        return None
    e = e - median(e)
    energy = (v**2).sum(axis=0)
    moves = energy > len(v) * (0.002**2)
    if not moves.any():
        return None
    return -float(median((v * e).sum(axis=0)[moves] / energy[moves]))


def _velocity(path: np.ndarray) -> np.ndarray:
    """Return what `numpy.gradient` does along time, (n_frames, dim), at a fifth of its cost."""
    v = np.empty_like(path)
    v[1:-1] = (path[2:] - path[:-2]) / 2
    v[0], v[-1] = path[1] - path[0], path[-1] - path[-2]
    return v


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score the state's delay behind what its actions make it do, in frames, by `slope_lag`.

    That is exact for small delays; from 1.5 frames on, and where there is no tracking model, `shift_lag` counts.
    """
    fine = slope_lag(episode, reference, slice(None))
    if fine is not None and abs(fine) < 1.5:
        return Measure(fine, None, "lag of the state behind the action")
    coarse = shift_lag(episode, reference)
    if fine is None or reference.tracking is None or coarse.skipped:
        return coarse
    return replace(coarse, score=max(abs(fine), abs(coarse.score)) * float(np.sign(fine)))


def measure_drift(episode: Episode, reference: Reference) -> Measure:
    """Score how much later the state is in the last third than in the first, in frames, by `slope_lag`."""
    n = len(episode)
    parts = [slope_lag(episode, reference, rows) for rows in (slice(0, n // 3), slice(2 * n // 3, n))]
    if parts[0] is None or parts[1] is None:
        return skip("no tracking model, or a third without motion")
    return Measure(parts[1] - parts[0], None, "the state falls behind by")


def shift_lag(episode: Episode, reference: Reference) -> Measure:
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
    Rule(fault=6, warn=4, side="both", floor=0.1, rel=0.1),
)
DRIFT = Check(
    "desync",
    "frames",
    "state and action that drift apart",
    measure_drift,
    Rule(fault=6, warn=4, side="both", floor=0.15, rel=0.0),
)
