"""Cut, join and decode videos: packets are copied bit for bit, frames are placed at exact multiples of 1/fps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from collector.dataset.encode import EncoderSettings, VideoEncoder, system_errors
from collector.errors import DataError

__all__ = ["EncoderSettings", "VideoEncoder", "VideoJoiner", "VideoReader", "video_info"]


class VideoReader:
    """One mp4 file, read by packets or frames; an episode is a stretch of it.

    Args:
        path: The file; one that a crash cut short is read up to its last whole frame.
        fps: Frames a second [Hz] of the dataset.

    Raises:
        DataError: If the file is missing or no video.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        try:
            self._container: Any = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (av.error.FFmpegError, IndexError) as error:
            what = "is missing" if not path.exists() else f"is no video ({error})"
            raise DataError(f"{path} {what}: restore it, or record or pull the dataset again") from error

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def stream(self) -> Any:
        """PyAV's video stream."""
        return self._stream

    def format(self) -> tuple:
        """Return what two videos must share to go into one file: codec, size, pixels and codec headers."""
        context = self._stream.codec_context
        return (
            context.name,
            context.width,
            context.height,
            context.pix_fmt,
            bytes(context.extradata or b""),
        )

    def _seek(self, start: Fraction) -> None:
        if start > 0:
            target = round(start / self._stream.time_base)
            self._container.seek(target, backward=True, any_frame=False, stream=self._stream)
        else:
            # A file cut short has no index to seek in.
            with contextlib.suppress(av.error.FFmpegError):
                self._container.seek(0, backward=True, stream=self._stream)

    def _frame_index(self, time: int, start: Fraction) -> int:
        return round((time * self._stream.time_base - start) * Fraction(self.fps))

    def packets(self, from_s: float = 0.0, n_frames: int | None = None) -> Iterator[tuple[Any, int, int]]:
        """Give an episode's packets in decoding order.

        Args:
            from_s: Where the episode begins in the file [s].
            n_frames: Its frames; None for all up to the end or to the first damaged packet.

        Yields:
            The packet, and its presentation and decoding time in frames since the episode's first.

        Raises:
            DataError: If the episode does not begin with a keyframe or has fewer frames.
        """
        start, found = Fraction(from_s), 0
        self._seek(start)
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                if packet.is_corrupt or packet.pts is None or packet.dts is None:
                    break
                index = self._frame_index(packet.pts, start)
                if index < 0:
                    continue
                if n_frames is not None and index >= n_frames:
                    break
                if found == 0 and (index != 0 or not packet.is_keyframe):
                    raise DataError(
                        f"{self.path}: no keyframe where the episode begins ({from_s:g} s): it cannot be cut "
                        "without encoding again"
                    )
                found += 1
                yield packet, index, self._frame_index(packet.dts, start)
                if found == n_frames:
                    break
        except (av.error.EOFError, av.error.InvalidDataError):
            pass  # cut short
        if n_frames is not None and found != n_frames:
            raise DataError(
                f"{self.path} holds {found} of the episode's {n_frames} frames from {from_s:g} s on"
            )

    def count(self) -> int:
        """Return the number of whole frames."""
        return sum(1 for _ in self.packets())

    def frames(self, from_s: float = 0.0, n_frames: int | None = None) -> Iterator[np.ndarray]:
        """Decode an episode's pictures, in order.

        Args:
            from_s: Where the episode begins in the file [s].
            n_frames: Its frames; None for all.

        Yields:
            RGB, uint8, (height, width, 3).

        Raises:
            DataError: If the file has fewer frames.
        """
        start, found = Fraction(from_s), 0
        self._seek(start)
        try:
            for frame in self._container.decode(self._stream):
                index = self._frame_index(frame.pts, start)
                if index < found:
                    continue
                if index != found or (n_frames is not None and index >= n_frames):
                    break
                found += 1
                yield frame.to_ndarray(format="rgb24")
                if found == n_frames:
                    break
        except (av.error.EOFError, av.error.InvalidDataError):
            pass  # cut short
        if n_frames is not None and found != n_frames:
            raise DataError(
                f"{self.path} holds {found} of the episode's {n_frames} frames from {from_s:g} s on"
            )


class VideoJoiner:
    """Writes one mp4 from episodes of others by copying packets; episode after episode without a gap.

    Args:
        path: File to write.
        fps: Frames a second [Hz].

    Raises:
        OSError: If the disk refuses, here and in the methods.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.n_frames, self.n_bytes = path, 0, 0
        self.format: tuple | None = None
        self._time_base = 1 / Fraction(fps).limit_denominator(1001)
        with system_errors(path):
            # The index goes to the front, so that a reader over the network need not fetch the end first.
            self._container: Any = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        self._stream: Any = None

    def add(self, reader: VideoReader, from_s: float, n_frames: int) -> int:
        """Append an episode of `n_frames` frames that begins at `from_s` [s] of `reader`; return its first frame.

        Raises:
            DataError: If the episode does not begin with a keyframe or has fewer frames.
        """
        first = self.n_frames
        if self._stream is None:
            self._stream = self._container.add_stream_from_template(reader.stream, opaque=True)
            self._stream.time_base = self._time_base
            self.format = reader.format()
        with system_errors(self.path):
            for packet, shown, decoded in reader.packets(from_s, n_frames):
                packet.stream = self._stream
                packet.time_base = self._time_base
                packet.pts, packet.dts, packet.duration = first + shown, first + decoded, 1
                self.n_bytes += packet.size
                self._container.mux(packet)
        self.n_frames += n_frames
        return first

    def close(self) -> None:
        """Finish the file; syncing it is the caller's."""
        with system_errors(self.path):
            self._container.close()


def video_info(path: Path, settings: EncoderSettings | None = None) -> dict[str, Any]:
    """Return what lerobot notes of a video in `info.json`, under `features[camera]["info"]`.

    Source: lerobot 0.6.1, `datasets/video_utils.py`, `get_video_info`.
    """
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        info = {
            "video.height": stream.height,
            "video.width": stream.width,
            "video.codec": stream.codec.canonical_name,
            "video.pix_fmt": stream.pix_fmt,
            "video.fps": int(stream.base_rate),
            "video.channels": 1 if stream.pix_fmt.startswith("gray") else 3,
            "has_audio": bool(container.streams.audio),
        }
    return {**info, **(settings.describe() if settings else {}), "is_depth_map": False}
