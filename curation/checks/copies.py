"""The same actions twice: a copy, however its readings were changed or its ends trimmed."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip

SKETCH = 16
"""Hashes that stand for an episode."""
_FACTORS = np.random.default_rng(0x5CE7C4).integers(1, 2**62, 256, dtype=np.uint64) | np.uint64(1)


def measure(episode: Episode, reference: Reference) -> Measure:
    """Take the 16 smallest hashes of the action's different rows: a bottom-k sketch (Broder 1997).

    Two episodes with the same rows have the same sketch; the share of hashes in common estimates the share of
    rows in common. Rows count bit by bit.
    """
    if len(episode) < 2 * SKETCH or episode.action.shape[1] == 0:
        return skip(f"fewer than {2 * SKETCH} frames, or no action")
    bits = np.ascontiguousarray(episode.action.astype(np.float32)).view(np.uint32).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (bits * _FACTORS[np.arange(bits.shape[1]) % 256]).sum(axis=1, dtype=np.uint64)
        mixed ^= mixed >> np.uint64(29)
        mixed = (mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(12)  # exact as a float
    rows = np.unique(mixed)
    if len(rows) < 2 * SKETCH:
        return skip("too few different actions")
    return Measure(
        features=np.concatenate([[float(episode.index)], rows[:SKETCH].astype(np.float64)]),
        words="the same actions as",
    )


def combine(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score the share of the sketch in common with an earlier episode, in %; (n, 1 + SKETCH) -> (n,)."""
    order = np.argsort(features[:, 0])
    scores, words = np.zeros(len(features)), [""] * len(features)
    owners: dict[float, int] = {}
    for i in order:
        common: dict[int, int] = {}
        for value in features[i, 1:].tolist():
            first = owners.setdefault(value, int(i))
            if first != i:
                common[first] = common.get(first, 0) + 1
        if common:
            of = max(common, key=common.__getitem__)
            scores[i] = 100 * common[of] / SKETCH
            words[i] = f"episode {int(features[of, 0])}"
    return scores, words


CHECK = Check(
    "copied_actions",
    "% of the actions",
    "actions that are those of an earlier episode",
    measure,
    Rule(fault=60, warn=40, against_set=False),
    combine=combine,
)
