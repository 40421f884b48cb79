"""The one-step dynamics residual: where a joint did not do what its action and its past make it do.

The model is the set's own (`reference.fit_dynamics`): no description of the robot is needed. A short jump is
a glitch, a dropped frame, a push or a collision; a shift that lasts is another load, gain or calibration.
"""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip
from curation.checks.medians import median
from curation.checks.reference import ACTION_HISTORY, one_step_inputs


def residual(episode: Episode, reference: Reference) -> np.ndarray | None:
    """Return (s[t+1] - predicted) / sigma, (n_frames - 5, n_state); None without a model."""
    if reference.weights is None:
        return None
    if "one_step" not in episode.memo:
        x, y = one_step_inputs(episode.state, episode.action, reference.state_scale, reference.action_scale)
        episode.memo["one_step"] = (y - x @ reference.weights) / reference.sigma if len(x) else None
    return episode.memo["one_step"]


def measure_jump(episode: Episode, reference: Reference) -> Measure:
    """Take per joint the largest |r| / sigma over the frames."""
    r = residual(episode, reference)
    if r is None:
        return skip("too few frames to fit the dynamics")
    size = np.abs(r)
    at = size.argmax(axis=0)
    return Measure(
        features=size[at, np.arange(r.shape[1])],
        spans=[(int(t) + ACTION_HISTORY, int(t) + ACTION_HISTORY + 1) for t in at],
        labels=[joint_name(reference.state_names, j) for j in range(r.shape[1])],
        words="jumped off its dynamics:",
    )


def measure_bias(episode: Episode, reference: Reference) -> Measure:
    """Score max over joints of |median r_j / sigma_j|."""
    r = residual(episode, reference)
    if r is None or len(r) < 10:
        return skip("too few frames to fit the dynamics")
    bias = np.abs(median(r))
    j = int(np.argmax(bias))
    return Measure(float(bias[j]), None, f"{joint_name(reference.state_names, j)} moves unlike in the set")


JUMP = Check(
    "dynamics",
    "sigma",
    "a joint that jumps off its one-step dynamics",
    measure_jump,
    # Contacts jump too, in every flight: only what is far beyond the joint's own largest jumps counts.
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(log=True, floor=0.15),
)
BIAS = Check(
    "dynamics_bias",
    "sigma",
    "dynamics that differ throughout the episode",
    measure_bias,
    Rule(fault=None, warn=6, floor=0.08, rel=0.3, at_least=0.5),
)
