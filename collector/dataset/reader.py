"""Read a LeRobot v3.0 dataset, whoever wrote it: episode table, columns as arrays, pictures one by one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import schema, tables, trust
from collector.dataset.stats import Stats, column_stats, unflatten
from collector.errors import DataError, UsageError


class Dataset:
    """An opened dataset; use `Dataset.open`.

    Attributes:
        root: Its folder.
        info: `meta/info.json`, with shapes as tuples.
        episodes: The episode table without its `stats/` columns, one row an episode, in order.
    """

    def __init__(self, root: Path, info: dict[str, Any], episodes: pa.Table) -> None:
        self.root, self.info, self.episodes = root, info, episodes

    @classmethod
    def open(cls, root: str | Path) -> Dataset:
        """Open the dataset in a folder. Videos may be absent (a pull without them) until `frames` needs one.

        Raises:
            DataError: If the folder is missing, of another version, empty, half-written or damaged.
        """
        root = Path(root)
        info = tables.read_info(root)
        expected = int(info.get("total_episodes", 0))
        if expected == 0:
            raise DataError(f"{root} has no episodes: record some first")
        episodes = tables.read_episodes(root)
        if episodes.num_rows < expected:
            raise DataError(
                f"{root} is half-written: {tables.INFO} counts {expected} episodes, the episode table holds "
                f"{episodes.num_rows}; record or pull it again"
            )
        episodes = episodes.slice(0, expected)  # one row more: a save was interrupted after its commit
        if not np.array_equal(schema.to_numpy(episodes["episode_index"]), np.arange(expected)):
            raise DataError(f"{root} is damaged: its episode table does not count 0 to {expected - 1}")
        trust.check_episodes(root, episodes)
        dataset = cls(root, info, episodes)
        for path in sorted(dataset._paths.values()):
            if not path.exists():
                raise DataError(f"{root} is half-written: {path.relative_to(root)} is missing; pull it again")
        return dataset

    def __repr__(self) -> str:
        return f"Dataset({self.root}, {self.num_episodes} episodes, {self.num_frames} frames, {self.fps} fps)"

    @property
    def fps(self) -> float:
        """Frames a second [Hz]."""
        return self.info["fps"]

    @property
    def features(self) -> schema.Features:
        """lerobot's feature dictionaries by column, shapes as tuples."""
        return self.info["features"]

    @property
    def camera_keys(self) -> list[str]:
        """Columns that hold pictures."""
        return schema.camera_keys(self.features)

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks in words, by task index."""
        return tables.read_tasks(self.root)

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return self.episodes.num_rows

    @property
    def num_frames(self) -> int:
        """Number of frames in all episodes."""
        return int(self._lengths.sum())

    @cached_property
    def _lengths(self) -> np.ndarray:
        return schema.to_numpy(self.episodes["length"])

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Chunk and file index of each episode's data."""
        chunks, files = (
            schema.to_numpy(self.episodes[f"data/{name}_index"]).tolist() for name in ("chunk", "file")
        )
        return list(zip(chunks, files))

    @cached_property
    def _paths(self) -> dict[tuple[int, int], Path]:
        """Each data file by its place: a path an episode would cost more than all else of opening a large set."""
        pattern = self.info.get("data_path") or schema.DATA_PATH
        return {
            at: self.root / pattern.format(chunk_index=at[0], file_index=at[1]) for at in set(self._places)
        }

    @cached_property
    def data_files(self) -> list[Path]:
        """The data file of each episode."""
        return [self._paths[at] for at in self._places]

    def video_place(self, episode: int, camera: str) -> tuple[Path, float]:
        """Return the file of an episode's video and where the episode begins in it [s]."""
        row = self.episodes.slice(self._checked([episode])[0], 1)
        chunk, file = (row[f"videos/{camera}/{n}_index"][0].as_py() for n in ("chunk", "file"))
        pattern = self.info.get("video_path") or schema.VIDEO_PATH
        path = self.root / pattern.format(video_key=camera, chunk_index=chunk, file_index=file)
        return path, row[f"videos/{camera}/from_timestamp"][0].as_py()

    def _checked(self, episodes: Sequence[int] | None) -> list[int]:
        if episodes is None:
            return list(range(self.num_episodes))
        wrong = [e for e in episodes if not 0 <= e < self.num_episodes]
        if wrong:
            raise UsageError(f"no episode {wrong[0]} in {self.root}: it has 0 to {self.num_episodes - 1}")
        return [int(e) for e in episodes]

    def lengths(self, episodes: Sequence[int] | None = None) -> np.ndarray:
        """Return the number of frames of each episode, int64, (n_episodes,).

        Raises:
            UsageError: If there is no such episode.
        """
        return self._lengths[self._checked(episodes)]

    def columns(self, names: Sequence[str], episodes: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """Return columns of all or some episodes, one episode after the other in the order given.

        Args:
            names: Columns that are not cameras.
            episodes: Episode indices; None for all.

        Returns:
            By name, (n_frames, dim), or (n_frames,) where the feature's shape is (1,).

        Raises:
            UsageError: If there is no such column or episode.
            DataError: If a data file is missing, damaged or lacks frames.
        """
        names, chosen = list(dict.fromkeys(names)), self._checked(episodes)
        known = [name for name in self.features if name not in self.camera_keys]
        if wrong := [name for name in names if name not in known]:
            raise UsageError(f"no column '{wrong[0]}' in {self.root}: it has {', '.join(known)}")
        parts: dict[int, dict[str, np.ndarray]] = {}
        inside: dict[Path, list[int]] = {}
        for e in chosen:
            inside.setdefault(self.data_files[e], []).append(e)
        for path, there in inside.items():
            parts |= self._read_file(path, names, there)
        if not chosen:
            return {name: np.empty((0,)) for name in names}
        return {name: np.concatenate([parts[e][name] for e in chosen]) for name in names}

    def _read_file(
        self, path: Path, names: list[str], episodes: list[int]
    ) -> dict[int, dict[str, np.ndarray]]:
        table = tables.read_parquet(path, list(dict.fromkeys([*names, "episode_index"])), episodes=episodes)
        if "episode_index" not in table.column_names:
            raise DataError(f"{path} has no column 'episode_index': restore it, or pull the dataset again")
        if absent := set(names) - set(table.column_names):
            raise DataError(
                f"{path} has no column '{sorted(absent)[0]}', which {tables.INFO} names: restore it"
            )
        of_row = schema.to_numpy(table["episode_index"])
        arrays = {name: self._array(path, name, table[name]) for name in names}
        parts = {}
        for episode in episodes:
            at = rows_of(of_row, episode, int(self._lengths[episode]), path)
            where = slice(at.start, at.stop) if isinstance(at, range) else at
            parts[episode] = {name: array[where] for name, array in arrays.items()}
        return parts

    def _array(self, path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
        """Return a column as an array of the feature's width, or say what is wrong with it."""
        reason = ""
        try:
            array = schema.to_numpy(column)
        except (ValueError, TypeError, pa.ArrowException):
            reason = "rows of different length, or empty ones"
        else:
            feature = self.features[name]
            width = int(np.prod(feature["shape"], dtype=np.int64))
            numeric = feature["dtype"] not in ("string", "language")
            if numeric and array.dtype.kind not in "biuf":
                reason = f"{column.type} where info.json says {feature['dtype']}"
            elif numeric and len(array) and array[0].size != width:
                reason = f"{array[0].size} values a frame where info.json says {width}"
        if reason:
            raise DataError(
                f"{path}: the column '{name}' has {reason}: restore it, or pull the dataset again"
            )
        return array

    def episode(self, index: int, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Return the columns of one episode; by default all that are not cameras. Raises as `columns`."""
        known = [name for name in self.features if name not in self.camera_keys]
        return self.columns(known if names is None else names, [index])

    def frames(
        self, episode: int, camera: str, first: int = 0, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Decode the pictures of one episode, in order.

        Args:
            first: The frame to begin with.
            size: Height and width to shrink each picture to [px]; None leaves it as it is.

        Yields:
            RGB, uint8, (height, width, 3).

        Raises:
            UsageError: If there is no such camera or episode.
            DataError: If the video is missing, damaged or lacks frames.
        """
        if camera not in self.camera_keys:
            raise UsageError(
                f"no camera '{camera}' in {self.root}: it has {', '.join(self.camera_keys) or 'none'}"
            )
        length = int(self.lengths([episode])[0])
        if self.features[camera]["dtype"] == "image":
            yield from self._single_images(episode, camera, first, size)
            return
        from collector.dataset.video import VideoReader  # FFmpeg: only who looks at pictures pays for it

        path, from_s = self.video_place(episode, camera)
        with VideoReader(path, self.fps) as reader:
            yield from reader.frames(from_s + first / self.fps, length - first, size)

    def _single_images(
        self, episode: int, camera: str, first: int, size: tuple[int, int] | None
    ) -> Iterator[np.ndarray]:
        import av

        from collector.dataset.video import picture_of

        table = tables.read_parquet(self.data_files[episode], [camera, "episode_index"], episodes=[episode])
        rows = np.flatnonzero(table["episode_index"].to_numpy() == episode)
        for row in rows[first:]:
            image = table[camera][int(row)].as_py()
            with av.open(io.BytesIO(image["bytes"])) as container:
                yield picture_of(next(container.decode(video=0)), size)

    def check_files(self) -> None:
        """Check that every data and video file is there and whole; reads footers and indexes only.

        Raises:
            DataError: Naming the first that is not.
        """
        from collector.dataset.video import VideoReader

        for path in sorted(set(self.data_files)):
            tables.read_parquet(path, ["episode_index"])
        for camera in schema.video_keys(self.features):
            for path in sorted({self.video_place(e, camera)[0] for e in range(self.num_episodes)}):
                VideoReader(path, self.fps).close()

    def stats(self) -> dict[str, Stats]:
        """Return `meta/stats.json`: statistics of all episodes by feature; empty where it is absent."""
        path = self.root / tables.STATS
        if not path.exists():
            return {}
        content = json.loads(path.read_text())
        return {key: {n: np.asarray(v) for n, v in value.items()} for key, value in content.items()}

    def exact_stats(self, names: Sequence[str], episodes: Sequence[int] | None = None) -> dict[str, Stats]:
        """Return exact statistics of numeric columns over all or some episodes, computed from the frames.

        Returns:
            By column min, max, mean, std (population), q01, q10, q50, q90, q99, float64 (dim,), and count (1,).

        Raises:
            UsageError: If there is no such column or episode, or no episode is chosen.
            DataError: If a data file is missing or damaged.
        """
        if episodes is not None and not len(episodes):
            raise UsageError("statistics need at least one episode")
        return {name: column_stats(v) for name, v in self.columns(names, episodes).items()}

    def episode_stats(self) -> list[dict[str, Stats]]:
        """Return each episode's statistics from the episode table, by feature."""
        table = tables.read_episodes(self.root, with_stats=True).slice(0, self.num_episodes)
        names = [name for name in table.column_names if name.startswith("stats/")]
        return [unflatten(row) for row in table.select(names).to_pylist()]


def rows_of(of_row: np.ndarray, episode: int, length: int, path: Path) -> range | np.ndarray:
    """Return the rows of an episode in a data file.

    Args:
        of_row: Episode of each row of the file, (n_rows,).
        length: The episode's frames.
        path: The file, for messages.

    Returns:
        A range, or row numbers where a writer did not keep the episode together.

    Raises:
        DataError: If the file does not hold `length` of them.
    """
    first, last = np.searchsorted(of_row, [episode, episode + 1]).tolist()
    if last - first == length and (of_row[first:last] == episode).all():
        return range(first, last)
    rows = np.flatnonzero(of_row == episode)  # not in ascending order
    if len(rows) != length:
        raise DataError(
            f"{path} holds {len(rows)} of the {length} frames of episode {episode}: "
            "restore it, or pull the dataset again"
        )
    return rows
