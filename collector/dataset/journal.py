"""A flight while it is flown: append-only, so that a crash or a full disk loses at most its last quarter second.

A journal is a folder:

- `header.json`: features, fps, encoder, and what the recorder knows at the start (`flight_id`, `task`, ...).
- `columns.arrows`: Arrow IPC stream; a batch of ticks reaches the operating system every 0.1 s at the latest.
- `<camera>.mp4`: fragmented, one fragment a frame; `<camera>.raw/`: pictures that wait for the encoder.
- `histograms.json` and `end.json`: written by `close`; a journal without `end.json` was interrupted.

What has reached the operating system survives the death of the process. What is synced survives a power cut: with
`sync_every_s` a thread syncs all the time, so that nobody waits for the disk.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import durable, schema
from collector.dataset.encode import EncoderSettings
from collector.dataset.schema import Features
from collector.dataset.stats import ImageHistogram
from collector.dataset.syncer import Syncer
from collector.dataset.track import CameraTrack, finish_tracks, open_part, parts_of
from collector.dataset.video import VideoJoiner
from collector.errors import DataError, StorageError

FLUSH_S = 0.1  # a tick waits so long before the operating system has it [s]
SYNC_S = 0.1  # and so long again before it is on the disk [s]
FLUSH_TICKS = 64


class JournalWriter:
    """Records one flight.

    Args:
        folder: Folder to create, `<root>/.journal/<name>`.
        header: What is known at the start: `task` (text, required), and where known `flight_id` (unique; made up
            when absent), `started_at` (ISO 8601, UTC), `seed`, `pilot`.
        features: Columns and cameras, without lerobot's default columns.
        fps: Ticks a second [Hz].
        encoder: See `EncoderSettings.of`.
        patient: Whether `add` waits for a busy encoder; else it puts the pictures on the disk meanwhile.
        sync_every_s: Sync to the disk at this interval [s], in a thread; None leaves that to `close`.

    Attributes:
        folder: The journal.
        n_frames: Ticks recorded.

    Raises:
        UsageError: If a feature or the encoder cannot be recorded.
        OSError: If the disk refuses.
    """

    def __init__(
        self,
        folder: Path,
        header: Mapping[str, Any],
        features: Features,
        fps: float,
        encoder: Any = None,
        *,
        patient: bool = True,
        sync_every_s: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.n_frames = 0
        if not isinstance(header.get("task"), str):
            raise ValueError("the header needs the task in words")
        self._features = schema.normalised(features)
        self._settings = EncoderSettings.of(encoder)
        self._failed = False
        self._columns = {
            name: np.zeros((FLUSH_TICKS, *feature["shape"]), _numpy_type(feature))
            for name, feature in self._features.items()
            if feature["dtype"] != "video" and name not in schema.DEFAULT_FEATURES
        }
        self._stored = {name: f for name, f in self._features.items() if name not in schema.DEFAULT_FEATURES}
        self._kinds = schema.data_schema(self._stored, hugging_face=False)
        self._buffered, self._flushed_s, self._period_s = 0, time.monotonic(), 1 / fps
        self._tracks: dict[str, CameraTrack] = {}
        content = {
            **header,
            "flight_id": header.get("flight_id") or uuid.uuid4().hex,
            "fps": fps,
            "encoder": vars(self._settings),
            "features": self._stored,
        }
        durable.make_folder(self.folder)
        try:
            self._file = pa.OSFile(str(self.folder / "columns.arrows"), "wb")
            self._stream = pa.ipc.new_stream(self._file, self._kinds)
            self._batch()  # pyarrow's first conversion imports pandas, which no tick shall wait for
            for name in schema.video_keys(self._features):
                shape = self._features[name]["shape"]
                self._tracks[name] = CameraTrack(self.folder, name, shape, fps, self._settings, patient)
            # Last, for it makes the folder a journal.
            durable.write_json(self.folder / "header.json", content)
            files = [self.folder / "columns.arrows", *(track.path for track in self._tracks.values())]
            self._syncer = None if sync_every_s is None else Syncer(files, sync_every_s)
        except BaseException:
            for track in self._tracks.values():
                track.abandon()
            self.discard(self.folder)
            raise

    def add(self, columns: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> None:
        """Record one tick.

        Args:
            columns: Value by column, of the feature's shape (a scalar where it is (1,)).
            images: RGB picture by camera column, uint8, (height, width, 3).

        Raises:
            StorageError: If an earlier tick could not be written.
            OSError: If the disk refuses; the ticks before this one stay whole.
            ValueError: If a column is missing, unknown or of the wrong shape.
        """
        if self._failed:
            raise StorageError(f"{self.folder} could not be written: end this flight and free some space")
        schema.validate_frame(columns, images, self._features)
        try:
            if self._syncer is not None:
                self._syncer.check()
            for name, track in self._tracks.items():
                spilled = track.add(images[name])
                if spilled is not None and self._syncer is not None:
                    self._syncer.add(spilled)
            for name, buffer in self._columns.items():
                buffer[self._buffered] = columns[name]
            self._buffered += 1
            self.n_frames += 1
            self.flush_if_due()
        except BaseException:
            self._failed = True  # cameras may be a frame apart now: adding more would shift them
            raise

    def backlog(self) -> int:
        """Return how many ticks' pictures are not encoded yet."""
        return max((track.backlog() for track in self._tracks.values()), default=0)

    def flush(self) -> None:
        """Hand everything that was added to the operating system, once it is encoded.

        Raises:
            OSError: If the disk refuses.
        """
        self._write_columns()
        for track in self._tracks.values():
            track.wait()

    def flush_if_due(self) -> None:
        """Hand the buffered columns to the operating system, where they would soon have waited too long.

        Raises:
            OSError: If the disk refuses.
        """
        late = time.monotonic() - self._flushed_s > FLUSH_S - self._period_s
        if late or self._buffered == FLUSH_TICKS:
            self._write_columns()

    def _write_columns(self) -> None:
        if self._buffered:
            self._stream.write_batch(self._batch())
            self._buffered = 0
        self._flushed_s = time.monotonic()

    def _batch(self) -> pa.RecordBatch:
        """Return the buffered ticks."""
        arrays = [
            schema.to_arrow(_squeezed(buffer[: self._buffered], self._features[name]), self._features[name])
            for name, buffer in self._columns.items()
        ]
        return pa.record_batch(arrays, schema=self._kinds)

    def close(self, end: Mapping[str, Any]) -> None:
        """End the flight and sync it to the disk.

        Args:
            end: How it ended: `success` (bool or None), and where known `seed`, `missed_ticks`, `interrupted`,
                `reason`.

        Raises:
            OSError: If the disk refuses; the journal can then be saved as an interrupted flight.
        """
        self._close_files()
        durable.sync_file(self.folder / "columns.arrows")
        counts = {
            name: {
                "counts": track.histogram.counts.astype(int).tolist(),
                "n_frames": track.histogram.n_frames,
            }
            for name, track in self._tracks.items()
        }
        durable.write_json(self.folder / "histograms.json", counts)
        durable.write_json(self.folder / "end.json", {**end, "n_frames": self.n_frames})

    def abandon(self) -> None:
        """Throw the flight away."""
        if self._syncer is not None:
            self._syncer.end()
        for track in self._tracks.values():
            track.abandon()
        with contextlib.suppress(OSError):  # it goes anyway
            self._stream.close()
            self._file.close()
        self.discard(self.folder)

    @staticmethod
    def discard(folder: Path) -> None:
        """Remove a journal."""
        durable.remove_tree(Path(folder))

    def _close_files(self) -> None:
        if self._syncer is not None:
            self._syncer.end()
        failure: OSError | None = None
        tracks = [track.close for track in self._tracks.values()]
        for close in (self._write_columns, self._stream.close, self._file.close, *tracks):
            try:
                close()
            except OSError as error:
                failure = failure or error
        if failure:
            raise failure


@dataclass(frozen=True)
class Journal:
    """A flight read back.

    Attributes:
        folder: The journal.
        header: See `JournalWriter`; also `features`, `fps`, `encoder`.
        end: What `close` was given, or None where the flight was interrupted.
        features: Columns and cameras, without lerobot's default columns.
        fps: Ticks a second [Hz].
        n_frames: Ticks of which every column and every picture is whole.
        columns: By name, (n_frames,) or (n_frames, dim).
        videos: By camera column, its files in order: path, whole frames, bytes that they take.
    """

    folder: Path
    header: dict[str, Any]
    end: dict[str, Any] | None
    features: Features
    fps: float
    n_frames: int
    columns: dict[str, np.ndarray]
    videos: dict[str, list[tuple[Path, int, int]]]

    @property
    def flight_id(self) -> str:
        """The flight's unique name."""
        return self.header["flight_id"]

    @property
    def settings(self) -> EncoderSettings:
        """How its cameras were encoded."""
        return EncoderSettings.of(self.header["encoder"])

    def join_video(self, camera: str, path: Path) -> None:
        """Write a camera's `n_frames` frames into one mp4 at `path`, without encoding again.

        Raises:
            DataError: If a file is damaged.
            OSError: If the disk refuses.
        """
        joiner = VideoJoiner(path, self.fps)
        for part in self.videos[camera]:
            with open_part(part, self.fps) as reader:
                joiner.add(reader, 0.0, min(part[1], self.n_frames - joiner.n_frames))
        joiner.close()

    def images(self, camera: str) -> Iterator[np.ndarray]:
        """Yield a camera's `n_frames` pictures, decoded, uint8, (height, width, 3)."""
        left = self.n_frames
        for part in self.videos[camera]:
            if left:
                with open_part(part, self.fps) as reader:
                    yield from reader.frames(0.0, min(part[1], left))
                left -= min(part[1], left)

    def histogram(self, camera: str) -> ImageHistogram:
        """Return the counts of a camera's 8-bit values; decodes the video where `close` did not note them."""
        path = self.folder / "histograms.json"
        if path.exists():
            noted = json.loads(path.read_text())[camera]
            if noted["n_frames"] == self.n_frames:
                return ImageHistogram(np.array(noted["counts"]), noted["n_frames"])
        histogram = ImageHistogram()
        for image in self.images(camera):
            histogram.add(image)
        return histogram


def list_journals(root: Path) -> list[Path]:
    """Return the dataset's unsaved flights, oldest first."""
    folder = Path(root) / ".journal"
    found = [h.parent for h in folder.glob("*/header.json") if not h.parent.name.startswith(".")]
    return sorted(found, key=lambda path: ((path / "header.json").stat().st_mtime_ns, path.name))


def read_journal(folder: Path) -> Journal:
    """Read a flight up to its last whole tick; pictures that a crash left raw are encoded first.

    Nobody else may be writing it.

    Raises:
        DataError: If there is no journal in the folder.
        OSError: If the disk refuses.
    """
    folder = Path(folder)
    try:
        header = json.loads((folder / "header.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is no journal of a flight: header.json is missing or damaged") from error
    features = schema.normalised(header["features"])
    own = {name: f for name, f in features.items() if name not in schema.DEFAULT_FEATURES}
    end_path = folder / "end.json"
    end = json.loads(end_path.read_text()) if end_path.exists() else None
    table = _read_columns(folder / "columns.arrows", own)
    cameras = {name: own[name]["shape"] for name in schema.video_keys(own)}
    finish_tracks(folder, cameras, header["fps"], EncoderSettings.of(header["encoder"]))
    videos = {name: parts_of(folder, name) for name in cameras}
    n_frames = min([table.num_rows, *(sum(part[1] for part in parts) for parts in videos.values())])
    columns = {name: schema.to_numpy(table[name])[:n_frames] for name in table.column_names}
    return Journal(folder, header, end, own, header["fps"], n_frames, columns, videos)


def _read_columns(path: Path, features: Features) -> pa.Table:
    kinds = schema.data_schema(features, hugging_face=False)
    batches = []
    try:
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                batch.validate()
                batches.append(batch)
    except (OSError, pa.ArrowInvalid, StopIteration, EOFError):
        pass  # cut short: the batches before the cut are whole
    return pa.Table.from_batches(batches, kinds)


def _numpy_type(feature: schema.Feature) -> Any:
    return object if feature["dtype"] == "string" else np.dtype(feature["dtype"])


def _squeezed(values: np.ndarray, feature: schema.Feature) -> np.ndarray:
    return values[:, 0] if feature["shape"] == (1,) else values
