"""What is usual in the set: ranges, typical motion and the one-step dynamics that the checks compare with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from curation.checks.medians import median, quantiles
from curation.checks.picture_model import PictureModel
from curation.checks.tracking_model import TrackingModel, fit_tracking, kept_moments

ACTION_HISTORY = 5
"""Actions a[t..t-4] that the one-step model sees: room for a servo's delay."""


@dataclass(frozen=True)
class Reference:
    """The set's own measures.

    Attributes:
        fps: Nominal frames per second.
        state_names, action_names: Names of the entries, as far as the dataset names them.
        state_scale: Range from the 1st to the 99th percentile of the set, (n_state,); inf where constant.
        action_scale: Likewise, (n_action,).
        motion: Median over episodes of the state's range within an episode, (n_state,).
        action_motion: Likewise of the action, (n_action,).
        tracks: Whether state entry j follows action entry j in the same unit, bool, (n_state,).
        weights: One-step dynamics in scaled units, (n_inputs, n_state); None where the set is too small.
        sigma: Robust standard deviation of its residual, (n_state,).
        usual_difference: Per camera the usual grey difference of two frames, in grey levels.
        tracking: Where joints should be by their actions alone; None where none follows its action.
        quantum: Smallest step that a state entry usually makes, in its unit, (n_state,); 0 where it has none.
        centre: Median of the episodes' medians of each state entry, (n_state,), and action entry, (n_action,).
        pictures: Per camera what it usually shows; empty where the video was not read.
    """

    fps: float
    state_names: list[str]
    action_names: list[str]
    state_scale: np.ndarray
    action_scale: np.ndarray
    motion: np.ndarray
    tracks: np.ndarray
    weights: np.ndarray | None
    sigma: np.ndarray
    usual_difference: dict[str, float] = field(default_factory=dict)
    tracking: TrackingModel | None = None
    quantum: np.ndarray = field(default_factory=lambda: np.zeros(0))
    centre: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))
    action_motion: np.ndarray = field(default_factory=lambda: np.zeros(0))
    pictures: dict[str, PictureModel] = field(default_factory=dict)


def build_reference(
    fps: float,
    states: Sequence[np.ndarray],
    actions: Sequence[np.ndarray],
    state_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
    usual_difference: dict[str, float] | None = None,
) -> Reference:
    """Measure the set.

    Args:
        fps: Nominal frames per second.
        states: Per episode the state, finite, (n_frames, n_state).
        actions: Per episode the action, finite, (n_frames, n_action).
        state_names: Names of the state's entries.
        action_names: Names of the action's entries.
        usual_difference: Per camera the usual grey difference of two frames.
    """
    state_scale, action_scale = _scale(states), _scale(actions)
    motion, action_motion = _motion(states), _motion(actions)
    tracks = _tracks(states, actions, state_scale)
    weights, sigma = fit_dynamics(states, actions, state_scale, action_scale)
    return Reference(
        fps,
        list(state_names),
        list(action_names),
        state_scale,
        action_scale,
        motion,
        tracks,
        weights,
        sigma,
        usual_difference or {},
        fit_tracking(states, actions, tracks, state_scale, action_scale),
        np.median([smallest_step(s) for s in states[:200]], axis=0),
        (_centre(states), _centre(actions)),
        action_motion,
    )


def _motion(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.median([np.ptp(a, axis=0) if len(a) else np.zeros(a.shape[1]) for a in arrays], axis=0)


def smallest_step(values: np.ndarray) -> np.ndarray:
    """Return the smallest step that each entry often makes: the 5th percentile of its changes, (dim,)."""
    steps = np.sort(np.abs(np.diff(values, axis=0)), axis=0)
    if not len(steps):
        return np.zeros(values.shape[1])
    resting = (steps == 0).sum(axis=0)
    at = np.minimum(resting + (0.05 * (len(steps) - resting)).astype(int), len(steps) - 1)
    return steps[at, np.arange(values.shape[1])]


def _centre(arrays: Sequence[np.ndarray]) -> np.ndarray:
    medians = [median(a) for a in arrays if len(a)]
    return np.median(medians, axis=0) if medians else np.zeros(arrays[0].shape[1])


def _scale(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return the range of each entry: from the 5th percentile of the episodes' low ends to the 95th of the high ones.

    An episode's ends are its 1st and 99th percentiles. So neither some frames of an episode nor some episodes in
    another unit stretch the range.
    """
    ends = [quantiles(a, (0.01, 0.99)) for a in arrays if len(a)]
    if not ends:
        return np.full(arrays[0].shape[1], np.inf)
    low, high = (
        np.quantile([e[0] for e in ends], 0.05, axis=0),
        np.quantile([e[1] for e in ends], 0.95, axis=0),
    )
    span = high - low
    # A constant entry says nothing: an infinite scale makes each of its shares 0.
    return np.where(span > 1e-6 * np.maximum(1e-3, np.abs(high)), span, np.inf)


def _tracks(states: Sequence[np.ndarray], actions: Sequence[np.ndarray], scale: np.ndarray) -> np.ndarray:
    """Return which state entries follow the action of the same place (position control).

    They do where both correlate above 0.8 in the median episode and typically lie within a quarter of the range
    of each other; velocity or relative actions do not, and checks that need it then say that they cannot be
    evaluated.
    """
    n_state = len(scale)
    if not states or actions[0].shape[1] != n_state:
        return np.zeros(n_state, bool)
    correlations = []
    for s, a in zip(states, actions):
        if len(s) < 3:
            continue
        ds, da = s - s.mean(axis=0), a - a.mean(axis=0)
        norm = np.sqrt((ds**2).sum(axis=0) * (da**2).sum(axis=0))
        moves = np.maximum(np.ptp(s, axis=0), np.ptp(a, axis=0)) > 0.02 * scale
        c = np.divide((ds * da).sum(axis=0), norm, out=np.zeros(n_state), where=norm > 0)
        correlations.append(np.where(moves, c, np.nan))
    if not correlations:
        return np.zeros(n_state, bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an entry that moves in no episode
        correlation = np.nan_to_num(np.nanmedian(correlations, axis=0))
    near = np.median(np.abs(np.concatenate(actions) - np.concatenate(states)), axis=0) < 0.25 * scale
    return (correlation > 0.8) & near & np.isfinite(scale)


def one_step_inputs(
    state: np.ndarray, action: np.ndarray, state_scale: np.ndarray, action_scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of the one-step model for one episode, in scaled units.

    Row i predicts s[t+1] of t = i + 4 from (s[t], s[t-1], a[t], ..., a[t-4], 1).

    Returns:
        Inputs (n_frames - 5, 2 n_state + 5 n_action + 1) and targets s[t+1] - s[t], (n_frames - 5, n_state).
        The difference is predicted, which is the same model with better conditioned weights.
    """
    s, a = state / state_scale, action / action_scale
    h = ACTION_HISTORY
    n = len(s) - h
    if n <= 0:
        return np.zeros((0, 2 * s.shape[1] + h * a.shape[1] + 1)), np.zeros((0, s.shape[1]))
    past = [a[h - 1 - lag : h - 1 - lag + n] for lag in range(h)]
    inputs = np.hstack([s[h - 1 : h - 1 + n], s[h - 2 : h - 2 + n], *past, np.ones((n, 1))])
    return inputs, s[h : h + n] - s[h - 1 : h - 1 + n]


def fit_dynamics(
    states: Sequence[np.ndarray],
    actions: Sequence[np.ndarray],
    state_scale: np.ndarray,
    action_scale: np.ndarray,
    ridge: float = 1e-6,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Fit s[t+1] on (s[t], s[t-1], a[t..t-4], 1) by ridge regression, refitted 3 times on |r| < 4 sigma.

    sigma is 1.4826 times the median absolute residual, so that faulty episodes do not teach the model.

    Returns:
        Weights (n_inputs, n_state), None where there are fewer than 10 rows an input; and sigma (n_state,).
    """
    n_state = len(state_scale)
    pairs = [one_step_inputs(s, a, state_scale, action_scale) for s, a in zip(states, actions)]
    x = np.concatenate([p[0] for p in pairs]) if pairs else np.zeros((0, 1))
    y = np.concatenate([p[1] for p in pairs]) if pairs else np.zeros((0, n_state))
    if n_state == 0 or len(x) < 10 * x.shape[1]:
        return None, np.full(n_state, np.inf)
    keep = np.ones(len(x), bool)
    weights = np.zeros((x.shape[1], n_state))
    sigma = np.ones(n_state)
    whole = x.T @ x, x.T @ y
    for _ in range(4):
        gram, moment = kept_moments(x, y, keep, whole)
        gram[np.diag_indices_from(gram)] += ridge * len(x)
        weights = np.linalg.solve(gram, moment)
        residual = y - x @ weights
        sigma = np.maximum(1.4826 * np.median(np.abs(residual[keep]), axis=0), 1e-5)
        keep = (np.abs(residual) < 4 * sigma).all(axis=1)
        if keep.sum() < 5 * x.shape[1]:
            break
    return weights, np.where(np.isfinite(state_scale), sigma, np.inf)
