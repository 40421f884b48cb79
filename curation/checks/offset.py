"""A constant difference between action and state that the rest of the set does not have."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, joint_name, skip

PARTS = 3
FEWEST = 4
"""Slow frames that a part needs."""


def measure(episode: Episode, reference: Reference) -> Measure:
    """Measure per joint median(a[t+1] - s[t+1]) where the action is slow, in shares of the range.

    Slow means under 0.4 % of the range a frame over two frames. The slow frames are cut into three parts in
    time, each with its own median: a horn that slipped or a lost calibration shows in all of them, a gripper
    that holds something only while it does.
    """
    if not reference.tracks.any():
        return skip("the action is not a position of the same joints")
    if len(episode) < 12:
        return skip("too short to measure an offset")
    action = episode.action / reference.state_scale
    state = episode.state / reference.state_scale
    slow = np.abs(action[2:] - action[:-2]) < 0.008
    difference = action[1:-1] - state[1:-1]
    result = np.full((PARTS, action.shape[1]), np.nan)
    for j in np.flatnonzero(reference.tracks):
        parts = np.array_split(difference[slow[:, j], j], PARTS)
        if len(parts[-1]) >= FEWEST:
            # The upper median: np.median costs ten times as much on arrays this small.
            result[:, j] = [np.partition(part, len(part) // 2)[len(part) // 2] for part in parts]
    if np.isnan(result).all():
        return skip("the action never rests")
    return Measure(features=result.ravel(), words="offset between action and state of")


def combine(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score the part of the offset that all parts share, against the set's medians, (n, 3 n_state) -> (n,).

    Per joint it is the least |offset - the set's median| of the three parts where all have the same sign,
    else 0; the score is the largest over joints, in % of the range, with the joint's name.
    """
    offsets = features.reshape(len(features), PARTS, -1)
    known = np.isfinite(offsets).all(axis=1)
    scores, words = np.full(len(features), np.nan), [""] * len(features)
    columns = np.flatnonzero(known.sum(axis=0) >= 5)
    if not len(columns):
        return scores, words
    centred = offsets[:, :, columns] - np.nanmedian(offsets[:, :, columns], axis=0)
    shared = np.abs(np.nan_to_num(centred)).min(axis=1)
    shared *= np.abs(np.nan_to_num(np.sign(centred)).sum(axis=1)) == PARTS
    rows = known[:, columns].any(axis=1)
    scores[rows] = 100 * shared[rows].max(axis=1)
    worst = columns[shared.argmax(axis=1)]
    return scores, [joint_name(reference.state_names, int(j)) for j in worst]


CHECK = Check(
    "offset",
    "% of the range",
    "constant difference between action and state",
    measure,
    Rule(fault=6, warn=4, floor=0.6, rel=0.4, at_least=3),
    combine=combine,
)
