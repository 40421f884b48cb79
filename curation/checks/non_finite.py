"""Values that are not numbers: NaN or infinity in any recorded column."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, longest, runs


def measure(episode: Episode, reference: Reference) -> Measure:
    """Count frames with a NaN or infinity in any floating-point column; the score is their number."""
    bad = np.zeros(len(episode), bool)
    where = []
    for name, values in episode.columns.items():
        if values.dtype.kind != "f":
            continue
        rows = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if rows.any():
            where.append(name)
            bad |= rows
    return Measure(float(bad.sum()), longest(runs(bad)), f"values that are not finite in {', '.join(where)}")


CHECK = Check(
    "non_finite",
    "frames",
    "NaN or infinity in a column",
    measure,
    Rule(fault=1, warn=None, against_set=False),
)
