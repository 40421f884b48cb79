"""Statistics of columns and pictures, by episode and over all, with the keys and shapes of lerobot's.

Source of the layout: lerobot 0.6.1, `datasets/compute_stats.py`. Moments are merged exactly (Chan, Golub and
LeVeque 1979, eq. 2.1); quantiles come from all values, never from an average of quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from collector.dataset.schema import Features

Stats = dict[str, np.ndarray]
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_PIXELS = 2_500  # about so many pixels of a picture are counted


def column_stats(values: np.ndarray) -> Stats:
    """Return exact statistics of one column.

    Args:
        values: (n_frames,) or (n_frames, dim), n_frames > 0.

    Returns:
        min, max, mean, std (population), q01 ... q99, each float64 (dim,), and count, int64 (1,).
    """
    table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    result = {
        "min": table.min(0),
        "max": table.max(0),
        "mean": table.mean(0),
        "std": table.std(0),
        "count": np.array([len(table)]),
    }
    return result | dict(zip(QUANTILES, np.quantile(table, list(QUANTILES.values()), axis=0)))


def counter_stats(first: int, count: int) -> Stats:
    """Return the statistics of the column first, first + 1, ..., of `count` values."""
    return column_stats(np.arange(first, first + count))


class ImageHistogram:
    """Counts of each 8-bit value in each channel of a camera's pictures.

    Args:
        counts: (3, 256); zeros by default.
        n_frames: Pictures counted.
    """

    def __init__(self, counts: np.ndarray | None = None, n_frames: int = 0) -> None:
        self.counts = np.zeros((3, 256)) if counts is None else np.asarray(counts, dtype=np.float64)
        self.n_frames = n_frames

    def add(self, image: np.ndarray) -> None:
        """Count a picture, uint8, (height, width, 3): every k-th row and column, others in the next picture."""
        step = max(1, round((image.shape[0] * image.shape[1] / _PIXELS) ** 0.5))
        row, column = divmod(self.n_frames % step**2, step)
        pixels = image[row::step, column::step].reshape(-1, 3).astype(np.uint16)
        pixels += np.array([0, 256, 512], np.uint16)
        self.counts += np.bincount(pixels.ravel(), minlength=768).reshape(3, 256)
        self.n_frames += 1

    def merge(self, other: ImageHistogram) -> None:
        """Add the pictures of another, each picture with the same weight."""
        if not self.n_frames:
            self.counts, self.n_frames = other.counts.copy(), other.n_frames
        elif other.n_frames:
            per_frame = self.counts.sum() / self.n_frames
            self.counts += other.counts * (per_frame * other.n_frames / other.counts.sum())
            self.n_frames += other.n_frames

    def stats(self) -> Stats:
        """Return the statistics scaled to [0, 1], each (3, 1, 1), and count = pictures, (1,)."""
        share = self.counts / self.counts.sum(1, keepdims=True)
        level = np.arange(256) / 255
        mean = share @ level
        seen = share > 1e-12
        result = {
            "min": level[seen.argmax(1)],
            "max": level[255 - seen[:, ::-1].argmax(1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(share @ level**2 - mean**2, 0)),
        }
        cumulative = share.cumsum(1)
        for name, q in QUANTILES.items():
            result[name] = level[np.minimum((cumulative < q - 1e-12).sum(1), 255)]
        shaped = {name: value.reshape(3, 1, 1) for name, value in result.items()}
        return shaped | {"count": np.array([self.n_frames])}

    @classmethod
    def from_stats(cls, stats: Mapping[str, Any]) -> ImageHistogram:
        """Rebuild a histogram from an episode's statistics: linear between its quantiles, its moments apart.

        Only the quantiles of what it is merged into depend on this; `merge_stats` takes moments from `stats`.
        """
        points = np.array([0, *QUANTILES.values(), 1])
        names = ["min", *QUANTILES, "max"]
        knots = np.array([np.ravel(stats[name]) for name in names]) * 255
        knots = np.maximum.accumulate(knots, axis=0)
        edges = np.arange(257) - 0.5
        counts = np.zeros((3, 256))
        for channel in range(3):
            x = knots[:, min(channel, knots.shape[1] - 1)]
            # Where knots coincide, a step: the last of them counts from there on.
            below = np.interp(edges, x + np.arange(len(x)) * 1e-9, points, left=0.0, right=1.0)
            counts[channel] = np.diff(below)
            counts[channel, round(float(x[0]))] += below[0] + 1e-9
            counts[channel, min(255, round(float(x[-1])))] += 1 - below[-1] + 1e-9
        return cls(counts, int(np.ravel(stats["count"])[0]))


def merge_moments(parts: Sequence[Mapping[str, Any]]) -> Stats:
    """Merge min, max, mean, std and count of disjoint sets of frames, exactly."""
    counts = np.array([float(np.ravel(part["count"])[0]) for part in parts])
    means = np.stack([np.asarray(part["mean"], np.float64) for part in parts])
    weights = (counts / counts.sum()).reshape(-1, *[1] * (means.ndim - 1))
    mean = (means * weights).sum(0)
    spread = np.stack([np.asarray(part["std"], np.float64) ** 2 for part in parts]) + (means - mean) ** 2
    return {
        "min": np.min(np.stack([np.asarray(part["min"], np.float64) for part in parts]), 0),
        "max": np.max(np.stack([np.asarray(part["max"], np.float64) for part in parts]), 0),
        "mean": mean,
        "std": np.sqrt((spread * weights).sum(0)),
        "count": np.array([int(counts.sum())]),
    }


def merge_image_stats(parts: Iterable[Mapping[str, Any]]) -> Stats:
    """Merge cameras' statistics: moments exactly, quantiles over the pictures' rebuilt distributions."""
    parts = list(parts)
    total = ImageHistogram()
    for part in parts:
        total.merge(ImageHistogram.from_stats(part))
    quantiles = {name: value for name, value in total.stats().items() if name in QUANTILES}
    return merge_moments(parts) | quantiles


def flatten(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """Return an episode's statistics as columns `stats/<feature>/<stat>` of the episode table."""
    return {f"stats/{key}/{name}": v.tolist() for key, s in stats.items() for name, v in s.items()}


def unflatten(row: Mapping[str, Any]) -> dict[str, Stats]:
    """Return the statistics in a row of the episode table, by feature."""
    result: dict[str, Stats] = {}
    for column, value in row.items():
        if column.startswith("stats/") and value is not None:
            _, feature, name = column.split("/")
            result.setdefault(feature, {})[name] = np.asarray(value)
    return result


def to_json(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """Return the content of `meta/stats.json`."""
    return {key: {name: v.tolist() for name, v in s.items()} for key, s in stats.items()}


def episode_stats(columns: Mapping[str, np.ndarray], features: Features) -> dict[str, Stats]:
    """Return the statistics of an episode's numeric columns, by feature; text has none."""
    return {
        name: column_stats(values)
        for name, values in columns.items()
        if features[name]["dtype"] not in ("string", "video", "image", "language")
    }
