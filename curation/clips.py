"""Small clips of an episode for a page: H.264 in memory, shrunk, at the speed it was flown."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import islice

import av

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import DataError

WIDTH = 240  # px
_CRF = "30"


def clip(dataset: Dataset, episode: int, camera: str, from_frame: int, to_frame: int) -> bytes:
    """Return frames of one camera, `to_frame` excluded, as an mp4 that every browser plays, `WIDTH` wide.

    Raises:
        DataError: If the pictures are missing or damaged.
    """
    height, width = schema.picture_size(dataset.features[camera])
    size = max(2, round(height * WIDTH / width / 2) * 2), WIDTH
    rate = Fraction(dataset.fps).limit_denominator(1000)
    buffer, shown = io.BytesIO(), 0
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": _CRF, "preset": "veryfast", "threads": "1"}
        pictures = dataset.frames(episode, camera, from_frame, size)
        for picture in islice(pictures, to_frame - from_frame):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base, shown = shown, 1 / rate, shown + 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if not shown:
        raise DataError(f"episode {episode} has no frames {from_frame}:{to_frame} of {camera}")
    return buffer.getvalue()
