"""Joints that are not where their actions put them: for a while, throughout, or by another gain.

All of them look at the residual of `tracking_model`, which has seen no state and so forgets nothing.
"""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip
from curation.checks.medians import median
from curation.checks.tracking_model import LAGS

WINDOW_S = 0.4
NO_MODEL = "the action is not a position of the same joints, or the set is too small"


def residual(episode: Episode, reference: Reference) -> np.ndarray | None:
    """Return state - predicted state in shares of the range, (n_frames, n_joints); None without a model."""
    model = reference.tracking
    if model is None or len(episode) <= LAGS + 2:
        return None
    if "tracking" not in episode.memo:
        predicted = model.predict(episode.action)
        episode.memo["predicted"] = predicted
        episode.memo["tracking"] = episode.state[:, model.joints] / model.scale - predicted
    return episode.memo["tracking"]


def predicted(episode: Episode, reference: Reference) -> np.ndarray:
    """Return where the joints should be, in shares of the range; call after `residual`."""
    return episode.memo["predicted"]


def names_of(reference: Reference) -> list[str]:
    """Return the names of the joints that the model predicts."""
    assert reference.tracking is not None
    return [joint_name(reference.state_names, int(j)) for j in reference.tracking.joints]


def moving_sum(values: np.ndarray, window: int) -> np.ndarray:
    """Return the sums over `window` frames that begin at each frame, (n_frames - window + 1, dim)."""
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
    return sums[window:] - sums[:-window]


def measure_off(episode: Episode, reference: Reference) -> Measure:
    """Take per joint the largest mean |residual - its median| over 0.4 s, in sigmas of the model."""
    r = residual(episode, reference)
    if r is None or reference.tracking is None:
        return skip(NO_MODEL)
    window = max(3, round(WINDOW_S * episode.fps))
    if len(r) < window + LAGS:
        return skip("shorter than about a second")
    centred = np.abs(r - median(r)) / reference.tracking.sigma
    means = moving_sum(centred, window) / window
    at = means.argmax(axis=0)
    return Measure(
        features=means[at, np.arange(r.shape[1])],
        spans=[_around(centred[:, k], int(t), window) for k, t in enumerate(at)],
        labels=names_of(reference),
        words="not where its action puts it for a while:",
    )


def _around(centred: np.ndarray, t: int, window: int) -> tuple[int, int]:
    """Return the run around [t, t + window) in which the residual stays above a third of the window's mean."""
    least = centred[t : t + window].mean() / 3
    high = centred > least
    inside = np.flatnonzero(high[t : t + window])
    if not len(inside):
        return t + window, t + window + 1
    first, last = t + int(inside[0]), t + int(inside[-1]) + 1
    low = np.flatnonzero(~high)
    before, after = low[low < first], low[low >= last]
    first = int(before[-1]) + 1 if len(before) else 0
    last = int(after[0]) if len(after) else len(high)
    return first, last


def measure_offset(episode: Episode, reference: Reference) -> Measure:
    """Take per joint the offset that all thirds of the flight share, in % of the range.

    It is the median residual of the third where that is nearest to 0, or 0 where the thirds differ in sign: a
    gripper that holds something is off only while it does.
    """
    r = residual(episode, reference)
    if r is None:
        return skip(NO_MODEL)
    if len(r) < 30:
        return skip("too short to measure an offset")
    medians = np.array([median(part) for part in np.array_split(r[LAGS:], 3)])
    same = np.abs(np.sign(medians).sum(axis=0)) == 3
    nearest = medians[np.abs(medians).argmin(axis=0), np.arange(r.shape[1])]
    return Measure(
        features=100 * np.where(same, nearest, 0.0),
        labels=names_of(reference),
        words="constant difference between action and state of",
    )


def measure_gain(episode: Episode, reference: Reference) -> Measure:
    """Take per joint the slope of the residual over the predicted position, in %; NaN where it hardly moves.

    Least squares over the frames, refitted once without the fifth that fits worst.
    """
    r = residual(episode, reference)
    if r is None:
        return skip(NO_MODEL)
    p, r = predicted(episode, reference)[LAGS:], r[LAGS:]
    slope, base = _lines(p, r, np.ones(r.shape, bool))
    error = np.abs(r - slope * p - base)
    at = int(0.8 * len(error))
    good = error <= np.partition(error, at, axis=0)[at]
    slope, _ = _lines(p, r, good)
    slopes = np.where(p.std(axis=0) < 0.06, np.nan, 100 * slope)
    return Measure(features=slopes, labels=names_of(reference), words="moves more or less than asked:")


def _lines(x: np.ndarray, y: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and base of the least-squares line of each column over its good rows, (dim,) each."""
    n = good.sum(axis=0)
    mx, my = (x * good).sum(axis=0) / n, (y * good).sum(axis=0) / n
    dx = (x - mx) * good
    slope = (dx * (y - my)).sum(axis=0) / np.maximum((dx * dx).sum(axis=0), 1e-9)
    return slope, my - slope * mx


TRACKING = Check(
    "tracking",
    "sigma",
    "a joint that is not where its actions put it for a while",
    measure_off,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(log=True, floor=0.12),
)
OFFSET = Check(
    "offset",
    "sigma",
    "constant difference between action and state",
    measure_offset,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(floor=0.12, rel=0.0, both=True),
)
GAIN = Check(
    "gain",
    "sigma",
    "a joint that moves more or less than asked",
    measure_gain,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(floor=0.25, rel=0.0, both=True),
)
