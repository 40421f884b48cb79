"""Where a position-controlled joint should be, from its own past actions and the arm's pose.

The one-step model of `reference` sees the last state, so an error that lasts teaches it that all is well. This
model never sees a state: an offset, another gain, a reading that sticks or a joint that does not follow stay
visible as long as they last. It holds for non-linear arms as far as the pose enters: gravity pulls a servo off
its goal by an amount that is a smooth function of the pose, here a quadratic one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LAGS = 9
"""Past actions a[t-1] ... a[t-9] of the joint itself that the model sees."""
ENOUGH_ROWS = 30_000


@dataclass(frozen=True)
class TrackingModel:
    """The model of all joints that follow their action.

    Attributes:
        joints: State entries that it predicts, (n_joints,).
        scale: Their ranges over the set, (n_joints,).
        centre, spread: The pose's centre and range over the set, (n_pose,).
        weights: Per joint the weights, (n_joints, n_inputs).
        sigma: Robust standard deviation of the residual, in shares of the range, (n_joints,).
    """

    joints: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    sigma: np.ndarray

    def predict(self, action: np.ndarray) -> np.ndarray:
        """Return where the joints should be, in shares of their ranges.

        Args:
            action: The actions, (n_frames, n_action).

        Returns:
            (n_frames, n_joints). In the first frames the actions before the flight are taken as its first one.
        """
        shared = _pose_inputs(action, self.centre, self.spread)
        result = shared @ self.weights[:, LAGS:].T
        own, n = action[:, self.joints] / self.scale, len(action)
        padded = np.concatenate([np.repeat(own[:1], LAGS, axis=0), own])
        for lag in range(1, LAGS + 1):
            result += padded[LAGS - lag : LAGS - lag + n] * self.weights[:, lag - 1]
        return result


def _past(action: np.ndarray) -> np.ndarray:
    """Return a[t-1] ... a[t-LAGS], the first action before the beginning, (n_frames, LAGS)."""
    padded = np.concatenate([np.repeat(action[:1], LAGS), action])
    return np.lib.stride_tricks.sliding_window_view(padded, LAGS)[: len(action), ::-1]


def _pose_inputs(action: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return 1 and all products of up to two entries of the pose, which is the action two frames ago."""
    pose = (action[np.maximum(np.arange(len(action)) - 2, 0)] - centre) / spread
    pose = np.clip(pose, -2, 2)
    dim = pose.shape[1]
    inputs = np.empty((len(pose), 1 + dim + dim * (dim + 1) // 2))
    inputs[:, 0], inputs[:, 1 : 1 + dim] = 1, pose
    at = 1 + dim
    for i in range(dim):
        np.multiply(pose[:, i, None], pose[:, i:], out=inputs[:, at : at + dim - i])
        at += dim - i
    return inputs


def fit_tracking(
    states: Sequence[np.ndarray],
    actions: Sequence[np.ndarray],
    tracks: np.ndarray,
    scale: np.ndarray,
    action_scale: np.ndarray,
    ridge: float = 1e-5,
) -> TrackingModel | None:
    """Fit s_j[t] on (a_j[t-1..t-9], 1, pose, products of the pose) by ridge regression, robustly.

    Refitted 3 times on |residual| < 4 sigma, where sigma is 1.4826 times the median absolute residual.

    Args:
        states: Per episode (n_frames, n_state), finite.
        actions: Per episode (n_frames, n_action), finite.
        tracks: Which state entries follow the action of the same place, bool, (n_state,).
        scale: Range of each state entry, (n_state,).
        action_scale: Range of each action entry, (n_action,).
        ridge: Weight of the penalty.

    Returns:
        The model, or None where no joint follows or there are fewer than 20 rows an input.
    """
    joints = np.flatnonzero(tracks)
    if not len(joints):
        return None
    thin = max(1, sum(map(len, states)) // ENOUGH_ROWS)
    pairs = [(s, a) for s, a in zip(states[::thin], actions[::thin]) if len(s) > LAGS]
    if not pairs:
        return None
    joined = np.concatenate([a for _, a in pairs])
    centre = np.median(joined, axis=0)
    spread = np.where(np.isfinite(action_scale), action_scale, 1.0)
    shared = np.concatenate([_pose_inputs(a, centre, spread)[LAGS:] for _, a in pairs])
    if len(shared) < 20 * (LAGS + shared.shape[1]):
        return None
    weights = np.zeros((len(joints), LAGS + shared.shape[1]))
    sigma = np.zeros(len(joints))
    x = np.hstack([np.zeros((len(shared), LAGS)), shared])
    for k, j in enumerate(joints):
        past = np.concatenate([_past(a[:, j] / scale[j])[LAGS:] for _, a in pairs])
        x[:, :LAGS] = past
        y = np.concatenate([s[LAGS:, j] / scale[j] for s, _ in pairs])
        keep = np.abs(y - past[:, 0]) < 0.3
        whole = x.T @ x, x.T @ y
        for _ in range(4):
            gram, moment = kept_moments(x, y, keep, whole)
            gram[np.diag_indices_from(gram)] += ridge * keep.sum()
            weights[k] = np.linalg.solve(gram, moment)
            residual = y - x @ weights[k]
            sigma[k] = max(1.4826 * float(np.median(np.abs(residual[keep]))), 2e-4)
            keep = np.abs(residual) < 4 * sigma[k]
            if keep.sum() < 5 * x.shape[1]:
                break
    return TrackingModel(joints, scale[joints], centre, spread, weights, sigma)


def kept_moments(
    x: np.ndarray, y: np.ndarray, keep: np.ndarray, whole: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return x'x and x'y over the kept rows, by taking those of the few others off the whole.

    Args:
        x: Inputs, (n_rows, n_inputs).
        y: Targets, (n_rows,) or (n_rows, n_targets).
        keep: Which rows count, bool, (n_rows,).
        whole: x'x and x'y over all rows.
    """
    if keep.sum() < len(keep) / 2:  # differences of large numbers
        return x[keep].T @ x[keep], x[keep].T @ y[keep]
    out = x[~keep]
    return whole[0] - out.T @ out, whole[1] - out.T @ y[~keep]
