"""Two joints whose readings changed places."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, longest, runs, skip
from curation.checks.tracking import NO_MODEL, names_of, predicted, residual


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score the most frames in a row in which two readings fit each other's actions far better than their own.

    Far better: in both places the error is over 6 sigmas, and swapped the two together are under a third.
    """
    r, model = residual(episode, reference), reference.tracking
    if r is None or model is None:
        return skip(NO_MODEL)
    if len(model.joints) < 2:
        return skip("fewer than two joints that follow their action")
    off = np.abs(r)
    far = off > 6 * model.sigma
    if far.any(axis=0).sum() < 2:
        return Measure(0.0)
    own = predicted(episode, reference) * model.scale
    state = episode.state[:, model.joints]
    names = names_of(reference)
    worst = Measure(0.0)
    for i in np.flatnonzero(far.any(axis=0)):
        for j in range(i + 1, len(names)):
            both = far[:, i] & far[:, j]
            if both.sum() < 3:
                continue
            swapped = np.abs(state[:, i] - own[:, j]) / model.scale[j]
            swapped = swapped + np.abs(state[:, j] - own[:, i]) / model.scale[i]
            span = longest(runs(both & (swapped < (off[:, i] + off[:, j]) / 3)))
            if span is not None and span[1] - span[0] > worst.score:
                worst = Measure(float(span[1] - span[0]), span, f"{names[i]} and {names[j]} are swapped")
    return worst


CHECK = Check(
    "joint_swap",
    "frames",
    "two joints whose readings changed places",
    measure,
    Rule(fault=10, warn=6, against_set=False),
)
