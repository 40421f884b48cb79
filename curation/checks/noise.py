"""Readings that are noisier or coarser than the same joint's in the set."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, skip
from curation.checks.reference import smallest_step


def measure_noise(episode: Episode, reference: Reference) -> Measure:
    """Take per entry the noise of the state, in its unit.

    The median of |second difference of the second difference| over its expectation for white noise, 0.6745
    sqrt(70) sigma: a smooth path has almost no fourth difference, and the median does not see a few jolts.
    """
    if len(episode) < 20 or episode.state.shape[1] == 0:
        return skip("fewer than 20 frames, or no state")
    fourth = np.abs(np.diff(episode.state, n=4, axis=0))
    high = np.partition(fourth, (3 * len(fourth)) // 4, axis=0)[(3 * len(fourth)) // 4]
    # The upper quartile of |N(0, 1)| is 1.1503.
    sigma = high / (1.1503 * np.sqrt(70))
    alive = np.isfinite(reference.state_scale)
    share = sigma / np.where(alive, reference.state_scale, 1)
    return Measure(
        features=np.where(alive, np.maximum(share, 2e-5), np.nan),
        labels=_names(reference, len(sigma)),
        words="noisy reading of",
    )


def measure_step(episode: Episode, reference: Reference) -> Measure:
    """Take per entry the smallest step that it often makes, in shares of the range."""
    if len(episode) < 20 or episode.state.shape[1] == 0:
        return skip("fewer than 20 frames, or no state")
    step = smallest_step(episode.state)
    changes = (np.diff(episode.state, axis=0) != 0).sum(axis=0)
    known = np.isfinite(reference.state_scale) & (changes >= 8) & (reference.quantum > 0)
    # Below a thousandth of the range nobody minds.
    share = np.maximum(step / np.where(known, reference.state_scale, 1), 1e-3)
    return Measure(
        features=np.where(known, share, np.nan),
        labels=_names(reference, len(step)),
        words="coarse reading of",
    )


def _names(reference: Reference, n: int) -> list[str]:
    return [joint_name(reference.state_names, j) for j in range(n)]


NOISE = Check(
    "state_noise",
    "sigma",
    "a joint's reading that is noisier than usual",
    measure_noise,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(log=True, floor=0.12),
)
RESOLUTION = Check(
    "resolution",
    "sigma",
    "a joint's reading in coarser steps than usual",
    measure_step,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(log=True, floor=0.15),
)
