"""Chatter and tremor: fast back-and-forth of the action."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip
from curation.checks.medians import running_median


def measure(episode: Episode, reference: Reference) -> Measure:
    """Take per entry the worst second's RMS of the action's reversing second difference, in % of the range.

    The second difference of a smooth path is small; of a tremor it alternates in sign from frame to frame.
    So the energy is -d2[t] * d2[t+1] where positive (an alternation of amplitude A gives 16 A^2, a bend or a
    lone step nothing that lasts), averaged over one second; the median filter of 3 keeps a single spike (the
    check `glitch`) from counting here.
    """
    n = len(episode)
    window = max(6, round(episode.fps))
    if n < window + 4 or episode.action.shape[1] == 0:
        return skip("shorter than about a second, or no action")
    second = np.diff(episode.action / reference.action_scale, n=2, axis=0)
    energy = np.maximum(-second[1:] * second[:-1], 0)
    # A running median of 9 frames of the two-frame maxima: at least half of them must reverse.
    paired = np.maximum(energy[1:], energy[:-1])
    window_of = min(9, len(paired)) | 1
    steady = running_median(_framed(paired, window_of), window_of)
    mean = _running_mean(steady, min(window, len(steady)))
    at, half = mean.argmax(axis=0), window // 2
    return Measure(
        features=25 * np.sqrt(mean[at, np.arange(mean.shape[1])]),
        spans=[(max(0, int(t) - half), min(n, int(t) + half + 3)) for t in at],
        labels=[joint_name(reference.action_names, j) for j in range(mean.shape[1])],
        words="tremor of the action",
    )


def _framed(values: np.ndarray, window: int) -> np.ndarray:
    """Return the values with the first and last ones repeated, so that `window` frames lie about each."""
    before = window // 2
    return np.concatenate([values[:1].repeat(before, 0), values, values[-1:].repeat(window - 1 - before, 0)])


def _running_mean(values: np.ndarray, window: int) -> np.ndarray:
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), _framed(values, window)]), axis=0)
    return np.maximum(sums[window:] - sums[:-window], 0) / window


CHECK = Check(
    "chatter",
    "sigma",
    "tremor of an action",
    measure,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(floor=0.02, rel=0.25),
)
