"""Videos of spans: packets copied bit for bit, and the statistics of the pictures that are left of an episode.

A cut between two keyframes copies from the keyframe before it: the frames up to the cut lie in the file, and no
episode shows them. So nothing is ever encoded again, whatever the codec; but for a lower frame rate, where the frames
that stay are no keyframes (`span_thin`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from collector.dataset import durable, schema, span_thin, tables
from collector.dataset.reader import Dataset
from collector.dataset.spans import Span
from collector.dataset.stats import ImageHistogram, Stats
from collector.dataset.video import VideoJoiner, VideoReader

# lerobot compares times as float32 with a tolerance of 1e-4 s: up to here their spacing is below that.
VIDEO_FILE_S = 1000.0


class Place(NamedTuple):
    """Where an episode's video lies: file, first and last time [s]."""

    chunk_index: int
    file_index: int
    from_timestamp: float
    to_timestamp: float


def copy_videos(
    root: Path, spans: Sequence[Span], camera: str, names: dict[Dataset, str], step: Callable[[], None]
) -> list[Place]:
    """Copy a camera's packets into files of v3.0's usual sizes; return each span's place.

    Args:
        root: The new dataset.
        camera: The camera's new name.
        names: Its name in each source.
        step: Called after each span.

    Raises:
        DataError: If a video is missing, damaged or too short.
        OSError: If the disk refuses.
    """
    info, fps = spans[0].source.info, spans[0].fps
    chunk_size = info.get("chunks_size", schema.CHUNK_SIZE)
    limit = info.get("video_files_size_in_mb", schema.VIDEO_FILE_MB) * 2**20
    places: list[Place] = []
    reader: VideoReader | None = None
    joiner: VideoJoiner | None = None
    ordinal = -1
    try:
        for span in spans:
            path, from_s = span.source.video_place(span.episode, names[span.source])
            first_s, every = from_s + span.from_frame / span.source.fps, span.step
            if every > 1 and not span_thin.only_keyframes(path, span, from_s):
                path, first_s, every = span_thin.encode(root, span, names[span.source], path, from_s), 0.0, 1
            if reader is None or reader.path != path:
                if reader is not None:
                    reader.close()
                reader = VideoReader(path, fps if path.is_relative_to(root) else span.source.fps)
            full = joiner is not None and (
                joiner.n_bytes * (1 + len(span) / max(1, joiner.n_frames)) > limit
                or (joiner.n_frames + len(span)) / fps > VIDEO_FILE_S
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
                joiner = VideoJoiner(target, fps)
            if every == 1:
                first = joiner.add(reader, first_s, len(span))
            else:
                first = joiner.add_keyframes(reader, first_s, span.to_frame - span.from_frame, every)
            if path.is_relative_to(root):
                path.unlink()
            place = tables.place(ordinal, chunk_size)
            places.append(Place(*place, first / fps, (first + len(span)) / fps))
            step()
    finally:
        if reader is not None:
            reader.close()
        if joiner is not None:
            joiner.close()
    if joiner is not None:
        durable.sync_file(joiner.path)
    return places


def picture_stats(span: Span, camera: str) -> Stats:
    """Return the statistics of a span's pictures, decoded, in the layout of `ImageHistogram.stats`.

    Raises:
        DataError: If the pictures are missing or damaged.
    """
    histogram = ImageHistogram()
    if span.source.features[camera]["dtype"] == "video":
        path, from_s = span.source.video_place(span.episode, camera)
        with VideoReader(path, span.source.fps) as reader:
            first_s, n_frames = from_s + span.from_frame / span.source.fps, span.to_frame - span.from_frame
            for image in islice(reader.frames(first_s, n_frames), 0, None, span.step):
                histogram.add(image)
    else:
        every = span.source.frames(span.episode, camera)
        for image in islice(every, span.from_frame, span.to_frame, span.step):
            histogram.add(image)
    return histogram.stats()
