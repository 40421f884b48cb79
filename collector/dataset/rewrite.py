"""Make a dataset of chosen episodes without encoding again: rows filtered, packets copied bit for bit, renumbered.

Files are merged to v3.0's usual sizes. Statistics are computed anew from the chosen frames. What the format does
not know is carried along: columns of the data and of the episode table, labels and scores, other files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import durable, schema, stats, tables
from collector.dataset.carry import carry_along, link_tree
from collector.dataset.reader import Dataset, rows_of
from collector.dataset.running import RunningStats
from collector.dataset.video import VideoJoiner, VideoReader
from collector.errors import DataError, UsageError

Progress = Callable[[int, int], None]

# lerobot compares times as float32 with a tolerance of 1e-4 s: up to here their spacing is below that.
VIDEO_FILE_S = 1000.0
_ROW_GROUP = 50_000
TAKEN_BACK = Path(".journal/taken_back")  # datasets of episodes that their pilot took back
TAKEN_BACK_LIST = Path(".journal/taken_back.json")  # flights that the next `compact` shall leave out


def copy_selection(
    src_root: str | Path, dst_root: str | Path, episodes: Sequence[int], progress: Progress | None = None
) -> Dataset:
    """Write the chosen episodes, in the order given and numbered from 0, as a new dataset; return it.

    Args:
        progress: Called with (episodes done, episodes in all).

    Raises:
        UsageError: If `dst_root` exists, or the episodes are none, repeated or not there.
        DataError: If the source is missing, half-written or damaged, or an episode's video begins without keyframe.
        OSError: If the disk refuses; nothing is then left behind.
    """
    dst = Path(dst_root)
    if dst.exists():
        raise UsageError(f"{dst} exists already: choose another folder, or remove it first")
    temporary = dst.with_name(f".{dst.name}.{os.getpid()}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _copy(Dataset.open(src_root), temporary, episodes, progress)
        os.replace(temporary, dst)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    durable.sync_folder(dst.parent)
    return Dataset.open(dst)


def compact(root: str | Path, without: Collection[int] = ()) -> bool:
    """Merge a dataset's many small files into few, in one step that a crash cannot split; return whether it did.

    Journals are kept. Nobody else may be writing to the dataset.

    Args:
        without: Episodes to leave out, not all there are. They go, as a dataset of their own, to
            `.journal/taken_back/<n>`, and the list of what is taken back is done with.

    Raises:
        DataError: If there is no whole dataset.
        UsageError: If no episode would be left.
        OSError: If the disk refuses; the dataset is then as before.
    """
    root = Path(root)
    durable.finish_exchange(root)
    beside = root.with_name(f".{root.name}.compact")
    shutil.rmtree(beside, ignore_errors=True)
    dataset = Dataset.open(root)
    if not without and not _mergeable(dataset):
        return False
    try:
        kept = [episode for episode in range(dataset.num_episodes) if episode not in without]
        _copy(dataset, beside, kept, None)
        link_tree(root / ".journal", beside / ".journal")
        if without:
            number = len([*(beside / TAKEN_BACK).glob("*")])
            copy_selection(root, beside / TAKEN_BACK / str(number), sorted(without))
            (beside / TAKEN_BACK_LIST).unlink(missing_ok=True)
        durable.exchange(beside, root)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return True


def _mergeable(dataset: Dataset) -> bool:
    """Whether packing the files anew would give fewer of them."""
    info, frames = dataset.info, dict.fromkeys(dataset.data_files, 0)
    kinds = [(frames, info.get("data_files_size_in_mb", schema.DATA_FILE_MB), float("inf"))]
    kinds.append((dict.fromkeys(tables.episode_files(dataset.root), 0), schema.DATA_FILE_MB, float("inf")))
    for camera in schema.video_keys(dataset.features):
        in_file: dict[Path, int] = {}
        for episode, length in enumerate(dataset.lengths().tolist()):
            path = dataset.video_place(episode, camera)[0]
            in_file[path] = in_file.get(path, 0) + length
        limit = info.get("video_files_size_in_mb", schema.VIDEO_FILE_MB)
        kinds.append((in_file, limit, VIDEO_FILE_S * dataset.fps))
    for files, limit_mb, limit_frames in kinds:
        packed, size, length = 1, 0, 0
        for path, n_frames in files.items():
            size, length = size + path.stat().st_size, length + n_frames
            if size > limit_mb * 2**20 or length > limit_frames:
                packed, size, length = packed + 1, path.stat().st_size, n_frames
        if packed < len(files):
            return True
    return False


def _copy(source: Dataset, root: Path, episodes: Sequence[int], progress: Progress | None) -> None:
    chosen = [int(e) for e in episodes]
    if not chosen:
        raise UsageError("no episode is chosen: a dataset needs at least one")
    if len(set(chosen)) != len(chosen):
        raise UsageError("an episode is chosen twice: each may be taken once")
    source.lengths(chosen)
    cameras = schema.video_keys(source.features)
    steps = len(chosen) * (1 + len(cameras))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done // (1 + len(cameras)), steps // (1 + len(cameras)))

    tasks, data_places = _copy_data(source, root, chosen, step)
    video_places = {camera: _copy_video(source, root, camera, chosen, step) for camera in cameras}
    durable.write_bytes(root / tables.TASKS, tables.tasks_file(tasks))
    table = _episode_table(source, chosen, data_places, video_places, tasks)
    durable.write_bytes(
        root / schema.EPISODES_PATH.format(chunk_index=0, file_index=0), tables.parquet_bytes(table)
    )
    info = {
        **source.info,
        "data_path": schema.DATA_PATH,
        "video_path": schema.VIDEO_PATH if cameras else source.info.get("video_path"),
        "total_episodes": len(chosen),
        "total_frames": int(source.lengths(chosen).sum()),
        "total_tasks": len(tasks),
        "splits": {"train": f"0:{len(chosen)}"},
    }
    exact = RunningStats.of(root, info, table).stats()
    durable.write_json(root / tables.STATS, stats.to_json(exact))
    carry_along(source.root, root, chosen)
    durable.write_json(root / tables.INFO, tables.info_to_json(info))


def _copy_data(
    source: Dataset, root: Path, chosen: list[int], step: Callable[[], None]
) -> tuple[list[str], list[tuple[int, int]]]:
    """Copy the rows; return the tasks in use, in their order, and each episode's file."""
    chunk_size = source.info.get("chunks_size", schema.CHUNK_SIZE)
    limit = source.info.get("data_files_size_in_mb", schema.DATA_FILE_MB) * 2**20
    lengths = source.lengths(chosen)
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    used = sorted(set(source.columns(["task_index"], chosen)["task_index"].tolist()))
    if used and used[-1] >= len(source.tasks):
        raise DataError(
            f"{source.root}: task {used[-1]} is not in {tables.TASKS}, which has {len(source.tasks)}"
        )
    new_task = np.zeros(max(used, default=0) + 1, np.int64)
    new_task[used] = np.arange(len(used))
    places: list[tuple[int, int]] = []
    pending: list[pa.Table] = []
    writer: pq.ParquetWriter | None = None
    kinds: pa.Schema | None = None
    path, ordinal = Path(), -1
    loaded: tuple[Path, pa.Table, np.ndarray] = (Path(), pa.table({}), np.empty(0))
    for new, episode in enumerate(chosen):
        file = source.data_files[episode]
        if loaded[0] != file:
            table = tables.read_parquet(file)
            loaded = (file, table, table["episode_index"].to_numpy())
        at = rows_of(loaded[2], episode, int(lengths[new]), file)
        rows = loaded[1].slice(at.start, len(at)) if isinstance(at, range) else loaded[1].take(pa.array(at))
        counter = {"episode_index": np.full(len(rows), new), "index": firsts[new] + np.arange(len(rows))}
        counter["task_index"] = new_task[rows["task_index"].to_numpy()]
        rows = tables.with_columns(rows, counter, {name: pa.int64() for name in counter})
        kinds = kinds or loaded[1].schema
        if writer is None:
            ordinal += 1
            path = root / schema.DATA_PATH.format(
                chunk_index=ordinal // chunk_size, file_index=ordinal % chunk_size
            )
            durable.make_folder(path.parent)
            writer = pq.ParquetWriter(path, kinds, compression="snappy", use_dictionary=True)
        pending.append(rows.cast(kinds))
        places.append(tables.place(ordinal, chunk_size))
        last = new == len(chosen) - 1
        if last or sum(len(part) for part in pending) >= _ROW_GROUP:
            writer.write_table(pa.concat_tables(pending).combine_chunks())
            pending = []
            if last or path.stat().st_size >= limit:
                writer.close()
                durable.sync_file(path)
                writer = None
        step()
    return [source.tasks[t] for t in used], places


def _copy_video(
    source: Dataset, root: Path, camera: str, chosen: list[int], step: Callable[[], None]
) -> list[tuple[int, int, float, float]]:
    """Copy a camera's packets; return each episode's chunk and file index and its first and last time [s]."""
    chunk_size = source.info.get("chunks_size", schema.CHUNK_SIZE)
    limit = source.info.get("video_files_size_in_mb", schema.VIDEO_FILE_MB) * 2**20
    places: list[tuple[int, int, float, float]] = []
    reader: VideoReader | None = None
    joiner: VideoJoiner | None = None
    ordinal = -1
    try:
        for episode, length in zip(chosen, source.lengths(chosen).tolist()):
            path, from_s = source.video_place(episode, camera)
            if reader is None or reader.path != path:
                if reader is not None:
                    reader.close()
                reader = VideoReader(path, source.fps)
            full = joiner is not None and (
                joiner.n_bytes * (1 + length / max(1, joiner.n_frames)) > limit
                or (joiner.n_frames + length) / source.fps > VIDEO_FILE_S
                or (joiner.format is not None and joiner.format != reader.format())
            )
            if joiner is not None and full:
                joiner.close()
                durable.sync_file(joiner.path)
                joiner = None
            if joiner is None:
                ordinal += 1
                chunk, file = tables.place(ordinal, chunk_size)
                target = root / schema.VIDEO_PATH.format(video_key=camera, chunk_index=chunk, file_index=file)
                durable.make_folder(target.parent)
                joiner = VideoJoiner(target, source.fps)
            first = joiner.add(reader, from_s, length)
            chunk, file = tables.place(ordinal, chunk_size)
            places.append((chunk, file, first / source.fps, (first + length) / source.fps))
            step()
    finally:
        if reader is not None:
            reader.close()
        if joiner is not None:
            joiner.close()
    if joiner is not None:
        durable.sync_file(joiner.path)
    return places


def _episode_table(
    source: Dataset,
    chosen: list[int],
    data_places: list[tuple[int, int]],
    video_places: dict[str, list[tuple[int, int, float, float]]],
    tasks: list[str],
) -> pa.Table:
    n = len(chosen)
    table = tables.read_episodes(source.root, with_stats=True).take(pa.array(chosen))
    lengths = source.lengths(chosen)
    ends = np.cumsum(lengths)
    columns: dict[str, Any] = {
        "episode_index": range(n),
        "data/chunk_index": [place[0] for place in data_places],
        "data/file_index": [place[1] for place in data_places],
        "dataset_from_index": ends - lengths,
        "dataset_to_index": ends,
        "meta/episodes/chunk_index": [0] * n,
        "meta/episodes/file_index": [0] * n,
    }
    kinds = {name: pa.int64() for name in columns}
    for camera, places in video_places.items():
        names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
        for at, name in enumerate(names):
            columns[f"videos/{camera}/{name}"] = [place[at] for place in places]
            kinds[f"videos/{camera}/{name}"] = pa.int64() if at < 2 else pa.float64()
    firsts = {"index": (ends - lengths, lengths), "episode_index": (np.arange(n), np.ones(n, int))}
    for name, (first, count) in firsts.items():
        rows = [stats.counter_stats(int(f), int(c)) for f, c in zip(first, count)]
        for key in ("min", "max", "mean", *stats.QUANTILES):
            if f"stats/{name}/{key}" in table.column_names:
                columns[f"stats/{name}/{key}"] = [row[key].tolist() for row in rows]
    if {"stats/task_index/min", "stats/task_index/max"} <= set(
        table.column_names
    ) and "tasks" in table.column_names:
        of = [[tasks.index(t) for t in words if t in tasks] for words in table["tasks"].to_pylist()]
        for key in ("min", "max", "mean", *stats.QUANTILES):
            column = f"stats/task_index/{key}"
            # With several tasks in an episode only their order is known here: its own figures stay.
            old = table[column].to_pylist() if column in table.column_names else [None] * n
            columns[column] = [[float(t[0])] if len(t) == 1 else o for t, o in zip(of, old)]
    return tables.with_columns(table, columns, kinds)
