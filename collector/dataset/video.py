"""Cut, join and decode videos: packets are copied bit for bit, frames are placed at exact multiples of 1/fps."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
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
        path: The file.
        fps: Frames a second [Hz] of the dataset.
        n_bytes: Read only so much of it: a file that a crash cut within a fragment may not open at all.

    Raises:
        DataError: If the file is missing or no video.
    """

    def __init__(self, path: Path, fps: float, n_bytes: int | None = None) -> None:
        self.path, self.fps = path, fps
        try:
            source: Any = str(path) if n_bytes is None else io.BytesIO(path.read_bytes()[:n_bytes])
            self._container: Any = av.open(source)
            self._stream = self._container.streams.video[0]
        except (av.error.FFmpegError, OSError, IndexError) as error:
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

    def _frame_clock(self, start: Fraction) -> Callable[[int], int]:
        """Return the function from a time in the file to the nearest frame since `start` [s], in whole numbers."""
        step, begin = self._stream.time_base * Fraction(self.fps), start * Fraction(self.fps)
        scale, offset = step.numerator * begin.denominator, begin.numerator * step.denominator
        whole = step.denominator * begin.denominator
        return lambda time: (2 * (time * scale - offset) + whole) // (2 * whole)

    def packets(self, from_s: float = 0.0, n_frames: int | None = None) -> Iterator[tuple[Any, int, int]]:
        """Give the packets that show an episode, in decoding order: the shortest run that can be cut out.

        It begins at the keyframe at or before the episode, so that frames may come before the episode's first
        (they have negative times), and ends with no gap, so that a frame or two that others refer to may follow.

        Args:
            from_s: Where the episode begins in the file [s].
            n_frames: Its frames; None for all up to the end or to the first damaged packet.

        Yields:
            The packet, and its presentation and decoding time in frames since the episode's first.

        Raises:
            DataError: If no keyframe precedes the episode or it has fewer frames.
        """
        start = Fraction(from_s)
        frame_at, shown, last = self._frame_clock(start), set[int](), -1
        first: int | None = None
        for packet, index in self._run(start, frame_at):
            first = index if first is None else first
            if index < first:
                continue  # shown before the keyframe: it refers to what comes before that
            shown.add(index)
            last = max(last, index)
            yield packet, index, frame_at(packet.dts)
            if n_frames is not None and last >= n_frames - 1 and len(shown) == last - first + 1:
                return
        if n_frames is not None:
            found = len(shown & set(range(n_frames)))
            raise DataError(self._too_few(found, n_frames, from_s))

    def _run(self, start: Fraction, frame_at: Callable[[int], int]) -> Iterator[tuple[Any, int]]:
        """Yield packets and their frames since `start` [s], from the last keyframe at or before it on.

        Raises:
            DataError: If there is none.
        """
        # Where frames are reordered, an index that counts decoding times may lead past the keyframe.
        for back_s in (0, 2, 20, None):
            self._seek(Fraction(0) if back_s is None else max(Fraction(0), start - back_s))
            lead: list[tuple[Any, int]] = []
            reached = passed = False
            with contextlib.suppress(av.error.EOFError, av.error.InvalidDataError):  # cut short
                for packet in self._container.demux(self._stream):
                    if packet.size == 0:
                        continue
                    if packet.is_corrupt or packet.pts is None or packet.dts is None:
                        break
                    index = frame_at(packet.pts)
                    if reached:
                        yield packet, index
                        continue
                    starts = packet.is_keyframe and index <= 0
                    passed = index >= 0 and not lead and not starts
                    if passed:
                        break
                    if lead or starts:
                        lead = [*([] if starts else lead), (packet, index)]
                    reached = bool(lead) and index >= 0
                    if reached:
                        yield from lead
            if not passed:
                return
        raise DataError(f"{self.path} has no keyframe at or before {float(start):g} s: restore the file")

    def frames(
        self, from_s: float = 0.0, n_frames: int | None = None, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Decode an episode's pictures, in order.

        Args:
            from_s: Where the episode begins in the file [s].
            n_frames: Its frames; None for all.
            size: Height and width to shrink each to [px], by areas; None leaves them as they are.

        Yields:
            RGB, uint8, (height, width, 3).

        Raises:
            DataError: If the file has fewer frames.
        """
        start, found = Fraction(from_s), 0
        frame_at = self._frame_clock(start)
        self._seek(start)
        for frame in self._decode(frame_at, n_frames):
            index = frame_at(frame.pts)
            if index < found:
                continue
            if index != found or index == n_frames:
                break
            found += 1
            yield picture_of(frame, size)
        if n_frames is not None and found != n_frames:
            raise DataError(self._too_few(found, n_frames, from_s))

    def run(self, from_s: float, first: int, n_frames: int) -> Iterator[tuple[int, Any]]:
        """Decode on from the keyframe at or before a frame of an episode, for who jumps about in it.

        Args:
            from_s: Where the episode begins in the file [s].
            first: The frame.
            n_frames: The episode's frames.

        Yields:
            Numbers of frames, ascending, from the keyframe's on (negative before the episode), and PyAV's frames; see
            `picture_of`. It ends where the file or what is whole of it does, and none may be left out before.
        """
        start = Fraction(from_s)
        frame_at, at_s = self._frame_clock(start), start + first / Fraction(self.fps)
        # As in `_run`: an index that counts decoding times may lead past the keyframe.
        for back_s in (0, 2, 20, None):
            self._seek(Fraction(0) if back_s is None else max(Fraction(0), at_s - back_s))
            last: int | None = None
            for frame in self._decode(frame_at, n_frames):
                index = frame_at(frame.pts)
                if last is None and not frame.key_frame:
                    continue  # it refers to what comes before the keyframe
                if last is None and index > first:
                    break
                if index >= n_frames:
                    return
                if last is None or index > last:
                    last = index
                    yield index, frame
            if last is not None:
                return

    def _decode(self, frame_at: Callable[[int], int], n_frames: int | None) -> Iterator[Any]:
        """Decode from here on. The decoder gets no packet past the episode's: a last one may be cut short."""
        context, found, begin = self._stream.codec_context, 0, None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 or packet.is_corrupt or packet.pts is None:
                    break
                yield from context.decode(packet)
                index = frame_at(packet.pts)
                begin = max(0, index) if begin is None else begin
                found += index >= begin and (n_frames is None or index < n_frames)
                if n_frames is not None and found == n_frames - begin:
                    break
            yield from context.decode(None)
        except (av.error.EOFError, av.error.InvalidDataError):
            pass  # the file is damaged here: the caller counts
        finally:
            context.flush_buffers()

    def _too_few(self, found: int, n_frames: int, from_s: float) -> str:
        return f"{self.path} holds {found} of the episode's {n_frames} frames from {from_s:g} s on: restore the file"


def picture_of(frame: Any, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return a decoded frame as RGB, uint8, (height, width, 3); shrunk by areas to a size (height, width) [px]."""
    if size is not None:
        # Shrunk before it is turned into RGB, which is most of the work.
        frame = frame.reformat(width=size[1], height=size[0], format="rgb24", interpolation="AREA")
    return frame.to_ndarray(format="rgb24")


def whole_fragments(path: Path) -> tuple[int, int]:
    """Return the whole frames of a `VideoEncoder`'s file that a crash may have cut, and the bytes they take.

    Each frame has its `mdat` box. FFmpeg does not tell: cut within a frame, it hands it out as if it were whole;
    cut within a fragment's header, it may not open the file.
    """
    n_frames, end, at = 0, 0, 0
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, 2)
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if length < 8 or at + length > size:
                break
            at += length
            if kind == b"mdat":
                n_frames, end = n_frames + 1, at
    return n_frames, end


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

        What is copied begins with a keyframe: frames that the episode does not show may lie before and after it.

        Raises:
            DataError: If no keyframe precedes the episode or it has fewer frames.
        """
        first, end = None, self.n_frames
        if self._stream is None:
            self._stream = self._container.add_stream_from_template(reader.stream, opaque=True)
            self._stream.time_base = self._time_base
            self.format = reader.format()
        with system_errors(self.path):
            for packet, shown, decoded in reader.packets(from_s, n_frames):
                if first is None:
                    first = self.n_frames - shown  # the keyframe comes right after what is there
                end = max(end, first + shown + 1)
                packet.stream = self._stream
                packet.time_base = self._time_base
                packet.pts, packet.dts, packet.duration = first + shown, first + decoded, 1
                self.n_bytes += packet.size
                self._container.mux(packet)
        self.n_frames = end
        return self.n_frames if first is None else first

    def add_keyframes(self, reader: VideoReader, from_s: float, n_frames: int, step: int) -> int:
        """Append every `step`-th of an episode's `n_frames` frames, all of them keyframes; return the first.

        Raises:
            DataError: If the episode has fewer frames.
        """
        if self._stream is None:
            self._stream = self._container.add_stream_from_template(reader.stream, opaque=True)
            self._stream.time_base = self._time_base
            self.format = reader.format()
        first = self.n_frames
        with system_errors(self.path):
            for packet, shown, _ in reader.packets(from_s, n_frames):
                if 0 <= shown < n_frames and shown % step == 0:
                    packet.stream, packet.time_base = self._stream, self._time_base
                    packet.pts = packet.dts = first + shown // step
                    packet.duration = 1
                    self.n_bytes += packet.size
                    self._container.mux(packet)
        self.n_frames = first + -(-n_frames // step)
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
