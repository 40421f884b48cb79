"""One camera of a flight: pictures go in, a thread encodes them, and none is ever dropped or overtaken.

An encoder that falls behind must not hold up whoever hands the pictures over. What it has not taken yet waits in
memory, and beyond a fraction of a second raw on the disk (`<camera>.raw/000123.rgb`), where a crash leaves it whole.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from pathlib import Path

import numpy as np

from collector.dataset import durable
from collector.dataset.encode import EncoderSettings, VideoEncoder
from collector.dataset.stats import ImageHistogram
from collector.dataset.video import VideoReader, whole_fragments

_IN_MEMORY_S = 0.1  # pictures that may wait in memory, and be lost with the process [s]
# The file of frame k goes when frame k + this has been encoded: the encoder and the container hold some back.
_KEEP_RAW = 8
_NICENESS = 5  # encoding gives way to control, and to the thread that hands the pictures over


class CameraTrack:
    """Records one camera of one flight.

    Args:
        folder: The journal.
        camera: The camera's column.
        shape: (height, width, 3) [px].
        fps: Pictures a second [Hz].
        settings: See `EncoderSettings`.
        patient: Whether `add` waits for a busy encoder (a simulation in lock-step) instead of using the disk.

    Attributes:
        histogram: Counts of the values of the pictures encoded so far.
        spilled: Pictures that had to wait on the disk.

    Raises:
        UsageError: If the encoder refuses its options.
        OSError: If the file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        camera: str,
        shape: tuple[int, ...],
        fps: float,
        settings: EncoderSettings,
        patient: bool,
    ) -> None:
        self.path = video_path(folder, camera)
        self.histogram = ImageHistogram()
        self.spilled = 0
        self._raw = raw_folder(folder, camera)
        self._shape, self._patient = tuple(shape), patient
        self._limit = max(2, int(_IN_MEMORY_S * fps))
        self._encoder = VideoEncoder(self.path, shape[0], shape[1], fps, settings)
        self._waiting: deque[np.ndarray | Path] = deque()
        # The last pictures kept in memory: on the disk they must come before the first raw one, else a crash
        # leaves a gap. More than may wait: one is being encoded, some are held back by encoder and container.
        self._recent: deque[tuple[int, np.ndarray]] = deque(maxlen=self._limit + _KEEP_RAW)
        self._in_memory = self._added = self._encoded = 0
        self._error: BaseException | None = None
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"encode {camera}", daemon=True)
        self._thread.start()

    def add(self, image: np.ndarray) -> Path | None:
        """Take the next picture, uint8, (height, width, 3); return its file where it had to go to the disk.

        Raises:
            OSError: If the disk refused this picture or an earlier one.
            UsageError: If the encoder failed at an earlier one.
        """
        with self._changed:
            self._check()
            while self._patient and self._in_memory >= self._limit:
                self._changed.wait()
                self._check()
            behind = self._in_memory >= self._limit or (self._waiting and isinstance(self._waiting[-1], Path))
            number, self._added = self._added, self._added + 1
        item: np.ndarray | Path
        if behind:
            while self._recent:
                self._spill(*self._recent.popleft())
            item = self._spill(number, image)
            self.spilled += 1
        else:
            item = image.copy()
            if not self._patient:
                self._recent.append((number, item))
        with self._changed:
            self._waiting.append(item)
            self._in_memory += not behind
            self._changed.notify_all()
        return item if isinstance(item, Path) else None

    def wait(self) -> None:
        """Wait until every picture is encoded.

        Raises:
            OSError: If the disk refused one.
        """
        with self._changed:
            while self._encoded < self._added and self._error is None:
                self._changed.wait()
            self._check()

    def backlog(self) -> int:
        """Return the pictures not encoded yet."""
        return self._added - self._encoded

    def close(self) -> None:
        """Encode what waits, finish the file and sync it.

        Raises:
            OSError: If the disk refuses.
        """
        try:
            self.wait()
        finally:
            self._end()
        self._encoder.close()
        durable.remove_tree(self._raw)

    def abandon(self) -> None:
        """End at once, whatever waits."""
        with self._changed:
            self._waiting.clear()
        self._end()
        with contextlib.suppress(OSError):
            self._encoder.close()

    def _end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _spill(self, number: int, image: np.ndarray) -> Path:
        durable.make_folder(self._raw)
        path = self._raw / f"{number:06d}.rgb"
        path.write_bytes(np.ascontiguousarray(image).data)
        return path

    def _run(self) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                own = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS)
        while True:
            with self._changed:
                while not self._waiting and not self._ending:
                    self._changed.wait()
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._in_memory -= not isinstance(item, Path)
                self._changed.notify_all()
            try:
                image = _read_raw(item, self._shape) if isinstance(item, Path) else item
                self._encoder.add(image)
                self.histogram.add(image)
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            if self.spilled and self._encoded >= _KEEP_RAW:
                (self._raw / f"{self._encoded - _KEEP_RAW:06d}.rgb").unlink(missing_ok=True)
            with self._changed:
                self._encoded += 1
                self._changed.notify_all()


def video_path(folder: Path, camera: str) -> Path:
    """Return the file that a camera is encoded into."""
    return folder / f"{camera}.mp4"


def raw_folder(folder: Path, camera: str) -> Path:
    """Return the folder of the pictures that wait for a camera's encoder."""
    return folder / f"{camera}.raw"


def finish_tracks(
    folder: Path, cameras: dict[str, tuple[int, ...]], fps: float, settings: EncoderSettings
) -> None:
    """Encode the pictures that a crash left raw, each camera's into a second part of its video.

    Args:
        cameras: (height, width, 3) by camera column.

    Raises:
        OSError: If the disk refuses; the raw pictures are then kept.
    """
    for camera, shape in cameras.items():
        raw = raw_folder(folder, camera)
        if not raw.is_dir():
            continue
        second = rest_path(folder, camera)
        if not second.exists():
            number = whole_fragments(video_path(folder, camera))[0]
            temporary = second.with_suffix(".tmp")
            encoder: VideoEncoder | None = None
            while (path := raw / f"{number:06d}.rgb").exists() and path.stat().st_size == int(np.prod(shape)):
                encoder = encoder or VideoEncoder(temporary, shape[0], shape[1], fps, settings)
                encoder.add(_read_raw(path, shape))
                number += 1
            if encoder is not None:
                encoder.close()
                durable.move_into_place(temporary, second)
        durable.remove_tree(raw)


def rest_path(folder: Path, camera: str) -> Path:
    """Return the second part of a camera's video, made by `finish_tracks`."""
    return folder / f"{camera}.rest.mp4"


def parts_of(folder: Path, camera: str) -> list[tuple[Path, int, int]]:
    """Return a camera's video files in order: each with its whole frames and the bytes that they take."""
    paths = [video_path(folder, camera), rest_path(folder, camera)]
    found = [(path, *whole_fragments(path)) for path in paths]
    return [(path, n_frames, n_bytes) for path, n_frames, n_bytes in found if n_frames]


def open_part(part: tuple[Path, int, int], fps: float) -> VideoReader:
    """Open one of `parts_of`, of which the last fragment may be cut."""
    return VideoReader(part[0], fps, part[2])


def _read_raw(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.fromfile(path, np.uint8).reshape(shape)
