"""What one grey pass keeps of a camera's pictures: a few numbers a frame, and four small portraits of the view."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

LONGEST_SIDE = 320
PORTRAIT_SIDE = 48
PORTRAITS = 4
"""Portraits of an episode, each the median of as many of its pictures: what stays is in them, what moves is not."""
BLOCK_ROWS, BLOCK_COLUMNS = 6, 8
BLOCK_STEPS = 256
"""Steps a grey level in which the blocks' brightness is kept."""
MOST_KEPT = 1024
"""Small pictures that are kept for the portraits; of longer episodes each second, fourth, ... of them."""


def video_series(frames: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Measure what the checks want to know of a camera's pictures.

    Args:
        frames: RGB pictures, uint8, (height, width, 3).

    Returns:
        `brightness`: mean grey level (0..255); `difference`: root mean square of the grey difference to the
        picture before (the first repeats the second's); `sharpness`: variance of the Laplacian (Pech-Pacheco et al.
        2000); each float64, (n_frames,). `blocks`: mean grey of 6 x 8 parts of the picture, in 256ths of a grey
        level, uint16, (n_frames, 48). `portraits`: the medians of the episode's quarters, of at most 48 pixels a
        side, uint8, (4, height, width). Grey is the green channel, thinned to at most 320 pixels a side.
    """
    brightness, difference, sharpness, blocks = [], [], [], []
    small: list[np.ndarray] = []
    every = 1
    before: np.ndarray | None = None
    for number, frame in enumerate(frames):
        step = -(-max(frame.shape[:2]) // LONGEST_SIDE)
        grey = frame[::step, ::step, 1].astype(np.float32)
        laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
        brightness.append(float(grey.mean()))
        sharpness.append(_rms(laplacian) ** 2 - float(laplacian.mean()) ** 2 if laplacian.size else 0.0)
        difference.append(np.nan if before is None else _rms(grey - before))
        before = grey
        thumb = shrunk(grey)
        blocks.append(block_means(thumb))
        if number % every == 0:
            small.append(np.rint(thumb).astype(np.uint8))
            if len(small) > MOST_KEPT:
                small, every = small[::2], 2 * every
    if len(difference) > 1:
        difference[0] = difference[1]
    width = BLOCK_ROWS * BLOCK_COLUMNS
    return {
        "brightness": np.array(brightness, np.float64),
        "difference": np.nan_to_num(np.array(difference, np.float64)),
        "sharpness": np.array(sharpness, np.float64),
        "blocks": np.rint(np.array(blocks).reshape(-1, width) * BLOCK_STEPS).astype(np.uint16),
        "portraits": portraits_of(small),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.vdot(values, values) / max(1, values.size)))


def shrunk(grey: np.ndarray) -> np.ndarray:
    """Return a picture's means over squares of pixels, so that no side is over 48, float32; its rest is cut off."""
    side = -(-max(grey.shape) // PORTRAIT_SIDE)
    if side == 1:
        return grey
    high, wide = min(side, grey.shape[0]), min(side, grey.shape[1])
    h, w = grey.shape[0] // high, grey.shape[1] // wide
    # Rows first, which lie one behind the other: much faster than both at once.
    rows = grey[: h * high, : w * wide].reshape(h, high, w * wide).sum(axis=1)
    return rows.reshape(h, w, wide).sum(axis=2) / np.float32(high * wide)


def block_means(picture: np.ndarray) -> np.ndarray:
    """Return the means of 6 x 8 parts of a picture, row by row, (48,); of a smaller picture some parts are alike."""
    h, w = picture.shape
    top, left = np.arange(BLOCK_ROWS) * h // BLOCK_ROWS, np.arange(BLOCK_COLUMNS) * w // BLOCK_COLUMNS
    sums = np.add.reduceat(np.add.reduceat(picture, top, axis=0), left, axis=1)
    heights = np.maximum(1, np.diff(np.append(top, h)))
    widths = np.maximum(1, np.diff(np.append(left, w)))
    return (sums / np.outer(heights, widths)).ravel()


def portraits_of(small: list[np.ndarray]) -> np.ndarray:
    """Return the median pictures of the quarters of an episode, uint8, (4, height, width); (0, 0, 0) of none."""
    if not small:
        return np.zeros((0, 0, 0), np.uint8)
    stack = np.stack(small)
    ends = np.linspace(0, len(stack), PORTRAITS + 1).astype(int)
    parts = [stack[min(a, len(stack) - 1) : max(b, a + 1)] for a, b in pairwise(ends.tolist())]
    return np.stack([np.median(part, axis=0) for part in parts]).astype(np.uint8)
