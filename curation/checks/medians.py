"""Medians and quantiles of short columns; numpy's own cost several times as much on an episode."""

from __future__ import annotations

import numpy as np


def median(values: np.ndarray) -> np.ndarray:
    """Return the median of each column of finite values, (n, ...), n at least 1, -> (...), as `numpy.median`."""
    half = len(values) // 2
    if len(values) % 2:
        return np.partition(values, half, axis=0)[half]
    middle = np.partition(values, (half - 1, half), axis=0)
    return (middle[half - 1] + middle[half]) / 2


def quantiles(values: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """Return quantiles of each column, (n, dim) -> (n_shares, dim), as `numpy.quantile` does by default."""
    ordered = np.sort(values, axis=0)
    at = np.array(shares) * (len(values) - 1)
    low = at.astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)[:, None]


_EXCHANGES = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)
"""The 19 exchanges after which the fifth of nine values is their median (Paeth 1990, Graphics Gems, p. 171)."""


def running_median(framed: np.ndarray, window: int) -> np.ndarray:
    """Return the medians of `window` (odd) values that begin at each frame, (n, dim) -> (n - window + 1, dim)."""
    n = len(framed) - window + 1
    if window != 9:
        about = np.lib.stride_tricks.sliding_window_view(framed, window, axis=0)
        return np.partition(about, window // 2, axis=-1)[..., window // 2]
    parts = [framed[k : k + n] for k in range(window)]
    for a, b in _EXCHANGES:
        parts[a], parts[b] = np.minimum(parts[a], parts[b]), np.maximum(parts[a], parts[b])
    return parts[4]
