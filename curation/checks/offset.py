"""A constant difference between action and state that the rest of the set does not have."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip


def measure(episode: Episode, reference: Reference) -> Measure:
    """Measure per joint median(a[t+1] - s[t+1]) where the action is slow, in shares of the range.

    Slow means under 0.4 % of the range a frame over two frames; a joint with fewer than 8 such frames has
    no offset. A horn that slipped or a calibration that was lost shows here.
    """
    if not reference.tracks.any():
        return skip("the action is not a position of the same joints")
    if len(episode) < 12:
        return skip("too short to measure an offset")
    action = episode.action / reference.state_scale
    state = episode.state / reference.state_scale
    slow = np.abs(action[2:] - action[:-2]) < 0.008
    difference = np.where(slow, action[1:-1] - state[1:-1], np.nan)
    enough = (slow.sum(axis=0) >= 8) & reference.tracks
    result = np.full(action.shape[1], np.nan)
    if enough.any():
        result[enough] = np.nanmedian(difference[:, enough], axis=0)
    else:
        return skip("the action never rests")
    return Measure(features=result, words="offset between action and state")


def combine(features: np.ndarray, reference: Reference) -> np.ndarray:
    """Score max over joints of |offset - the set's median offset|, in % of the range, (n,)."""
    known = np.isfinite(features)
    scores = np.full(len(features), np.nan)
    columns = known.sum(axis=0) >= 5
    if not columns.any():
        return scores
    centred = features[:, columns] - np.nanmedian(features[:, columns], axis=0)
    rows = np.isfinite(centred).any(axis=1)
    scores[rows] = 100 * np.nanmax(np.abs(centred[rows]), axis=1)
    return scores


CHECK = Check(
    "offset",
    "% of the range",
    "constant difference between action and state",
    measure,
    Rule(fault=6, warn=4, floor=0.6, rel=0.4, at_least=3),
    combine=combine,
)
