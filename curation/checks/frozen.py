"""Readings that stick while the arm moves: one joint's, or the whole row's."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, runs, skip
from curation.checks.tracking import NO_MODEL, names_of, predicted, residual

FEWEST = 3
"""Frames that a reading must repeat itself."""


def measure_one(episode: Episode, reference: Reference) -> Measure:
    """Score how far a joint should have moved while its reading stayed exactly the same.

    In units of what may hide between two encoder steps: 3 steps and 6 sigmas of the tracking model.
    """
    r, model = residual(episode, reference), reference.tracking
    if r is None or model is None:
        return skip(NO_MODEL)
    should = predicted(episode, reference)
    hidden = 3 * reference.quantum[model.joints] / model.scale + 6 * model.sigma
    worst, span, words = 0.0, None, ""
    state = episode.state[:, model.joints]
    same = state[1:] == state[:-1]
    for k, name in enumerate(names_of(reference)):
        spots = runs(same[:, k])
        for first, last in spots[spots[:, 1] - spots[:, 0] > FEWEST].tolist():
            part = should[first : last + 1, k]
            travel = float(part.max() - part.min()) / hidden[k]
            if travel > worst:
                worst, span, words = travel, (int(first), int(last) + 1), f"the reading of {name} sticks"
    return Measure(worst, span, words)


def measure_all(episode: Episode, reference: Reference) -> Measure:
    """Score how far any joint should have moved while the whole row of the state was repeated, likewise.

    All joints at once do not rest by chance, so a step and 2 sigmas are enough to be hidden.
    """
    r, model = residual(episode, reference), reference.tracking
    if r is None or model is None:
        return skip(NO_MODEL)
    if not reference.quantum.any():
        return Measure(0.0)
    should = predicted(episode, reference)
    hidden = reference.quantum[model.joints] / model.scale + 2 * model.sigma
    worst, span = 0.0, None
    for first, last in runs((np.diff(episode.state, axis=0) == 0).all(axis=1)):
        if last - first < FEWEST - 1:
            continue
        part = should[first : last + 1]
        travel = float(((part.max(axis=0) - part.min(axis=0)) / hidden).max())
        if travel > worst:
            worst, span = travel, (int(first), int(last) + 1)
    return Measure(worst, span, "the whole state is repeated while the arm should move")


STATE_FREEZE = Check(
    "state_freeze",
    "of what encoder steps hide",
    "a joint's reading that sticks while it moves",
    measure_one,
    Rule(fault=6, warn=4, floor=0.05, rel=0.35, at_least=2.7),
)
STALE_ROWS = Check(
    "stale_rows",
    "of what encoder steps hide",
    "readings of all joints that are repeated while the arm moves",
    measure_all,
    Rule(fault=6, warn=4, floor=0.1, rel=0.35, at_least=1.5),
)
