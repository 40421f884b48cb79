"""`stats.json` while recording goes on: exact moments, quantiles from an even sample, at a small price a save."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import schema, stats

SAMPLE = 8192  # frames above which the sample is thinned
EXACT = 2_000_000  # frames up to which quantiles are exact when a dataset is opened or closed


class RunningStats:
    """Statistics of all episodes, updated episode by episode.

    min, max, mean, std and count are exact. Quantiles of columns are exact over all frames right after `of`;
    `add` then goes on from every k-th frame, at most `SAMPLE` of them. Quantiles of pictures are those of the
    distribution merged from the episodes.
    """

    def __init__(self, numeric: list[str], cameras: list[str]) -> None:
        self._numeric, self._cameras = numeric, cameras
        self._sample: dict[str, np.ndarray] = {}
        self._stride, self._offset = 1, 0
        self._histograms = {camera: stats.ImageHistogram() for camera in cameras}
        self._stats: dict[str, stats.Stats] = {}

    @classmethod
    def of(cls, root: Path, info: Mapping[str, Any], episodes: pa.Table) -> RunningStats:
        """Compute them for the episodes in the table (with its `stats/` columns).

        Raises:
            DataError: If a data file is missing or damaged.
        """
        from collector.dataset.reader import Dataset

        features = info["features"]
        running = cls(schema.numeric_keys(features), schema.camera_keys(features))
        if not episodes.num_rows:
            return running
        dataset = Dataset(root, dict(info), episodes)
        thin = -(-dataset.num_frames // EXACT)
        wanted = tuple(f"stats/{n}/" for n in (running._cameras + running._numeric * (thin > 1)))
        names = [n for n in episodes.column_names if n.startswith(wanted)] if wanted else []
        rows = [stats.unflatten(row) for row in episodes.select(names).to_pylist()]
        for camera in running._cameras:
            parts = [row[camera] for row in rows if camera in row]
            for part in parts:
                running._histograms[camera].merge(stats.ImageHistogram.from_stats(part))
            if parts:
                running._stats[camera] = stats.merge_image_stats(parts)
        columns = dataset.columns(running._numeric)
        for name, values in columns.items():
            running._stats[name] = stats.column_stats(values[::thin])
            if thin > 1:
                exact = [row[name] for row in rows if name in row]
                running._stats[name] |= stats.merge_moments(exact) if len(exact) == len(rows) else {}
        running._extend_sample(columns)
        return running

    def add(self, columns: Mapping[str, np.ndarray], episode: Mapping[str, stats.Stats]) -> None:
        """Add an episode: its columns, (n_frames, ...), and its statistics."""
        self._extend_sample(columns)
        for name in self._numeric:
            merged = stats.merge_moments([p for p in (self._stats.get(name), episode[name]) if p])
            table = np.asarray(self._sample[name], np.float64)
            quantiles = np.quantile(table, list(stats.QUANTILES.values()), axis=0)
            self._stats[name] = merged | dict(zip(stats.QUANTILES, quantiles))
        for camera in self._cameras:
            self._histograms[camera].merge(stats.ImageHistogram.from_stats(episode[camera]))
            merged = stats.merge_moments([p for p in (self._stats.get(camera), episode[camera]) if p])
            all_seen = self._histograms[camera].stats()
            self._stats[camera] = merged | {name: all_seen[name] for name in stats.QUANTILES}

    def _extend_sample(self, columns: Mapping[str, np.ndarray]) -> None:
        n_frames = len(columns[self._numeric[0]])
        first = -self._offset % self._stride
        for name in self._numeric:
            new = columns[name].reshape(n_frames, -1)[first :: self._stride]
            old = self._sample.get(name)
            self._sample[name] = new.copy() if old is None else np.concatenate([old, new])
        self._offset += n_frames
        while len(self._sample[self._numeric[0]]) > SAMPLE:
            self._sample = {name: values[::2] for name, values in self._sample.items()}
            self._stride *= 2

    def stats(self) -> dict[str, stats.Stats]:
        """Return the statistics by feature, in lerobot's layout."""
        return {name: dict(value) for name, value in self._stats.items()}
