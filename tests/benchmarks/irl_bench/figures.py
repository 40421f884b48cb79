"""How figures of several seeds are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_interval(values: Sequence[float], digits: int = 4, confidence: float = 0.95) -> str:
    """Return a mean with Student's interval, as text.

    Args:
        values: One a seed, at least 2.
        digits: Behind the point.
        confidence: Coverage, where the values are near to normally distributed.
    """
    from scipy.special import stdtrit

    n, mean = len(values), float(np.mean(values))
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return f"{mean:.{digits}f} ({mean - half:.{digits}f} to {mean + half:.{digits}f})"
