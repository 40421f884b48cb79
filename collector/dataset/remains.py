"""What a crash of another recorder left of a dataset: whole rows, whole videos, and which episode they belong to.

lerobot writes an episode's rows first, then joins its video to the camera's last file, then notes the episode in a
table that reaches the disk every ten episodes. So rows may be there without video and without a note, never
the other way round. Source: lerobot 0.6.1, `datasets/dataset_writer.py`, `save_episode`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import schema, tables
from collector.dataset.parquet_salvage import read_row_groups
from collector.dataset.stats import QUANTILES
from collector.errors import DataError

_COUNTERS = ("episode_index", "frame_index", "timestamp", "index", "task_index")
_TIME_S = 1e-4  # lerobot's own tolerance
_MOMENTS = ("min", "max", "mean", "std", "count")


@dataclass(frozen=True)
class Rows:
    """An episode's whole rows.

    Attributes:
        file: The data file they lie in.
        start: Their first row in it, or in `table`.
        length: Their number.
        index: The first one's `index`: frames recorded before this episode.
        table: The row group, where the file has no footer.
    """

    file: Path
    start: int
    length: int
    index: int
    table: pa.Table | None = None


@dataclass(frozen=True)
class Clip:
    """Where an episode's pictures lie: file, first frame there, and whether the file is whole."""

    file: Path
    first: int
    whole: bool


@dataclass
class Remains:
    """All that was found.

    Attributes:
        rows: By episode.
        clips: By camera and episode.
        table: The episodes noted in whole files of the episode table, with all columns.
        tasks: The tasks in words of every noted episode.
        lost: What is not there, in words.
    """

    rows: dict[int, Rows]
    clips: dict[str, dict[int, Clip]]
    table: pa.Table
    tasks: dict[int, list[str]]
    lost: list[str] = field(default_factory=list)


def examine(root: Path, info: Mapping[str, Any]) -> Remains:
    """Look at every file of a dataset that does not open; changes nothing.

    Args:
        info: `meta/info.json`, with shapes as tuples.

    Raises:
        DataError: If a column's type is not known, so that rows cannot be told apart.
        OSError: If the disk refuses.
    """
    lost: list[str] = []
    rows, repeated = _find_rows(root, info, lost)
    table, places = _find_notes(root, info)
    clips: dict[str, dict[int, Clip]] = {}
    for camera in schema.video_keys(info["features"]):
        known = {
            e: place for e, row in places.items() if (place := _place(row, camera, info, root)) is not None
        }
        clips[camera] = _find_clips(root, info, camera, rows, known, repeated, lost)
    n_saved = int(info.get("total_episodes", 0))
    for episode in range(max([n_saved, *(e + 1 for e in rows)])):
        without = [camera for camera in clips if episode not in clips[camera]]
        if episode not in rows:
            lost.append(f"episode {episode}: its rows are not on the disk, or damaged")
        elif without:
            lost.append(f"episode {episode}: no whole video of {', '.join(without)}")
            del rows[episode]
    lost += _unsaved(root)
    tasks = {e: row["tasks"] for e, row in places.items() if row.get("tasks")}
    return Remains(rows, clips, table, tasks, lost)


def arrow_schema(features: schema.Features) -> tuple[pa.Schema, list[int | None]]:
    """Return the columns of lerobot's data files, and the values a row of each, where the shape tells.

    Source: lerobot 0.6.1, `get_hf_features_from_features`, and `datasets` 4.8, which stores arrays as nested lists.

    Raises:
        DataError: If a column's type is not known.
    """
    fields, per_row = [], []
    described: dict[str, dict[str, Any]] = {}
    for name, feature in features.items():
        dtype, shape = feature["dtype"], tuple(feature["shape"])
        if dtype == "video":
            continue
        if dtype == "image":
            kind: pa.DataType = pa.struct({"bytes": pa.binary(), "path": pa.string()})
            described[name] = {"_type": "Image"}
        elif len(shape) > 1:
            kind = schema.arrow_type({"dtype": dtype, "shape": (1,)})
            for _ in shape:
                kind = pa.list_(kind)
            described[name] = {"shape": list(shape), "dtype": dtype, "_type": f"Array{len(shape)}D"}
        elif dtype == "language":
            raise DataError(f"column '{name}' holds language annotations, which cannot be salvaged yet")
        else:
            kind = schema.arrow_type(feature)
            value = {"dtype": dtype, "_type": "Value"}
            described[name] = (
                value if shape == (1,) else {"feature": value, "length": shape[0], "_type": "List"}
            )
        fields.append((name, kind))
        per_row.append(int(np.prod(shape)) if len(shape) > 1 and dtype != "image" else None)
    metadata = {"huggingface": json.dumps({"info": {"features": described}})}
    return pa.schema(fields).with_metadata(metadata), per_row


def _find_rows(root: Path, info: Mapping[str, Any], lost: list[str]) -> tuple[dict[int, Rows], set[int]]:
    """Return the episodes whose rows are whole, and those of which there is more than one copy."""
    kinds, per_row = arrow_schema(info["features"])
    found: dict[int, Rows] = {}
    repeated: set[int] = set()
    for path in sorted((root / "data").glob("*/*.parquet")):
        groups: list[tuple[pa.Table, bool]]
        try:
            groups = [(tables.read_parquet(path, _COUNTERS), True)]
        except DataError:
            parts, rest = read_row_groups(path, kinds, per_row)
            groups = [(part, False) for part in parts]
            if rest:
                lost.append(f"{rest:,} bytes of {path.relative_to(root)} are no whole rows")
        for table, closed in groups:
            for episode, rows in _episodes_in(table, path, closed, info["fps"]):
                if rows is None:
                    lost.append(
                        f"episode {episode}: its rows in {path.relative_to(root)} are not one sequence"
                    )
                    continue
                if episode in found:
                    # A save that failed and was tried again leaves its rows twice; only the last one can count.
                    repeated.add(episode)
                found[episode] = rows
    return dict(sorted(found.items())), repeated


def _episodes_in(table: pa.Table, path: Path, closed: bool, fps: float) -> Iterator[tuple[int, Rows | None]]:
    counters = {name: schema.to_numpy(table[name]) for name in _COUNTERS}
    of_row = counters["episode_index"]
    begins = np.flatnonzero(np.diff(of_row, prepend=-1) | (counters["frame_index"] == 0))
    for start, end in zip(begins.tolist(), [*begins.tolist()[1:], len(of_row)]):
        frame = np.arange(end - start)
        sound = (counters["frame_index"][start:end] == frame).all()
        sound &= (counters["index"][start:end] == counters["index"][start] + frame).all()
        sound &= (np.abs(counters["timestamp"][start:end] - frame / fps) < _TIME_S + frame / fps * 1e-6).all()
        sound &= of_row[start] >= 0 and counters["index"][start] >= 0
        rows = Rows(path, start, end - start, int(counters["index"][start]), None if closed else table)
        yield int(of_row[start]), rows if sound else None


def _find_notes(root: Path, info: Mapping[str, Any]) -> tuple[pa.Table, dict[int, dict[str, Any]]]:
    """Return the whole files of the episode table, and the rows of all, those of broken files without statistics."""
    whole, places = [], {}
    for path in tables.episode_files(root):
        try:
            table = tables.read_parquet(path)
            whole.append(table.replace_schema_metadata(None))
            noted = table.select([n for n in table.column_names if not n.startswith("stats/")])
        except DataError:
            noted = _broken_notes(path, root, info)
        for row in noted.to_pylist():
            places[row["episode_index"]] = row
    if not whole:
        return pa.table({"episode_index": pa.array([], pa.int64())}), places
    return pa.concat_tables(whole, promote_options="permissive").sort_by("episode_index"), places


def _broken_notes(path: Path, root: Path, info: Mapping[str, Any]) -> pa.Table:
    """Read a file of the episode table that lerobot did not close, but for its statistics."""
    videos = schema.video_keys(info["features"])
    first = ["data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"]
    fields: list[tuple[str, pa.DataType]] = [
        ("episode_index", pa.int64()),
        ("tasks", pa.list_(pa.string())),
        ("length", pa.int64()),
        *((name, pa.int64()) for name in first),
    ]
    for camera in videos:
        kinds = {"chunk_index": pa.int64(), "file_index": pa.int64()}
        kinds |= {"from_timestamp": pa.float64(), "to_timestamp": pa.float64()}
        fields += [(f"videos/{camera}/{name}", kind) for name, kind in kinds.items()]
    leading = [name for name, _ in fields]
    names: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        noted = json.loads((root / tables.STATS).read_text(encoding="utf-8"))
        names = {key: list(value) for key, value in noted.items()}
    for key, feature in info["features"].items():
        if feature["dtype"] not in ("string", "language"):
            # Which statistic a column holds is not looked at: only their number matters here.
            for name in names.get(key, [*_MOMENTS, *QUANTILES]):
                fields.append((f"stats/{key}/{name}", pa.list_(pa.float64())))
    fields += [("meta/episodes/chunk_index", pa.int64()), ("meta/episodes/file_index", pa.int64())]
    groups, _ = read_row_groups(path, pa.schema(fields), columns=leading)
    sound = [group for group in groups if _plausible(group)]
    return pa.concat_tables(sound) if sound else pa.schema(fields[:1]).empty_table()


def _plausible(notes: pa.Table) -> bool:
    episode, length, first, end = (
        notes[name].to_numpy()
        for name in ("episode_index", "length", "dataset_from_index", "dataset_to_index")
    )
    return bool((np.diff(episode) == 1).all() and (first + length == end).all() and (length > 0).all())


def _place(
    row: Mapping[str, Any], camera: str, info: Mapping[str, Any], root: Path
) -> tuple[Path, int, int] | None:
    """Return file, first and last frame + 1 of an episode's pictures as they were noted."""
    names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    chunk, file, start, end = (row.get(f"videos/{camera}/{name}") for name in names)
    if chunk is None or file is None or start is None or end is None:
        return None
    path = root / (info.get("video_path") or schema.VIDEO_PATH).format(
        video_key=camera, chunk_index=int(chunk), file_index=int(file)
    )
    return path, round(start * info["fps"]), round(end * info["fps"])


def _find_clips(
    root: Path,
    info: Mapping[str, Any],
    camera: str,
    rows: Mapping[int, Rows],
    known: Mapping[int, tuple[Path, int, int]],
    repeated: set[int],
    lost: list[str],
) -> dict[int, Clip]:
    """Place each episode in its camera's files: as noted, else one after the other by their lengths.

    Frames that the lengths do not explain (pictures that were dropped, a save that failed) make every place counted
    since the last note doubtful, so these episodes are given up rather than shown with another one's pictures.
    """
    frames = {p: count_frames(p, info["fps"]) for p in sorted((root / "videos" / camera).glob("*/*.mp4"))}
    lost += [
        f"{path.relative_to(root)} is cut: {readable} of its {total} frames can be read"
        for path, (total, readable) in frames.items()
        if readable < total or not total
    ]
    files = list(frames)
    at, position = 0, 0
    clips: dict[int, Clip] = {}
    counted: list[int] = []  # placed in the present file without a note
    adrift = False

    def give_up(why: str) -> None:
        nonlocal adrift
        lost.append(
            f"{camera}: {why}, so that it cannot be told which episode its frames belong to since "
            f"episode {counted[0] if counted else episode}"
        )
        for doubtful in counted:
            clips.pop(doubtful, None)
        counted.clear()
        adrift = True

    episode, previous_end = 0, 0
    for episode, of in rows.items():
        if episode in known:
            path, first, end = known[episode]
            if path not in frames:
                continue
            at, position, adrift = files.index(path), first, False
            counted.clear()
            if end - first != of.length:
                lost.append(
                    f"episode {episode}: {end - first} of its {of.length} pictures of {camera} were recorded"
                )
                position, previous_end = end, of.index + of.length
                continue
        elif not adrift:
            if episode in repeated:
                # What the failed save left of its video, if anything, lies from here on.
                counted.clear()
                give_up(f"a save of episode {episode} failed and was tried again")
                continue
            position += max(0, of.index - previous_end)  # episodes in between whose rows are lost
            while at < len(files) and position >= frames[files[at]][0]:
                if position > frames[files[at]][0] or frames[files[at]][0] == 0:
                    break
                at, position = at + 1, 0
                counted.clear()
            if at >= len(files):
                adrift = True
                continue
            if position + of.length > frames[files[at]][0]:
                give_up(
                    f"{files[at].name} holds {frames[files[at]][0]} frames, not a whole number of episodes"
                )
                continue
            counted.append(episode)
        if adrift:
            continue
        total, readable = frames[files[at]]
        if position + of.length <= readable:
            clips[episode] = Clip(files[at], position, readable == total)
        position, previous_end = position + of.length, of.index + of.length
    return clips


def count_frames(path: Path, fps: float) -> tuple[int, int]:
    """Return how many frames a video says it has, and how many from its beginning on are whole; (0, 0) if none."""
    from collector.dataset.video import VideoReader  # FFmpeg: only datasets with cameras pay for it

    shown: set[int] = set()
    try:
        with VideoReader(path, fps) as reader:
            for packet in reader.stream.container.demux(reader.stream):
                if packet.size == 0 or packet.is_corrupt or packet.pts is None:
                    break
                shown.add(round(float(packet.pts * packet.time_base) * fps))
            total = int(reader.stream.frames)
    except (DataError, OSError):
        return 0, 0
    readable = next(n for n in range(len(shown) + 1) if n not in shown)
    return max(total, readable), readable


def _unsaved(root: Path) -> list[str]:
    """Say what there is of an episode that was being recorded or saved."""
    counts: dict[str, dict[str, int]] = {}
    for folder in sorted((root / "images").glob("*/episode-*")):
        if n_pictures := sum(1 for file in folder.iterdir() if file.is_file()):
            counts.setdefault(folder.name[8:], {})[folder.parent.name] = n_pictures
    found = [
        f"pictures without rows or video, in images/, of episode {int(number)}: "
        + ", ".join(f"{n} of {camera}" for camera, n in by_camera.items())
        for number, by_camera in counts.items()
    ]
    videos = sorted(path for folder in root.glob("tmp*") for path in folder.glob("*.mp4"))
    return found + [f"{path.relative_to(root)}, a video that was being encoded" for path in videos]


def file_rows(file: Path) -> int:
    """Return the number of rows of a whole parquet file."""
    return int(pq.read_metadata(file).num_rows)
