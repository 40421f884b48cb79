"""Make datasets of others without encoding again: rows filtered, packets copied bit for bit, renumbered.

Every edit is a list of spans, written in order as the new episodes: some episodes, parts of them, those of several
sets. Files are merged to v3.0's usual sizes. Statistics are computed anew from the frames taken. What the format
does not know is carried along: columns of the data and of the episode table, labels and scores, other files.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from collector.dataset import durable, schema, span_videos, stats, tables
from collector.dataset.carry import carry_along, link_tree
from collector.dataset.carry_labels import Taken
from collector.dataset.reader import Dataset
from collector.dataset.running import RunningStats
from collector.dataset.span_rows import copy_rows
from collector.dataset.span_table import episode_table
from collector.dataset.spans import Changes, Span, check_spans, sources_of, whole_episodes
from collector.errors import UsageError

Progress = Callable[[int, int], None]

TAKEN_BACK = Path(".journal/taken_back")  # datasets of episodes that their pilot took back
TAKEN_BACK_LIST = Path(".journal/taken_back.json")  # flights that the next `compact` shall leave out


def note_taken_back(root: Path, flight_ids: Sequence[str]) -> None:
    """Note which flights the next `compact` shall leave out, in place of what was noted before.

    May be called while flights are being saved: it shares no folder of temporary files with a save, which empties its
    own when it is done.

    Raises:
        OSError: If the disk refuses; what was noted before then stands.
    """
    durable.write_json(root / TAKEN_BACK_LIST, {"flight_ids": [*flight_ids]})


def copy_selection(
    src_root: str | Path, dst_root: str | Path, episodes: Sequence[int], progress: Progress | None = None
) -> Dataset:
    """Write the chosen episodes, in the order given and numbered from 0, as a new dataset; return it.

    Args:
        progress: Called with (episodes done, episodes in all).

    Raises:
        UsageError: If `dst_root` exists, or the episodes are none, repeated or not there.
        DataError: If the source is missing, half-written or damaged.
        OSError: If the disk refuses; nothing is then left behind.
    """
    with _new_folder(Path(dst_root)) as folder:
        spans = whole_episodes(Dataset.open(src_root), episodes)
        _write(folder, spans, Changes(), {}, progress)
    return Dataset.open(dst_root)


def write_spans(
    dst_root: str | Path,
    spans: Sequence[Span],
    changes: Changes | None = None,
    files: Mapping[Path, bytes] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Write spans, in the order given and numbered from 0, as a new dataset; return it.

    Args:
        changes: Features, tasks or robot type that become others.
        files: Further files of the new dataset, by relative path.
        progress: Called with (episodes done, episodes in all).

    Raises:
        UsageError: If `dst_root` exists or lies in a source, or the spans are none or repeated.
        MismatchError: If the sources differ in frame rate or in a feature that is taken.
        DataError: If a source is damaged.
        OSError: If the disk refuses; nothing is then left behind.
    """
    dst = Path(dst_root)
    with _new_folder(dst, spans) as folder:
        _write(folder, spans, changes or Changes(), files or {}, progress)
    return Dataset.open(dst)


def write_sets(
    dst_root: str | Path,
    sets: Mapping[str, tuple[Sequence[Span], Mapping[Path, bytes]]],
    progress: Progress | None = None,
) -> dict[str, Dataset]:
    """Write several datasets, `dst_root/<name>`, all of them or none; return them by name.

    Args:
        sets: The spans and further files of each, by name.

    Raises:
        As `write_spans`.
    """
    dst = Path(dst_root)
    every = [span for spans, _ in sets.values() for span in spans]
    done = 0
    with _new_folder(dst, every) as folder:
        for name, (spans, files) in sets.items():
            before = done

            def say(count: int, _: int, before: int = before) -> None:
                if progress:
                    progress(before + count, len(every))

            _write(folder / name, spans, Changes(), files, say)
            done += len(spans)
    return {name: Dataset.open(dst / name) for name in sets}


@contextlib.contextmanager
def _new_folder(dst: Path, spans: Sequence[Span] = ()) -> Iterator[Path]:
    """Give a temporary folder that takes its place at `dst` when the block ends well, and else vanishes.

    Raises:
        UsageError: If `dst` exists or lies in a source.
    """
    if dst.exists():
        raise UsageError(f"{dst} exists already: choose another folder, or remove it first")
    for source in sources_of(spans):
        if source.root.resolve() in dst.resolve().parents:
            raise UsageError(f"{dst} lies in the dataset {source.root}: choose a folder outside of it")
    _sweep(dst)
    temporary = dst.with_name(f".{dst.name}.{os.getpid()}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    durable.make_folder(temporary)
    try:
        with _held(temporary):
            yield temporary
            os.replace(temporary, dst)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    durable.sync_folder(dst.parent)


def _sweep(dst: Path) -> None:
    """Remove what killed writers of the same folder left: folders that nobody holds."""
    for left in dst.parent.glob(f".{glob.escape(dst.name)}.*.partial"):
        with contextlib.suppress(OSError), _held(left):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder until the block or the process ends.

    Raises:
        OSError: If somebody else does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


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
        _write(beside, whole_episodes(dataset, kept), Changes(), {}, None)
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
        kinds.append((in_file, limit, span_videos.VIDEO_FILE_S * dataset.fps))
    for files, limit_mb, limit_frames in kinds:
        packed, size, length = 1, 0, 0
        for path, n_frames in files.items():
            size, length = size + path.stat().st_size, length + n_frames
            if size > limit_mb * 2**20 or length > limit_frames:
                packed, size, length = packed + 1, path.stat().st_size, n_frames
        if packed < len(files):
            return True
    return False


def _write(
    root: Path,
    spans: Sequence[Span],
    changes: Changes,
    files: Mapping[Path, bytes],
    progress: Progress | None,
) -> None:
    check_spans(spans, changes)
    sources = sources_of(spans)
    names = {source: changes.new_names(source) for source in sources}
    features = {new: sources[0].features[old] for old, new in names[sources[0]].items()}
    features |= {name: added.feature for name, added in changes.added.items()}
    features = _at_rate(features, spans[0].fps) if spans[0].step > 1 else features
    cameras = schema.video_keys(features)
    old_names = {
        camera: {source: old for source in sources for old, new in names[source].items() if new == camera}
        for camera in schema.camera_keys(features)
    }
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done // (1 + len(cameras)), len(spans))

    rows = copy_rows(root, spans, changes, step)
    videos = {
        camera: span_videos.copy_videos(root, spans, camera, old_names[camera], step) for camera in cameras
    }
    for number, span in enumerate(spans):
        if not span.whole:
            for camera, old in old_names.items():
                rows.stats[number][camera] = span_videos.picture_stats(span, old[span.source])
    durable.write_bytes(root / tables.TASKS, tables.tasks_file(rows.tasks))
    table = episode_table(spans, changes, rows, videos)
    durable.write_bytes(
        root / schema.EPISODES_PATH.format(chunk_index=0, file_index=0), tables.parquet_bytes(table)
    )
    info = {key: value for source in reversed(sources) for key, value in source.info.items()}
    info |= {
        "data_path": schema.DATA_PATH,
        "video_path": schema.VIDEO_PATH if cameras else sources[0].info.get("video_path"),
        "total_episodes": len(spans),
        "total_frames": sum(len(span) for span in spans),
        "total_tasks": len(rows.tasks),
        "splits": {"train": f"0:{len(spans)}"},
        "features": features,
        **({"fps": spans[0].fps} if spans[0].step > 1 else {}),
    }
    if changes.robot_type is not None:
        info["robot_type"] = changes.robot_type
    exact = RunningStats.of(root, info, table).stats()
    durable.write_json(root / tables.STATS, stats.to_json(exact))
    taken: dict[Path, list[Taken]] = {source.root: [] for source in sources}
    for new, span in enumerate(spans):
        uncut = (span.from_frame, span.to_frame) == (0, span.length)
        part = None if uncut else (span.from_frame, span.to_frame)
        taken[span.source.root].append(Taken(span.episode, new, part, span.step))
    carry_along(root, taken, changes.tasks)
    for name, content in files.items():
        durable.write_bytes(root / name, content)
    durable.write_json(root / tables.INFO, tables.info_to_json(info))


def _at_rate(features: schema.Features, fps: float) -> schema.Features:
    """Return features whose cameras are noted to have so many frames a second [Hz]."""
    changed = {}
    for name, feature in features.items():
        about = feature.get("info") or {}
        if "video.fps" in about:
            feature = {**feature, "info": {**about, "video.fps": fps}}
        changed[name] = feature
    return changed
