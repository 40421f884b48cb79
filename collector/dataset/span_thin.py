"""Videos with fewer frames a second: by packet copy where the frames that stay are keyframes, else encoded anew.

Recordings of ours and lerobot's have a keyframe every second frame: half, a quarter, a sixth of the rate cost
nothing, and the pictures stay bit by bit what they were.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from collector.dataset import durable
from collector.dataset.encode import CODECS, EncoderSettings
from collector.dataset.spans import Span
from collector.dataset.video import VideoEncoder, VideoReader


def only_keyframes(path: Path, span: Span, from_s: float) -> bool:
    """Whether every frame of a span with a step is a keyframe of the file. Raises as `VideoReader.packets`.

    Args:
        from_s: Where the episode begins in the file [s].
    """
    n_frames = span.to_frame - span.from_frame
    with VideoReader(path, span.source.fps) as reader:
        wanted = (
            packet.is_keyframe
            for packet, shown, _ in reader.packets(from_s + span.from_frame / span.source.fps, n_frames)
            if 0 <= shown < n_frames and shown % span.step == 0
        )
        return all(wanted)


def encode(root: Path, span: Span, camera: str, path: Path, from_s: float) -> Path:
    """Encode a span's frames anew, by the settings that `info.json` notes; return a temporary file below `root`.

    Args:
        camera: Its name in the source.
        path: The source's video.
        from_s: Where the episode begins in it [s].

    Raises:
        DataError: If the video is damaged or too short.
        UsageError: If the encoder refuses the settings.
        OSError: If the disk refuses.
    """
    target = root / f".{camera}.{span.episode}.mp4"
    durable.make_folder(root)
    first_s, n_frames = from_s + span.from_frame / span.source.fps, span.to_frame - span.from_frame
    encoder: VideoEncoder | None = None
    with VideoReader(path, span.source.fps) as reader:
        for image in islice(reader.frames(first_s, n_frames), 0, None, span.step):
            if encoder is None:
                height, width = image.shape[:2]
                encoder = VideoEncoder(target, height, width, span.fps, settings_of(span, camera))
            encoder.add(image)
    if encoder is not None:
        encoder.close()
    return target


def settings_of(span: Span, camera: str) -> EncoderSettings:
    """Return the encoder's settings that a dataset notes of a camera, as far as this machine can follow them."""
    about = span.source.features[camera].get("info") or {}
    codec = str(about.get("video.codec", "av1"))
    known = {
        name: about[f"video.{name}"]
        for name in ("pix_fmt", "g", "crf", "preset")
        if about.get(f"video.{name}") is not None
    }
    return EncoderSettings.of({**known, "vcodec": codec if codec in CODECS else "libsvtav1"})
