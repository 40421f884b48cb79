"""Encode a camera while it is recorded, into a file that may end anywhere.

The container is fragmented mp4, one fragment a frame: of the candidates (Matroska, Matroska `live`, NUT) it
alone keeps time in exact frames, is at most one frame behind, and cut at any byte still yields every whole
frame before the cut. Encoders run without look-ahead and without reordering, for the same reason.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from collector.dataset.durable import sync_file
from collector.dataset.priority import ordinary_threads
from collector.errors import UsageError

# The codecs' own reports would go to the terminal; what matters comes as an exception.
os.environ.setdefault("SVT_LOG", "0")
av.logging.set_libav_level(av.logging.FATAL)

CODECS = {"h264": "libx264", "hevc": "libx265", "libsvtav1": "libsvtav1", "av1": "libsvtav1"}
# lerobot's hardware encoders that take pictures from plain memory, in its order of preference.
HARDWARE = ("h264_videotoolbox", "hevc_videotoolbox", "h264_nvenc", "hevc_nvenc", "h264_qsv")
CODECS |= {name: name for name in HARDWARE}
_FRAGMENTED = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}


@dataclass(frozen=True)
class EncoderSettings:
    """How to encode, named as lerobot's `RGBEncoderConfig`.

    Attributes:
        vcodec: `h264`, `hevc`, `libsvtav1` (also `av1`) or one of `HARDWARE`. `auto` is `h264`, which keeps up on
            any machine; `probe.settings_for` measures what this one can do.
        pix_fmt: Pixel format of the video.
        g: Frames from one keyframe to the next; GOPs are always closed.
        crf: Quality; lower is better and larger.
        preset: Speed against size. None is 12 for AV1 (lerobot's), `veryfast` for H.264, `ultrafast` for HEVC,
            `p4` for NVENC and the driver's own for Quick Sync; VideoToolbox has none.
        fast_decode: lerobot's; 0 is off.
        extra_options: Further options of the codec; they never override the fields above.
        threads: Threads of the encoder; 1 is best for small pictures and several cameras.
    """

    vcodec: str = "libsvtav1"
    pix_fmt: str = "yuv420p"
    g: int | None = 2
    crf: float | None = 30
    preset: str | int | None = None
    fast_decode: int = 0
    extra_options: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None

    @classmethod
    def of(cls, settings: Any) -> EncoderSettings:
        """Take lerobot's config, a dict or any object with these fields (further ones are ignored), or None.

        Raises:
            UsageError: If the codec is none that can be used, or has no presets and one is given. Whether a
                hardware encoder finds its device shows only when it is opened.
        """
        if isinstance(settings, cls):
            return settings
        given = dict(settings) if isinstance(settings, Mapping) else dict(vars(settings)) if settings else {}
        chosen = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        result = cls(**chosen)
        codec = "h264" if result.vcodec == "auto" else result.vcodec
        if codec == "h264_vaapi":
            raise UsageError(
                "video codec 'h264_vaapi' takes pictures from the graphics card's memory only, where PyAV "
                f"cannot put them: use {', '.join(CODECS)} or auto"
            )
        if codec not in CODECS:
            raise UsageError(f"video codec '{codec}' is not supported: use {', '.join(CODECS)} or auto")
        if codec.endswith("_videotoolbox") and result.preset is not None:
            raise UsageError(f"{codec} has no presets, got '{result.preset}': leave the preset out")
        try:
            av.Codec(CODECS[codec], "w")
        except (av.error.FFmpegError, ValueError) as error:
            raise UsageError(f"this machine's FFmpeg has no {CODECS[codec]}: use another codec") from error
        return cls(**{**chosen, "vcodec": "libsvtav1" if codec == "av1" else codec})

    @property
    def coded_pix_fmt(self) -> str:
        """The pixel format to hand to the encoder; the video has `pix_fmt`."""
        # Quick Sync takes only this layout of the same samples.
        return "nv12" if self.vcodec == "h264_qsv" and self.pix_fmt == "yuv420p" else self.pix_fmt

    def options(self) -> dict[str, str]:
        """Return the codec's options, tuned so that every frame leaves the encoder at once."""
        extra = {key: str(value) for key, value in self.extra_options.items()}
        options = self._hardware_options() if self.vcodec in HARDWARE else self._software_options(extra)
        merged = {**extra, **{key: value for key, value in options.items() if value is not None}}
        return {key: str(value) for key, value in merged.items()}

    def _software_options(self, extra: dict[str, str]) -> dict[str, Any]:
        """Return the options of x264, x265 or SVT-AV1; lists of options are taken out of `extra` and joined."""
        options: dict[str, Any] = {"g": self.g, "crf": None if self.crf is None else f"{self.crf:g}"}
        threads = self.threads or 1
        if self.vcodec == "libsvtav1":
            options["preset"] = 12 if self.preset is None else self.preset
            parts = ["pred-struct=1", f"lp={threads}", f"fast-decode={max(0, min(2, self.fast_decode or 0))}"]
            if "svtav1-params" in extra:
                parts.append(extra.pop("svtav1-params"))
            options["svtav1-params"] = ":".join(parts)
        elif self.vcodec == "h264":
            options["preset"] = self.preset or "veryfast"
            options["tune"] = "fastdecode,zerolatency" if self.fast_decode else "zerolatency"
            options["threads"] = threads
        else:
            options["preset"] = self.preset or "ultrafast"
            options["tune"] = "zerolatency"
            parts = ["log-level=error", "open-gop=0", "frame-threads=1", "pools=none", "bframes=0"]
            if "x265-params" in extra:
                parts.append(extra.pop("x265-params"))
            options["x265-params"] = ":".join(parts)
        return options

    def _hardware_options(self) -> dict[str, Any]:
        """Return options for no B-frames, no look-ahead, closed GOPs and a constant quality near `crf`.

        A keyframe of these encoders is an IDR frame, so that every GOP is closed. VideoToolbox works beside the
        caller and may be a frame or two behind, whatever it is asked.

        Source: FFmpeg 7.1, `libavcodec/nvenc.c`, `qsvenc.c`, `videotoolboxenc.c`; quality as lerobot 0.6.1 maps it,
        `configs/video.py`.
        """
        options: dict[str, Any] = {"g": self.g, "bf": 0, "preset": self.preset}
        quality = None if self.crf is None else round(self.crf)
        if self.vcodec.endswith("_nvenc"):
            options |= {"preset": self.preset or "p4", "tune": "ull", "zerolatency": 1, "delay": 0}
            options |= {"rc-lookahead": 0, "forced-idr": 1}
            if quality is not None:
                options |= {"rc": "constqp", "qp": quality}
        elif self.vcodec == "h264_qsv":
            options |= {"async_depth": 1, "look_ahead": 0, "idr_interval": 0, "flags": "+cgop"}
            if quality is not None:
                options["global_quality"] = max(1, min(51, quality))
        else:
            options |= {"realtime": 1, "allow_sw": 0, "flags": "+cgop"}
            if quality is not None:
                # FFmpeg's quality scale counts in units of FF_QP2LAMBDA.
                options |= {
                    "flags": "+cgop+qscale",
                    "global_quality": 118 * max(1, min(100, 100 - 2 * quality)),
                }
        return options

    def words(self) -> str:
        """Return the settings in words, e.g. `h264, preset veryfast, crf 30, a keyframe every 2 frames`."""
        preset = "" if self.preset is None else f", preset {self.preset}"
        return f"{self.vcodec}{preset}, crf {self.crf}, a keyframe every {self.g} frames"

    def describe(self) -> dict[str, Any]:
        """Return what lerobot notes of the encoder in `info.json`, under `features[camera]["info"]`."""
        return {
            "video.g": self.g,
            "video.crf": self.crf,
            "video.preset": 12 if self.vcodec == "libsvtav1" and self.preset is None else self.preset,
            "video.fast_decode": self.fast_decode,
            "video.video_backend": "pyav",
            "video.extra_options": dict(self.extra_options),
        }


@contextlib.contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turn FFmpeg's errors from the operating system (a full disk) into `OSError`."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) or not 0 < (error.errno or 0) < 1000:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


class VideoEncoder:
    """One camera's video of one episode, encoded picture by picture in the caller's thread.

    Args:
        path: File to write, fragmented mp4.
        height, width: Picture size [px], even.
        fps: Pictures a second [Hz]; frame k is shown at exactly k / fps.
        settings: See `EncoderSettings`.

    Raises:
        UsageError: If the encoder refuses its options, or a hardware encoder finds no device.
        OSError: If the file cannot be written.
    """

    def __init__(self, path: Path, height: int, width: int, fps: float, settings: EncoderSettings) -> None:
        self.n_frames = 0
        rate = Fraction(fps).limit_denominator(1001)
        self._time_base = 1 / rate
        self._path = path
        # By path, not by a Python file: PyAV writes the end of a container that is garbage-collected, when a
        # Python file may be gone already, and that aborts the process.
        path.touch()
        with system_errors(path):
            self._container = av.open(str(path), "w", format="mp4", options=_FRAGMENTED)
        try:
            stream: Any = self._container.add_stream(
                CODECS[settings.vcodec], rate, options=settings.options()
            )
            stream.width, stream.height, stream.pix_fmt = width, height, settings.coded_pix_fmt
            stream.codec_context.time_base = self._time_base
            with ordinary_threads():
                stream.codec_context.open()
        except (av.error.FFmpegError, ValueError) as error:
            if settings.vcodec in HARDWARE:
                advice = "it needs its device and driver: use h264 or auto, or mend the driver"
            else:
                advice = "change the encoder's settings"
            raise UsageError(
                f"the {settings.vcodec} encoder refuses {settings.options()} for {width}x{height} "
                f"({error}): {advice}"
            ) from error
        self._stream = stream

    def add(self, image: np.ndarray) -> None:
        """Encode one picture.

        Args:
            image: RGB, uint8, (height, width, 3).

        Raises:
            OSError: If the disk refuses.
        """
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = self.n_frames, self._time_base
        with system_errors(self._path):
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        self.n_frames += 1

    def close(self) -> None:
        """Finish the file and sync it.

        Raises:
            OSError: If the disk refuses.
        """
        with system_errors(self._path):
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
        sync_file(self._path)
