"""What one encoder costs on this machine: processor time, bytes and quality of a clip, as it would be recorded.

Encoding runs beside the control loop, so that its price is processor time. It is measured as such, not by the
clock on the wall, which other programs slow down.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from collector.dataset.encode import HARDWARE, EncoderSettings, VideoEncoder
from collector.dataset.video import VideoReader, whole_fragments
from collector.errors import DataError, UsageError

_DOUBLING_DB = 2.0  # what twice the bytes bring on the clip, near crf 30 (x264, crf 26 to 34: 2.0 to 2.7 dB)


@dataclass(frozen=True)
class Measured:
    """One encoder on this machine; figures are means over the cameras, None where it could not be measured.

    Attributes:
        vcodec, preset: As in `EncoderSettings`.
        hardware: Whether a device other than the processor encodes.
        n_frames: Frames encoded of each size.
        cpu_s: Processor time a frame [s], all threads together, median over groups of pictures.
        wall_s, wall_p95_s: Time a frame on the clock [s], median and 95th percentile.
        bytes_per_frame: Size of a frame in the file [bytes].
        mbit_s: Of all cameras together [Mbit/s].
        psnr_db: Of the decoded clip against the clip with its sensor noise [dB], over red, green and blue. The
            noise alone, removed, costs so much that about 38.6 dB is the most that a clean picture could have.
        load: Cores that all cameras together need at their rate.
        camera_load: Cores that the most demanding camera needs.
        problem: Why it was not measured to the end.
    """

    vcodec: str
    preset: str | int | None
    hardware: bool
    n_frames: int = 0
    cpu_s: float | None = None
    wall_s: float | None = None
    wall_p95_s: float | None = None
    bytes_per_frame: float | None = None
    mbit_s: float | None = None
    psnr_db: float | None = None
    load: float | None = None
    camera_load: float | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """Codec and preset in words."""
        return self.vcodec if self.preset is None else f"{self.vcodec} {self.preset}"

    @property
    def comparable_bytes(self) -> float:
        """Size of a frame [bytes], put at equal quality: twice the bytes bring 2 dB."""
        if self.bytes_per_frame is None or self.psnr_db is None:
            return float("inf")
        return self.bytes_per_frame * 2 ** ((30 - self.psnr_db) / _DOUBLING_DB)


def measure(
    path: Path, clip: list[np.ndarray], fps: float, settings: EncoderSettings, limit_s: float
) -> Measured:
    """Measure one encoder on the pictures of one camera; what goes wrong is in the result.

    Args:
        path: File to write, mp4.
        clip: RGB, uint8, (height, width, 3) each; more frames than two groups of pictures, or than 8.
        fps: Pictures a second [Hz].
        settings: The encoder.
        limit_s: Stop early where even its best group of pictures takes more processor time a frame [s].

    Returns:
        Everything but `mbit_s`, `load` and `camera_load`, for one camera.
    """
    result = Measured(settings.vcodec, settings.preset, settings.vcodec in HARDWARE)
    height, width = clip[0].shape[:2]
    # Keyframes cost more than the others, so that only whole groups of pictures can be compared. The first is
    # left out: memory and threads are made in it.
    group = settings.g if settings.g and settings.g <= 4 else 4
    cpu, wall = [time.process_time()], []
    problem = None
    try:
        EncoderSettings.of(asdict(settings))
        encoder = VideoEncoder(path, height, width, fps, settings)
        cpu[0] = time.process_time()
        for image in clip:
            start = time.perf_counter()
            encoder.add(image)
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time())
            if len(wall) >= 2 * group and min(_group_costs(cpu, group)) > limit_s:
                problem = f"stopped after {len(wall)} frames: far above the budget"
                break
        encoder.close()
        psnr_db = None if problem else _psnr_db(path, clip, fps)
    except (UsageError, DataError, av.error.FFmpegError, OSError) as error:
        return replace(result, problem=_reason(error))
    return replace(
        result,
        n_frames=len(wall),
        cpu_s=statistics.median(_group_costs(cpu, group)),
        wall_s=statistics.median(wall[group:]),
        wall_p95_s=float(np.percentile(wall[group:], 95)),
        bytes_per_frame=whole_fragments(path)[1] / len(wall),
        psnr_db=psnr_db,
        problem=problem,
    )


def _reason(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, av.error.FFmpegError):
        return f"does not open here: {cause.strerror}"
    return str(error)


def _group_costs(cpu: list[float], group: int) -> list[float]:
    """Return the processor time a frame [s] in every whole group of pictures but the first."""
    return [(after - before) / group for before, after in pairwise(cpu[group::group])]


def _psnr_db(path: Path, clip: list[np.ndarray], fps: float) -> float:
    with VideoReader(path, fps) as reader:
        errors = [
            # A third of the rows is enough.
            np.mean(np.square(np.subtract(decoded[::3], image[::3], dtype=np.float32)))
            for decoded, image in zip(reader.frames(0.0, len(clip)), clip)
        ]
    return float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9)))


def combined(parts: list[tuple[int, Measured]], n_cameras: int, fps: float) -> Measured:
    """Put the sizes together; where one could not be measured, that is the result.

    Args:
        parts: Number of cameras of a size, and its measurement.
        n_cameras: Of all sizes.
        fps: Pictures a second [Hz] of each camera.
    """
    last = parts[-1][1]
    if last.cpu_s is None:
        return last

    def mean(name: str) -> float | None:
        values = [(n, getattr(part, name)) for n, part in parts]
        if any(value is None for _, value in values):
            return None
        # After an early stop some sizes are missing: the mean is over those seen.
        return sum(n * value for n, value in values) / sum(n for n, _ in parts)

    names = ("cpu_s", "wall_s", "wall_p95_s", "bytes_per_frame", "psnr_db")
    figures: dict[str, Any] = {name: mean(name) for name in names}
    figures["load"] = sum(n * _busy_s(part) for n, part in parts) / sum(n for n, _ in parts) * n_cameras * fps
    figures["camera_load"] = max(_busy_s(part) for _, part in parts) * fps
    figures["mbit_s"] = 8e-6 * figures["bytes_per_frame"] * n_cameras * fps
    return replace(last, n_frames=min(part.n_frames for _, part in parts), **figures)


def _busy_s(one: Measured) -> float:
    """Return the time a frame [s] that a measured encoder keeps its thread busy."""
    cpu_s, wall_s = one.cpu_s or 0.0, one.wall_s or 0.0
    # A device's work is no processor time, but its camera's thread waits for it.
    return max(cpu_s, wall_s) if one.hardware else cpu_s
