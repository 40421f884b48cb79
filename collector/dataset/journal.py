"""A flight while it is flown: append-only, so that `kill -9` or a full disk loses at most its last quarter second.

A journal is a folder:

- `header.json`: features, fps, encoder, and what the recorder knows at the start (`flight_id`, `task`, ...).
- `columns.arrows`: Arrow IPC stream; a batch of ticks reaches the operating system every 0.25 s at the latest.
- `<camera>.mp4`: fragmented, one fragment a frame.
- `histograms.json` and `end.json`: written by `close`; a journal without `end.json` was interrupted.

What has reached the operating system survives the death of the process; `close` also syncs it to the disk.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import durable, schema
from collector.dataset.encode import EncoderSettings, VideoEncoder
from collector.dataset.schema import Features
from collector.dataset.stats import ImageHistogram
from collector.dataset.video import VideoReader, whole_fragments
from collector.errors import DataError, StorageError

FLUSH_S = 0.25  # [s]
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

    Attributes:
        folder: The journal.
        n_frames: Ticks recorded.

    Raises:
        UsageError: If a feature or the encoder cannot be recorded.
        OSError: If the disk refuses.
    """

    def __init__(
        self, folder: Path, header: Mapping[str, Any], features: Features, fps: float, encoder: Any = None
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
        self.histograms = {name: ImageHistogram() for name in schema.video_keys(self._features)}
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
            self._encoders = {
                name: VideoEncoder(
                    _video_path(self.folder, name),
                    self._features[name]["shape"][0],
                    self._features[name]["shape"][1],
                    fps,
                    self._settings,
                )
                for name in self.histograms
            }
            # Last, for it makes the folder a journal.
            durable.write_json(self.folder / "header.json", content)
        except BaseException:
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
            for name, encoder in self._encoders.items():
                encoder.add(images[name])
                self.histograms[name].add(images[name])
            for name, buffer in self._columns.items():
                buffer[self._buffered] = columns[name]
            self._buffered += 1
            self.n_frames += 1
            # Due before the next tick would exceed the limit.
            late = time.monotonic() - self._flushed_s > FLUSH_S - self._period_s
            if late or self._buffered == FLUSH_TICKS:
                self.flush()
        except BaseException:
            self._failed = True  # cameras may be a frame apart now: adding more would shift them
            raise

    def flush(self) -> None:
        """Hand the buffered ticks to the operating system.

        Raises:
            OSError: If the disk refuses.
        """
        if self._buffered:
            arrays = [
                schema.to_arrow(
                    _squeezed(buffer[: self._buffered], self._features[name]), self._features[name]
                )
                for name, buffer in self._columns.items()
            ]
            self._stream.write_batch(pa.record_batch(arrays, schema=self._kinds))
            self._buffered = 0
        self._flushed_s = time.monotonic()

    def close(self, end: Mapping[str, Any]) -> None:
        """End the flight and sync it to the disk.

        Args:
            end: How it ended: `success` (bool or None), and where known `seed`, `missed_ticks`, `interrupted`,
                `reason`.

        Raises:
            OSError: If the disk refuses; the journal can then be saved as an interrupted flight.
        """
        self.flush()
        self._close_files()
        durable.sync_file(self.folder / "columns.arrows")
        counts = {
            name: {"counts": h.counts.astype(int).tolist(), "n_frames": h.n_frames}
            for name, h in self.histograms.items()
        }
        durable.write_json(self.folder / "histograms.json", counts)
        durable.write_json(self.folder / "end.json", {**end, "n_frames": self.n_frames})

    def abandon(self) -> None:
        """Throw the flight away."""
        try:
            self._close_files()
        except OSError:
            pass  # it goes anyway
        self.discard(self.folder)

    @staticmethod
    def discard(folder: Path) -> None:
        """Remove a journal."""
        durable.remove_tree(Path(folder))

    def _close_files(self) -> None:
        failure: OSError | None = None
        for close in (self._stream.close, self._file.close, *(e.close for e in self._encoders.values())):
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
        videos: File by camera column.
    """

    folder: Path
    header: dict[str, Any]
    end: dict[str, Any] | None
    features: Features
    fps: float
    n_frames: int
    columns: dict[str, np.ndarray]
    videos: dict[str, Path]

    @property
    def flight_id(self) -> str:
        """The flight's unique name."""
        return self.header["flight_id"]

    @property
    def settings(self) -> EncoderSettings:
        """How its cameras were encoded."""
        return EncoderSettings.of(self.header["encoder"])

    def open_video(self, camera: str) -> VideoReader:
        """Open a camera's video, of which the last fragment may be cut.

        Raises:
            DataError: If the file holds no whole frame.
        """
        return VideoReader(self.videos[camera], self.fps, whole_fragments(self.videos[camera])[1])

    def histogram(self, camera: str) -> ImageHistogram:
        """Return the counts of a camera's 8-bit values; decodes the video where `close` did not note them."""
        path = self.folder / "histograms.json"
        if path.exists():
            noted = json.loads(path.read_text())[camera]
            if noted["n_frames"] == self.n_frames:
                return ImageHistogram(np.array(noted["counts"]), noted["n_frames"])
        histogram = ImageHistogram()
        with self.open_video(camera) as reader:
            for image in reader.frames(0.0, self.n_frames):
                histogram.add(image)
        return histogram


def list_journals(root: Path) -> list[Path]:
    """Return the dataset's unsaved flights, oldest first."""
    folder = Path(root) / ".journal"
    found = [h.parent for h in folder.glob("*/header.json") if not h.parent.name.startswith(".")]
    return sorted(found, key=lambda path: ((path / "header.json").stat().st_mtime_ns, path.name))


def read_journal(folder: Path) -> Journal:
    """Read a flight up to its last whole tick.

    Raises:
        DataError: If there is no journal in the folder.
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
    videos = {name: _video_path(folder, name) for name in schema.video_keys(own)}
    n_frames = min([table.num_rows, *(whole_fragments(path)[0] for path in videos.values())])
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


def _video_path(folder: Path, camera: str) -> Path:
    return folder / f"{camera}.mp4"


def _numpy_type(feature: schema.Feature) -> Any:
    return object if feature["dtype"] == "string" else np.dtype(feature["dtype"])


def _squeezed(values: np.ndarray, feature: schema.Feature) -> np.ndarray:
    return values[:, 0] if feature["shape"] == (1,) else values
