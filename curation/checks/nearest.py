"""Nearest neighbours: by a KD-tree in large sets, by all distances in small ones."""

from __future__ import annotations

import numpy as np

MOST_DISTANCES = 20_000_000
"""Differences of two numbers up to which all distances cost less than importing scipy's tree (0.4 s)."""
_AT_ONCE = 400_000


def nearest(points: np.ndarray, k: int, queries: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and numbers of the `k` nearest points, the nearest first.

    Args:
        points: (n_points, dim), at least `k`.
        k: How many.
        queries: Where to look from, (n_queries, dim); the points themselves by default, each its own nearest.

    Returns:
        Euclidean distances, float64, and point numbers, int64, (n_queries, k) each.
    """
    points = np.asarray(points, np.float64)
    queries = points if queries is None else np.asarray(queries, np.float64)
    n, dim = points.shape
    if n * len(queries) * dim > MOST_DISTANCES:
        from scipy.spatial import cKDTree

        distance, at = cKDTree(points).query(queries, k=k)
        return distance.reshape(len(queries), k), at.reshape(len(queries), k)
    squares, numbers = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    rows = max(1, _AT_ONCE // max(1, n))
    for begin in range(0, len(queries), rows):
        part = queries[begin : begin + rows]
        square = np.zeros((len(part), n))
        for d in range(dim):
            away = part[:, d, None] - points[None, :, d]
            away *= away
            square += away
        at = np.argpartition(square, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(square, at, axis=1)
        order = np.argsort(near, axis=1, kind="stable")
        squares[begin : begin + rows] = np.take_along_axis(near, order, axis=1)
        numbers[begin : begin + rows] = np.take_along_axis(at, order, axis=1)
    return np.sqrt(squares), numbers
