"""Segments of one episode carried to another: the same sentences, at the same share of the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def carried(segments: Sequence[Mapping[str, Any]], from_length: int, to_length: int) -> list[dict[str, Any]]:
    """Return segments scaled in time; where one ends and the next begins stays one frame.

    Args:
        segments: `from_frame`, `to_frame` (excluded) and `text` each, as labels hold them.
        from_length: Frames of the episode that they are of.
        to_length: Frames of the episode that they are for.
    """
    scaled = []
    for one in segments:
        first, last = (
            min(to_length, round(one[key] * to_length / from_length)) for key in ("from_frame", "to_frame")
        )
        first = min(first, to_length - 1)
        scaled.append({"from_frame": first, "to_frame": max(first + 1, last), "text": one["text"]})
    return scaled
