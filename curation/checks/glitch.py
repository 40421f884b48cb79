"""Spikes: single values that leave the path and come back."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip
from curation.checks.tracking import residual


def peak_height(values: np.ndarray, widths: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Return how high a value stands out of those around it, (n_frames, dim), in the values' unit.

    For each width w it is min(|x[t] - x[t-w]|, |x[t] - x[t+w]|) where both have the same sign, else 0, and the
    largest over the widths counts. A smooth path has no peaks however fast it is; its turns are flat.
    """
    result = np.zeros_like(values)
    for w in widths:
        before, after = values[w:-w] - values[: -2 * w], values[w:-w] - values[2 * w :]
        height = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0.0)
        np.maximum(result[w:-w], height, out=result[w:-w])
    return result


def _measure(heights: np.ndarray, labels: list[str], words: str) -> Measure:
    at = heights.argmax(axis=0)
    n = len(heights)
    return Measure(
        features=100 * heights[at, np.arange(heights.shape[1])],
        spans=[(max(0, int(t)), min(n, int(t) + 1)) for t in at],
        labels=labels,
        words=words,
    )


def measure_action(episode: Episode, reference: Reference) -> Measure:
    """Take per entry of the action its highest peak, in % of its range."""
    if len(episode) < 9 or episode.action.shape[1] == 0:
        return skip("fewer than 9 frames or no action")
    labels = [joint_name(reference.action_names, j) for j in range(episode.action.shape[1])]
    return _measure(peak_height(episode.action) / reference.action_scale, labels, "spike of the action")


def _lone(values: np.ndarray) -> np.ndarray:
    """Return the height of single values over equal neighbours: what the neighbours differ by is taken off."""
    heights = peak_height(values, (1,))
    heights[1:-1] = np.maximum(heights[1:-1] - np.abs(values[2:] - values[:-2]), 0)
    return heights


def measure_state(episode: Episode, reference: Reference) -> Measure:
    """Take per joint its highest peak, in % of its range: an encoder's or bus's error.

    Where the joints follow their actions, the peaks are those of the tracking residual: a servo that follows a
    quick command has none. Only single readings count: a body that was hit takes longer to come back.
    """
    if len(episode) < 9 or episode.state.shape[1] == 0:
        return skip("fewer than 9 frames or no state")
    heights = _lone(episode.state) / reference.state_scale
    r, model = residual(episode, reference), reference.tracking
    if r is not None and model is not None:
        heights[:, model.joints] = _lone(r)
    labels = [joint_name(reference.state_names, j) for j in range(episode.state.shape[1])]
    return _measure(heights, labels, "spike of the measured")


# In sigmas of the joint's own highest peaks in the set; a spread under 0.25 % of the range is never taken.
_RULE = Rule(fault=9, warn=7, against_set=False)
_JOINTS = PerJoint(floor=0.25, rel=0.35)
ACTION = Check("glitch", "sigma", "spike of an action", measure_action, _RULE, per_joint=_JOINTS)
STATE = Check("state_glitch", "sigma", "spike of a measured joint", measure_state, _RULE, per_joint=_JOINTS)
