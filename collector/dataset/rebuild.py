"""Put a dataset together anew from what a crash left of it, in a folder of its own; the original is only read."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import durable, schema, stats, tables
from collector.dataset.carry import carry_along, link_tree
from collector.dataset.carry_labels import Taken
from collector.dataset.reader import Dataset
from collector.dataset.remains import Clip, Remains, Rows, arrow_schema, file_rows
from collector.dataset.running import RunningStats
from collector.errors import DataError


class Rebuilt:
    """Puts the repaired dataset together in a folder of its own.

    Args:
        root: The broken dataset, only read.
        new: The folder to make.
        info: `meta/info.json`, with shapes as tuples.
        found: What is left of it; what turns out to be damaged is added to its `lost`.
    """

    def __init__(self, root: Path, new: Path, info: dict[str, Any], found: Remains) -> None:
        self.root, self.new, self.info, self.found = root, new, info, found
        self.features: schema.Features = info["features"]
        self.kinds = arrow_schema(self.features)[0]
        self.tasks = self._read_tasks()
        self._last: tuple[Path, pa.Table] | None = None

    def run(self) -> tuple[list[int], int]:
        """Make it; return the episodes kept, by their old numbers, and their frames.

        Raises:
            DataError: If there is no episode.
            OSError: If the disk refuses.
        """
        noted = {e: i for i, e in enumerate(self.found.table["episode_index"].to_pylist())}
        computed: dict[int, dict[str, stats.Stats]] = {}
        kept = []
        for episode, rows in self.found.rows.items():
            sound = episode in noted and self._fits_note(noted[episode], rows)
            if not sound:
                noted.pop(episode, None)
                try:
                    computed[episode] = self._episode_stats(episode, rows)
                except DataError as error:
                    self.found.lost.append(f"episode {episode}: {error}")
                    continue
            kept.append(episode)
        if not kept:
            seen = "; ".join(self.found.lost) or "no episode was saved yet"
            raise DataError(f"nothing can be salvaged of {self.root}: {seen}")
        places = self._write_data(kept)
        clips = {camera: self._write_videos(camera, kept) for camera in self.found.clips}
        table = self._episode_table(kept, places, clips, noted, computed)
        self._write_meta(table)
        self._check()
        return kept, int(table["dataset_to_index"][-1].as_py())

    def _read_tasks(self) -> list[str]:
        try:
            return tables.read_tasks(self.root)
        except DataError:
            self.found.lost.append(f"{tables.TASKS} is damaged")
            return []

    def _fits_note(self, at: int, rows: Rows) -> bool:
        row = self.found.table.slice(at, 1)
        return row["length"][0].as_py() == rows.length and row["dataset_from_index"][0].as_py() == rows.index

    def _table(self, rows: Rows) -> pa.Table:
        """Return all columns of an episode's rows."""
        if rows.table is not None:
            return rows.table.slice(rows.start, rows.length)
        if self._last is None or self._last[0] != rows.file:
            self._last = rows.file, tables.read_parquet(rows.file)
        return self._last[1].slice(rows.start, rows.length)

    def _task_index(self, rows: Rows) -> list[int]:
        if rows.table is not None or (self._last is not None and self._last[0] == rows.file):
            return self._table(rows)["task_index"].to_pylist()
        column = tables.read_parquet(rows.file, ["task_index"])["task_index"]
        return column.slice(rows.start, rows.length).to_pylist()

    def _episode_stats(self, episode: int, rows: Rows) -> dict[str, stats.Stats]:
        table = self._table(rows)
        numeric = schema.numeric_keys(self.features)
        columns = {name: schema.to_numpy(table[name]) for name in numeric}
        flat = {n: v for n, v in columns.items() if v.ndim <= 2}
        result = stats.episode_stats(flat, self.features)
        for camera in schema.camera_keys(self.features):
            if (self.features[camera].get("info") or {}).get("is_depth_map"):
                continue  # its statistics are in metres, which the pictures alone do not tell
            histogram = stats.ImageHistogram()
            for image in self._pictures(camera, episode, rows, table):
                histogram.add(image)
            result[camera] = histogram.stats()
        return result

    def _pictures(self, camera: str, episode: int, rows: Rows, table: pa.Table) -> Iterator[np.ndarray]:
        import av  # FFmpeg: only datasets with cameras pay for it

        from collector.dataset.video import VideoReader

        if self.features[camera]["dtype"] == "image":
            for picture in table[camera].to_pylist():
                try:
                    with av.open(io.BytesIO(picture["bytes"])) as container:
                        yield next(container.decode(video=0)).to_ndarray(format="rgb24")
                except (av.error.FFmpegError, StopIteration, TypeError) as error:
                    raise DataError(f"a picture of {camera} is damaged ({error})") from error
            return
        clip = self.found.clips[camera][episode]
        with VideoReader(clip.file, self.info["fps"]) as reader:
            yield from reader.frames(clip.first / self.info["fps"], rows.length)

    def _write_data(self, kept: list[int]) -> dict[int, tuple[int, int]]:
        """Write the rows into files of the same names; a file that stays as it was is linked. Return the places."""
        number = {episode: new for new, episode in enumerate(kept)}
        ends = np.cumsum([self.found.rows[e].length for e in kept]).tolist()
        self.firsts = dict(zip(kept, [0, *ends]))
        places: dict[int, tuple[int, int]] = {}
        for file, group in groupby(sorted(kept, key=lambda e: (self.found.rows[e].file, e)), self._file):
            episodes = list(group)
            chunk, name = int(file.parent.name[6:]), int(file.stem[5:])
            places |= dict.fromkeys(episodes, (chunk, name))
            target = self.new / file.relative_to(self.root)
            rows = [self.found.rows[e] for e in episodes]
            same = all(number[e] == e and self.firsts[e] == self.found.rows[e].index for e in episodes)
            same &= all(r.table is None for r in rows)
            if same and file_rows(file) == sum(r.length for r in rows):
                _link(file, target)
                continue
            parts = []
            for episode in episodes:
                part = self._table(self.found.rows[episode])
                counters = {
                    "episode_index": np.full(len(part), number[episode]),
                    "index": self.firsts[episode] + np.arange(len(part)),
                }
                parts.append(tables.with_columns(part, counters, dict.fromkeys(counters, pa.int64())))
            kinds = parts[0].schema.with_metadata(parts[0].schema.metadata or self.kinds.metadata)
            durable.write_bytes(target, tables.parquet_bytes(pa.concat_tables(parts).cast(kinds)))
        self._last = None
        return places

    def _file(self, episode: int) -> Path:
        return self.found.rows[episode].file

    def _write_videos(self, camera: str, kept: list[int]) -> dict[int, Clip]:
        """Link whole files; of a cut one, copy the packets of the whole episodes. Return the places."""
        from collector.dataset.video import VideoJoiner, VideoReader

        clips = self.found.clips[camera]
        result: dict[int, Clip] = {}
        for file, group in groupby(kept, lambda e: clips[e].file):
            episodes = list(group)
            target = self.new / file.relative_to(self.root)
            if target.exists():
                raise DataError(f"{file} holds episodes out of order: it cannot be salvaged")
            if clips[episodes[0]].whole:
                _link(file, target)
                result |= {e: clips[e] for e in episodes}
                continue
            durable.make_folder(target.parent)
            joiner = VideoJoiner(target, self.info["fps"])
            with VideoReader(file, self.info["fps"]) as reader:
                for e in episodes:
                    from_s = clips[e].first / self.info["fps"]
                    result[e] = Clip(file, joiner.add(reader, from_s, self.found.rows[e].length), True)
            joiner.close()
            durable.sync_file(target)
            durable.sync_folder(target.parent)
        return result

    def _episode_table(
        self,
        kept: list[int],
        places: Mapping[int, tuple[int, int]],
        clips: Mapping[str, Mapping[int, Clip]],
        noted: Mapping[int, int],
        computed: Mapping[int, dict[str, stats.Stats]],
    ) -> pa.Table:
        fps, parts = self.info["fps"], []
        whole = self.found.table.schema if self.found.table.num_columns > 1 else None
        for new, episode in enumerate(kept):
            rows = self.found.rows[episode]
            row: dict[str, Any] = {
                "episode_index": new,
                "tasks": [self._task(t) for t in dict.fromkeys(self._task_index(rows))],
                "length": rows.length,
                "data/chunk_index": places[episode][0],
                "data/file_index": places[episode][1],
                "dataset_from_index": self.firsts[episode],
                "dataset_to_index": self.firsts[episode] + rows.length,
            }
            for camera, of in clips.items():
                clip = of[episode]
                row |= {
                    f"videos/{camera}/chunk_index": int(clip.file.parent.name[6:]),
                    f"videos/{camera}/file_index": int(clip.file.stem[5:]),
                    f"videos/{camera}/from_timestamp": clip.first / fps,
                    f"videos/{camera}/to_timestamp": (clip.first + rows.length) / fps,
                }
            counters = {
                "episode_index": stats.column_stats(np.full(rows.length, new)),
                "index": stats.counter_stats(self.firsts[episode], rows.length),
            }
            row |= stats.flatten({**computed.get(episode, {}), **counters})
            row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
            kinds = {"tasks": pa.list_(pa.string())}
            if episode in noted:
                old = self.found.table.slice(noted[episode], 1)
                kinds = {f.name: f.type for f in old.schema}
                part = tables.with_columns(
                    old, {name: [value] for name, value in row.items() if name in kinds}, kinds
                )
            else:
                part = pa.table({name: pa.array([value], kinds.get(name)) for name, value in row.items()})
                if whole is not None:
                    part = pa.table(
                        {
                            f.name: part[f.name].cast(f.type) if f.name in row else pa.nulls(1, f.type)
                            for f in whole
                        }
                    )
            parts.append(part)
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()

    def _task(self, index: int) -> str:
        """Return a task's words; where these are lost, those of a noted episode that flew it alone, or a stand-in."""
        while index >= len(self.tasks):
            missing = len(self.tasks)
            words = next(
                (
                    noted[0]
                    for episode, noted in self.found.tasks.items()
                    if len(noted) == 1
                    and episode in self.found.rows
                    and set(self._task_index(self.found.rows[episode])) == {missing}
                ),
                None,
            )
            if words is None:
                words = f"task {missing}"
                self.found.lost.append(f"the words of task {missing}: it is called '{words}' now")
            self.tasks.append(words)
        return self.tasks[index]

    def _write_meta(self, table: pa.Table) -> None:
        pattern = schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
        durable.write_bytes(self.new / pattern, tables.parquet_bytes(table))
        durable.write_bytes(self.new / tables.TASKS, tables.tasks_file(self.tasks))
        n_episodes, n_frames = table.num_rows, int(table["dataset_to_index"][-1].as_py())
        for camera in self.found.clips:
            if not self.features[camera].get("info"):
                from collector.dataset.video import video_info

                first = next(iter(sorted((self.new / "videos" / camera).glob("*/*.mp4"))))
                self.features[camera]["info"] = video_info(first)
        info = {
            **self.info,
            "total_episodes": n_episodes,
            "total_frames": n_frames,
            "total_tasks": len(self.tasks),
            "splits": {"train": f"0:{n_episodes}"},
        }
        running = RunningStats.of(self.new, info, table)
        durable.write_json(self.new / tables.STATS, stats.to_json(running.stats()))
        taken = [Taken(old, new) for new, old in enumerate(self.firsts)]
        carry_along(self.new, {self.root: taken})
        for folder in self.new.iterdir():
            if re.fullmatch(r"tmp[a-z0-9_]{8}", folder.name):
                shutil.rmtree(folder)  # a video that was being encoded
        link_tree(self.root / ".journal", self.new / ".journal")
        # Last, for a folder without it is no dataset.
        durable.write_json(self.new / tables.INFO, tables.info_to_json(info))

    def _check(self) -> None:
        """Read the result as anybody would, before it takes the original's place.

        Raises:
            DataError: If it is not what it should be: a defect, and the original stays where it is.
        """
        dataset = Dataset.open(self.new)
        dataset.check_files()
        files = sorted((self.new / "data").glob("*/*.parquet"))
        index = np.concatenate([tables.read_parquet(file, ["index"])["index"].to_numpy() for file in files])
        if not np.array_equal(index, np.arange(dataset.num_frames)):
            raise DataError(f"{self.root} cannot be put together: its rows are not in the episodes' order")


def _link(source: Path, target: Path) -> None:
    """Give a file that nobody changes in place a second name; a copy where the file system has no links."""
    durable.make_folder(target.parent)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
        durable.sync_file(target)
    durable.sync_folder(target.parent)
