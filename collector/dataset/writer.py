"""Save flights into a LeRobot v3.0 dataset so that plain lerobot opens it at every instant.

The order of a save, each step a whole file renamed into place: a data file and a video a camera; the task table,
where a task is new; a file of the episode table, which is the commit; `stats.json`; `info.json`. lerobot believes
the counts in `info.json`: rows and files beyond them are not seen, so every state in between is the dataset before
or after the save.
`.journal/save.json` names what a save is about to create, so that `open` knows what a crash left uncommitted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import durable, schema, stats, tables
from collector.dataset.encode import EncoderSettings
from collector.dataset.journal import Journal, JournalWriter, list_journals, read_journal
from collector.dataset.running import RunningStats
from collector.dataset.video import video_info
from collector.errors import DataError, MismatchError, UsageError


class DatasetWriter:
    """Appends flights to a dataset; use `create` or `open`. One writer at a time.

    Attributes:
        root: The dataset's folder.
        info: What `meta/info.json` holds.
    """

    def __init__(self, root: Path, info: dict[str, Any]) -> None:
        self.root, self.info = root, info
        self._saved = 0
        self._load()

    def _load(self) -> None:
        """Take the state from the disk; what an uncommitted save left there is removed."""
        self._tasks = tables.read_tasks(self.root)
        # Without their statistics, hundreds of columns that are only written.
        self._episodes = tables.read_episodes(self.root)
        files = tables.episode_files(self.root)
        self._row_schema = tables.read_schema(files[0]).remove_metadata() if files else None
        self._flights = self._flight_ids()
        self._running: RunningStats | None = None
        self._undo_uncommitted()
        videos = [f"videos/{camera}" for camera in schema.video_keys(self.info["features"])]
        self._ordinals = tables.next_ordinals(self.root, self.info, ["data", *videos, "meta/episodes"])

    @classmethod
    def create(
        cls,
        root: str | Path,
        repo_id: str | None = None,
        *,
        fps: float,
        features: schema.Features,
        robot_type: str | None = None,
    ) -> DatasetWriter:
        """Begin a dataset in a new or empty folder.

        Args:
            repo_id: Its name on the Hub; v3.0 does not store it.
            fps: Frames a second [Hz].
            features: Columns and cameras, without lerobot's default columns.
            robot_type: The robot that flies, as lerobot names it.

        Raises:
            UsageError: If there is a dataset already, or a feature cannot be stored.
            OSError: If the disk refuses.
        """
        root = Path(root)
        durable.finish_exchange(root)
        if (root / tables.INFO).exists():
            raise UsageError(f"{root} holds a dataset already: resume it, or choose another folder")
        if (root / "data").exists() or (root.exists() and not root.is_dir()):
            raise UsageError(f"{root} is not empty: choose another folder, or remove it")
        all_features = schema.normalised(features)
        info = {
            "codebase_version": schema.CODEBASE_VERSION,
            "fps": fps,
            "features": all_features,
            "total_episodes": 0,
            "total_frames": 0,
            "total_tasks": 0,
            "chunks_size": schema.CHUNK_SIZE,
            "data_files_size_in_mb": schema.DATA_FILE_MB,
            "video_files_size_in_mb": schema.VIDEO_FILE_MB,
            "data_path": schema.DATA_PATH,
            "video_path": schema.VIDEO_PATH if schema.video_keys(all_features) else None,
            "robot_type": robot_type,
            "splits": {},
        }
        durable.make_folder(root / ".journal")
        durable.write_json(root / tables.INFO, tables.info_to_json(info), root / ".journal" / "tmp")
        return cls(root, info)

    @classmethod
    def open(
        cls, root: str | Path, *, fps: float | None = None, features: schema.Features | None = None
    ) -> DatasetWriter:
        """Open a dataset for more episodes, and repair what a crash left behind.

        Args:
            fps: Frames a second [Hz] of what will be saved, where that is known already.
            features: Its columns and cameras.

        Raises:
            DataError: If there is no whole dataset of version v3.x.
            MismatchError: If fps or features differ from the dataset's.
            OSError: If the disk refuses.
        """
        root = Path(root)
        durable.finish_exchange(root)
        info = tables.read_info(root)
        durable.finish_exchange(root / "meta" / "episodes")
        writer = cls(root, info)
        if fps is not None:
            writer._check_fits(fps, features)
        writer._complete()
        return writer

    @property
    def num_episodes(self) -> int:
        """Episodes saved so far."""
        return self._episodes.num_rows

    @property
    def num_frames(self) -> int:
        """Frames saved so far."""
        return self._episodes["dataset_to_index"][-1].as_py() if self.num_episodes else 0

    def episodes_of(self, flight_ids: Iterable[str]) -> list[int]:
        """Return the episodes that these flights became; one that is not in the dataset is passed over."""
        return [self._flights[flight] for flight in flight_ids if flight in self._flights]

    def save(self, folder: str | Path) -> int:
        """Make an episode of a journal, closed or interrupted, and remove the journal; return the episode's index.

        A flight that is in the dataset already is not saved again.

        Raises:
            DataError: If the journal holds no whole frame.
            MismatchError: If its fps or features differ from the dataset's.
            OSError: If the disk refuses; the dataset is as before, and the journal is kept.
        """
        journal = read_journal(Path(folder))
        if journal.flight_id in self._flights:
            self._publish(journal)
            JournalWriter.discard(journal.folder)
            return self._flights[journal.flight_id]
        if journal.n_frames == 0:
            raise DataError(f"{folder} holds no whole frame: nothing can be saved of this flight")
        self._check_fits(journal.fps, journal.features)
        self._match_columns()
        episode = self.num_episodes
        with durable.temporary_files(self._temporary):
            row, episode_stats = self._commit(journal, episode)
        self._row_schema = self._row_schema or row.schema
        kept = row.select([name for name in row.column_names if not name.startswith("stats/")])
        grown = pa.concat_tables([self._episodes, kept], promote_options="permissive")
        self._episodes = grown.combine_chunks()  # for writing many chunks is slow
        self._flights[journal.flight_id] = episode
        self._saved += 1
        if self._running is not None:
            self._running.add(self._last_columns, episode_stats)
        self._publish(journal)
        durable.remove_tree(journal.folder)
        return episode

    def close(self) -> None:
        """Write exact statistics of everything saved. More may be saved afterwards."""
        if self._saved:
            self._saved = 0
            self._running = None
            self._publish()

    @property
    def _temporary(self) -> Path:
        return self.root / ".journal" / "tmp"

    @property
    def _intent(self) -> Path:
        return self.root / ".journal" / "save.json"

    def _flight_ids(self) -> dict[str, int]:
        if "flight_id" not in self._episodes.column_names:
            return {}
        found = zip(self._episodes["flight_id"].to_pylist(), self._episodes["episode_index"].to_pylist())
        return {flight: episode for flight, episode in found if flight}

    def _check_fits(self, fps: float, features: schema.Features | None) -> None:
        if fps != self.info["fps"]:
            raise MismatchError(
                f"{self.root} has {self.info['fps']} fps, not {fps}: record at its rate, or choose another folder"
            )
        if features is None:
            return
        given, own = schema.normalised(features), self.info["features"]
        for name in dict.fromkeys([*own, *given]):
            if name not in given or name not in own:
                lacks = "this recording" if name not in given else "the dataset"
                raise MismatchError(
                    f"{self.root}: {lacks} has no column '{name}', so they do not fit: choose another folder"
                )
            compared = ("dtype", "shape") if own[name]["dtype"] == "video" else ("dtype", "shape", "names")
            for key in compared:
                if _plain(given[name].get(key)) != _plain(own[name].get(key)):
                    raise MismatchError(
                        f"{self.root}: column '{name}' has {key} {own[name].get(key)}, this recording "
                        f"{given[name].get(key)}: choose another folder"
                    )

    def _commit(self, journal: Journal, episode: int) -> tuple[pa.Table, dict[str, stats.Stats]]:
        """Write an episode's files; the last rename, of the episode table's file, is the commit."""
        cameras = schema.video_keys(self.info["features"])
        places = {k: tables.place(n, self.info["chunks_size"]) for k, n in self._ordinals.items()}
        data = self.root / _path(self.info["data_path"], places["data"])
        videos = {
            camera: self.root / _path(self.info["video_path"], places[f"videos/{camera}"], camera)
            for camera in cameras
        }
        table_file = self.root / _path(schema.EPISODES_PATH, places["meta/episodes"])
        new = [data, *videos.values()]
        intent = {"flight_id": journal.flight_id, "files": [str(p.relative_to(self.root)) for p in new]}
        durable.write_json(self._intent, intent, self._temporary)
        try:
            task = journal.header["task"]
            columns = self._episode_columns(journal, episode, task)
            features = {k: f for k, f in self.info["features"].items() if f["dtype"] != "video"}
            kinds_schema = schema.data_schema(features)
            arrays = [schema.to_arrow(columns[name], features[name]) for name in kinds_schema.names]
            content = tables.parquet_bytes(pa.Table.from_arrays(arrays, schema=kinds_schema))
            durable.write_bytes(data, content, self._temporary)
            for camera, path in videos.items():
                self._seal_video(journal, camera, path)
            self._add_task(task)
            episode_stats = stats.episode_stats(columns, features)
            episode_stats |= {camera: journal.histogram(camera).stats() for camera in cameras}
            row = self._episode_row(journal, episode, places, episode_stats)
            durable.write_bytes(table_file, tables.parquet_bytes(row), self._temporary)
        except BaseException:
            self._load()  # for only the disk knows whether the commit was reached
            raise
        self._ordinals = {kind: ordinal + 1 for kind, ordinal in self._ordinals.items()}
        self._last_columns = columns
        return row, episode_stats

    def _seal_video(self, journal: Journal, camera: str, path: Path) -> None:
        temporary = self._temporary / f"{camera}.mp4"
        journal.join_video(camera, temporary)
        durable.move_into_place(temporary, path)

    def _episode_columns(self, journal: Journal, episode: int, task: str) -> dict[str, np.ndarray]:
        n, first = journal.n_frames, self.num_frames
        task_index = self._tasks.index(task) if task in self._tasks else len(self._tasks)
        counter = np.arange(n, dtype=np.int64)
        return journal.columns | {
            "timestamp": (counter / journal.fps).astype(np.float32),
            "frame_index": counter,
            "episode_index": np.full(n, episode, np.int64),
            "index": counter + first,
            "task_index": np.full(n, task_index, np.int64),
        }

    def _add_task(self, task: str) -> None:
        if task not in self._tasks:
            durable.write_bytes(
                self.root / tables.TASKS, tables.tasks_file([*self._tasks, task]), self._temporary
            )
            self._tasks.append(task)

    def _episode_row(
        self,
        journal: Journal,
        episode: int,
        places: Mapping[str, tuple[int, int]],
        episode_stats: dict[str, stats.Stats],
    ) -> pa.Table:
        end, header = journal.end or {}, journal.header
        row: dict[str, Any] = {
            "episode_index": episode,
            "tasks": [header["task"]],
            "length": journal.n_frames,
        }
        row["dataset_from_index"] = self.num_frames
        row["dataset_to_index"] = self.num_frames + journal.n_frames
        for kind, (chunk, file) in places.items():
            row |= {f"{kind}/chunk_index": chunk, f"{kind}/file_index": file}
            if kind.startswith("videos/"):
                row |= {
                    f"{kind}/from_timestamp": 0.0,
                    f"{kind}/to_timestamp": journal.n_frames / journal.fps,
                }
        noted = {**header, **end, "flight_id": journal.flight_id}
        noted["interrupted"] = bool(end.get("interrupted", journal.end is None))
        row |= {name: noted.get(name) for name in schema.EPISODE_COLUMNS}
        row |= stats.flatten(episode_stats)
        kinds = {**schema.EPISODE_COLUMNS, "tasks": pa.list_(pa.string())}
        arrays = {name: pa.array([value], kinds.get(name)) for name, value in row.items()}
        if self._row_schema is not None:
            arrays = {
                f.name: arrays[f.name].cast(f.type) if f.name in arrays else pa.nulls(1, f.type)
                for f in self._row_schema
            }
        return pa.table(arrays)

    def _match_columns(self) -> None:
        """Give a table from plain lerobot our columns: lerobot takes the first file's columns for the whole table."""
        if not self.num_episodes or set(schema.EPISODE_COLUMNS) <= set(self._episodes.column_names):
            return
        whole = tables.read_episodes(self.root, with_stats=True)
        missing = {n: k for n, k in schema.EPISODE_COLUMNS.items() if n not in whole.column_names}
        for name, kind in missing.items():
            whole = whole.append_column(name, pa.nulls(whole.num_rows, kind))
        chunk = whole["meta/episodes/chunk_index"].to_numpy()
        file = whole["meta/episodes/file_index"].to_numpy()
        new = self.root / ".journal" / "episodes"
        durable.remove_tree(new)
        for c, f in sorted(set(zip(chunk.tolist(), file.tolist()))):
            part = whole.filter(pa.array((chunk == c) & (file == f)))
            path = new / Path(_path(schema.EPISODES_PATH, (c, f))).relative_to("meta/episodes")
            durable.write_bytes(path, tables.parquet_bytes(part))
        durable.exchange(new, self.root / "meta" / "episodes")
        durable.remove_tree(new)
        self._episodes, self._row_schema = tables.read_episodes(self.root), whole.schema

    def _publish(self, journal: Journal | None = None) -> None:
        """Bring `stats.json` and `info.json` up to the episode table."""
        if self._running is None:
            self._running = RunningStats.of(
                self.root, self.info, tables.read_episodes(self.root, with_stats=True)
            )
        durable.write_json(self.root / tables.STATS, stats.to_json(self._running.stats()), self._temporary)
        for camera in schema.video_keys(self.info["features"]):
            feature = self.info["features"][camera]
            if not feature.get("info"):
                place = tuple(
                    self._episodes[f"videos/{camera}/{n}_index"][0].as_py() for n in ("chunk", "file")
                )
                path = self.root / _path(self.info["video_path"], place, camera)
                feature["info"] = video_info(path, journal.settings if journal else self._pending_settings())
        self.info |= {
            "total_episodes": self.num_episodes,
            "total_frames": self.num_frames,
            "total_tasks": len(self._tasks),
            "splits": {"train": f"0:{self.num_episodes}"},
        }
        durable.write_json(self.root / tables.INFO, tables.info_to_json(self.info), self._temporary)
        self._intent.unlink(missing_ok=True)

    def _pending_settings(self) -> EncoderSettings | None:
        """Return how the cameras of a flight were encoded whose save a crash cut short after its commit."""
        folders = list_journals(self.root)
        return read_journal(folders[0]).settings if folders else None

    def _undo_uncommitted(self) -> None:
        """Remove what a save that did not reach its commit left."""
        journal = self.root / ".journal"
        leftovers = (*journal.glob(".*.removed"), *journal.glob(".*.tmp"))
        for leftover in (journal / "tmp", journal / "episodes", *leftovers):
            durable.remove_tree(leftover)
        if self._intent.exists():
            intent = json.loads(self._intent.read_text())
            if intent["flight_id"] not in self._flights:
                for name in intent["files"]:
                    (self.root / name).unlink(missing_ok=True)
                self._intent.unlink()

    def _complete(self) -> None:
        """Bring `info.json` up to a save that reached its commit, and no further."""
        total = int(self.info.get("total_episodes", 0))
        if self.num_episodes < total:
            raise DataError(
                f"{self.root} is half-written: {tables.INFO} counts {total} episodes, the episode table holds "
                f"{self.num_episodes}; 'demodeck recover {self.root}' salvages what is there"
            )
        if self.num_episodes > total:
            self._publish()
        elif self.num_episodes:
            self._running = RunningStats.of(
                self.root, self.info, tables.read_episodes(self.root, with_stats=True)
            )
        self._intent.unlink(missing_ok=True)


def _path(pattern: str, place: tuple[int, ...], camera: str = "") -> str:
    return pattern.format(chunk_index=place[0], file_index=place[1], video_key=camera)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
