"""One grey pass over an episode's video: some numbers a frame, so that pictures never leave the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import DataError
from curation.cache import Cache, checks_version, digest
from curation.engines import LOCAL, Engine, each
from curation.frames import Block, Series
from curation.grey import video_series
from curation.remembered import series_arrays, series_from

AT_ONCE_FRAMES = 600
"""Pictures of one camera that are decoded, and remembered, together."""


@dataclass(frozen=True)
class Pictures:
    """What the pass saw.

    Attributes:
        series: Of each episode the series by camera; empty where the video was not looked at.
        keys: Of each episode a hash of its pictures as they are stored; "" where it was not looked at.
    """

    series: Mapping[int, Series]
    keys: list[str]

    def added_to(self, block: Block) -> Block:
        """Return the block with the series of its episodes."""
        return replace(block, video={e: self.series[e] for e in block.episodes if e in self.series})


def pictures_of(
    dataset: Dataset, cache: Cache, jobs: int, say: Callable[[str, int, int], None], engine: Engine = LOCAL
) -> Pictures:
    """Decode what was not decoded before, and keep it.

    Args:
        dataset: The dataset.
        cache: Where it is kept.
        jobs: Processes.
        say: Called with the phase's name, episodes done, and their number.
        engine: Who decodes.
    """
    _opened.cache_clear()
    group = f"pictures-{checks_version()}"
    keys = picture_keys(dataset)
    known: Series = {}
    n_parts = 0
    for part_keys, arrays in cache.parts(group):
        n_parts += 1
        try:
            known |= series_from(part_keys, arrays)
        except ValueError:
            continue
    missing = [e for e in range(len(keys)) if any(key not in known for key in keys[e].values())]
    lengths = dataset.lengths()
    works: list[tuple[Path, list[int]]] = []
    frames = AT_ONCE_FRAMES
    for episode in missing:
        if frames >= AT_ONCE_FRAMES:
            works.append((dataset.root.resolve(), []))
            frames = 0
        works[-1][1].append(episode)
        frames += int(lengths[episode])
    done = len(keys) - len(missing)
    for number, found in each(_look, works, jobs, engine):
        new = {keys[e][camera]: one for e, series in found.items() for camera, one in series.items()}
        known |= new
        # What could not be read may be another time, when the file was restored under the same name.
        whole = {key: one for key, one in new.items() if "broken" not in one}
        if whole:
            cache.add(group, list(whole), series_arrays(whole))
        done += len(works[number][1])
        say("video", done, len(keys))
    used = {key: known[key] for cameras in keys for key in cameras.values() if "broken" not in known[key]}
    if n_parts + len(works) > 1 or used.keys() != known.keys():
        cache.replace(group, list(used), series_arrays(used))
    cache.sweep("pictures-", group)
    return Pictures(
        {e: {camera: known[key] for camera, key in keys[e].items()} for e in range(len(keys))},
        [digest(f"{camera}={key}".encode() for camera, key in sorted(cameras.items())) for cameras in keys],
    )


def picture_keys(dataset: Dataset) -> list[dict[str, str]]:
    """Return a hash of each episode's pictures as they are stored, by camera; nothing is decoded.

    Of a video these are its packets and their times, wherever in whatever file they lie; of single images the
    data file that holds them.
    """
    from collector.dataset.video import VideoReader  # FFmpeg: only who looks at pictures pays for it

    result: list[dict[str, str]] = [{} for _ in range(dataset.num_episodes)]
    lengths, files = dataset.lengths(), dict[Path, str]()
    for camera in dataset.camera_keys:
        if camera not in schema.video_keys(dataset.features):
            for episode, path in enumerate(dataset.data_files):
                if path not in files:
                    files[path] = digest([path.read_bytes()])
                result[episode][camera] = digest([files[path].encode(), f"{episode} {camera}".encode()])
            continue
        opened: Path | None = None
        with ExitStack() as stack:
            for episode, length in enumerate(lengths.tolist()):
                try:
                    path, from_s = dataset.video_place(episode, camera)
                    if path != opened:
                        stack.close()
                        opened = None
                        reader = stack.enter_context(VideoReader(path, dataset.fps))
                        opened = path
                    seen = (
                        part
                        for packet, frame, _ in reader.packets(from_s, length)
                        for part in (str(frame).encode(), memoryview(packet))
                    )
                    result[episode][camera] = digest([str(length).encode(), *map(bytes, seen)])
                except (DataError, TypeError):
                    result[episode][camera] = digest([f"broken {episode} {camera}".encode()])
    return result


def _look(work: tuple[Path, list[int]]) -> dict[int, Series]:
    root, block = work
    dataset = _opened(root)
    return {i: {camera: _series(dataset, i, camera) for camera in dataset.camera_keys} for i in block}


@lru_cache(maxsize=1)
def _opened(root: Path) -> Dataset:
    # Once a process: opening reads the whole episode table.
    return Dataset.open(root)


def _series(dataset: Dataset, episode: int, camera: str) -> dict[str, np.ndarray]:
    """Return a camera's series; what cannot be decoded is a finding of the check `video_broken`."""
    try:
        return video_series(dataset.frames(episode, camera))
    except DataError:
        return video_series([]) | {"broken": np.ones(1)}
