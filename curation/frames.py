"""The frames of a dataset as the checks see them: each data file is read once, and episodes are taken from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from collector.dataset import schema
from collector.dataset.reader import Dataset
from curation.cache import Cache, digest
from curation.checks import structure
from curation.checks.base import Episode, filled

MOST_BYTES = 256_000_000
"""Columns that are kept in memory; of larger sets one data file at a time is."""
BLOCK_FRAMES = 6_000
"""Frames that are measured, and remembered, together: about a second's work."""

Series = dict[str, dict[str, np.ndarray]]
"""By camera what `curation.video_pass` made of an episode's pictures."""


@dataclass(frozen=True)
class Block:
    """Some episodes with all that the checks need of them: what is handed to another process.

    Attributes:
        episodes: Their numbers.
        lengths: Their frames.
        fps: Nominal frames a second.
        columns: Their columns, one episode after the other, (n_frames, ...).
        video: Of each episode the series of its pictures; empty where they were not looked at.
    """

    episodes: list[int]
    lengths: list[int]
    fps: float
    columns: dict[str, np.ndarray]
    video: dict[int, Series] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Episode]:
        last, n = 0, sum(self.lengths)
        used = {name: self.columns.get(name) for name in ("observation.state", "action")}
        # Where all is finite, nothing is filled in from neighbours, and one conversion does for the whole block.
        whole = all(values is None or bool(np.isfinite(values).all()) for values in used.values())
        state, action = (filled(values, n) for values in used.values()) if whole else (None, None)
        for number, length in zip(self.episodes, self.lengths):
            first, last = last, last + length
            columns = {name: values[first:last] for name, values in self.columns.items()}
            seen = self.video.get(number)
            if state is None or action is None:
                yield Episode.of(number, self.fps, columns, seen)
            else:
                yield Episode(
                    number, float(self.fps), columns, state[first:last], action[first:last], seen or {}
                )


class Frames:
    """Reads a dataset's numeric columns.

    Args:
        dataset: The dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        left_out = set(schema.DEFAULT_FEATURES) - set(structure.COLUMNS)
        self.names = [name for name in schema.numeric_keys(dataset.features) if name not in left_out]
        self.lengths = dataset.lengths()
        self.files: dict[Path, list[int]] = {}
        for episode, path in enumerate(dataset.data_files):
            self.files.setdefault(path, []).append(episode)
        widths = [8 * int(np.prod(dataset.features[n]["shape"], dtype=np.int64)) for n in self.names]
        self._all = sum(widths) * dataset.num_frames <= MOST_BYTES
        self._read: dict[Path, dict[str, np.ndarray]] = {}

    def _columns(self, path: Path) -> dict[str, np.ndarray]:
        if path not in self._read:
            if not self._all:
                self._read.clear()
            self._read[path] = self.dataset.columns(self.names, self.files[path])
        return self._read[path]

    def blocks(self, episodes: Sequence[int], most_frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """Yield the episodes, ascending, in blocks of one data file each.

        Raises:
            DataError: If a data file is missing, damaged or lacks frames.
        """
        wanted = np.zeros(self.dataset.num_episodes, bool)
        wanted[list(episodes)] = True
        for path, inside in self.files.items():
            numbers = np.array(inside)
            ends = np.cumsum(self.lengths[numbers])
            rows: list[int] = []  # places in `inside`
            for k in np.flatnonzero(wanted[numbers]).tolist():
                if rows and self.lengths[numbers[rows]].sum() + self.lengths[numbers[k]] > most_frames:
                    yield self._block(path, numbers, ends, rows)
                    rows = []
                rows.append(k)
            if rows:
                yield self._block(path, numbers, ends, rows)

    def _block(self, path: Path, numbers: np.ndarray, ends: np.ndarray, rows: list[int]) -> Block:
        columns, chosen = self._columns(path), numbers[rows]
        lengths = self.lengths[chosen]
        spans = [slice(int(ends[k] - n), int(ends[k])) for k, n in zip(rows, lengths)]
        if rows[-1] - rows[0] == len(rows) - 1:  # one behind the other: no copy
            part = {name: values[spans[0].start : spans[-1].stop] for name, values in columns.items()}
        else:
            part = {name: np.concatenate([values[s] for s in spans]) for name, values in columns.items()}
        return Block(chosen.tolist(), lengths.tolist(), self.dataset.fps, part)

    def keys(self, cache: Cache) -> list[str]:
        """Return a hash of each episode's content: its number, frame rate and columns.

        Of a data file whose bytes are known from an earlier time the hashes are too, and it is not read.

        Raises:
            DataError: If a data file is missing, damaged or lacks frames.
        """
        result = [""] * self.dataset.num_episodes
        known = {}
        for files, arrays in cache.parts("files"):
            if {"counts", "episodes"} <= arrays.keys() and len(arrays["counts"]) == len(files):
                ends = np.cumsum(arrays["counts"])
                for name, end, count in zip(files, ends, arrays["counts"]):
                    known[name] = arrays["episodes"][end - count : end]
        seen: dict[str, np.ndarray] = {}
        common = repr((self.names, self.dataset.fps)).encode()
        for path, inside in self.files.items():
            place = repr((inside, self.lengths[inside].tolist())).encode()
            name = digest([common, place, path.read_bytes()]) if path.exists() else ""
            if len(known.get(name, ())) != len(inside):
                found = [self._key(common, episode) for episode in self.blocks(inside, 1)]
                known[name] = np.array(found, "S32")
            seen[name] = known[name]
            for number, key in zip(inside, known[name].tolist()):
                result[number] = key.decode()
        counts = np.array([len(v) for v in seen.values()], np.int64)
        cache.replace("files", list(seen), {"counts": counts, "episodes": np.concatenate([*seen.values()])})
        return result

    def _key(self, common: bytes, block: Block) -> str:
        return digest([common, str(block.episodes).encode(), *block.columns.values()])
