"""Chatter and tremor: fast back-and-forth of the action."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip


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
    from scipy.ndimage import percentile_filter, uniform_filter1d

    steady = percentile_filter(paired, 50, size=(min(9, len(paired)), 1), mode="nearest")
    mean = uniform_filter1d(steady, min(window, len(steady)), axis=0, mode="nearest")
    at, half = mean.argmax(axis=0), window // 2
    return Measure(
        features=25 * np.sqrt(mean[at, np.arange(mean.shape[1])]),
        spans=[(max(0, int(t) - half), min(n, int(t) + half + 3)) for t in at],
        labels=[joint_name(reference.action_names, j) for j in range(mean.shape[1])],
        words="tremor of the action",
    )


CHECK = Check(
    "chatter",
    "sigma",
    "tremor of an action",
    measure,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(floor=0.02, rel=0.25),
)
