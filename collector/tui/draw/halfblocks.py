"""A picture as rows of half blocks, encoded by numpy for a terminal: no object a cell, so a frame costs milliseconds.

A cell shows two square dots, one above the other: `▀` in the upper dot's colour on the lower dot's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np
from PIL import Image

_TRUE_TERMS = ("direct", "kitty", "alacritty", "foot", "wezterm", "ghostty")
_RAMP = np.frombuffer(b" .:-=+*#%@", np.uint8)
_MOST_TAPS = 4  # averaged along each side of a dot: beyond that a picture is thinned first, unseen by the eye

# `;` and a number in four bytes are one 32-bit word, so a row is a gather of words. The zeros in front are needed
# for the width alone: the second table says which bytes are sent.
_NUMBERS = np.frombuffer(b"".join(b";%03d" % n for n in range(256)), np.uint32)
_SENT = np.array([[1, n >= 100, n >= 10, 1] for n in range(256)], np.uint8).view(np.uint32)[:, 0]
_START, _END = (np.frombuffer(word, np.uint32)[0] for word in (b"\x1b[38", b"m\xe2\x96\x80"))
_ALL, _BLOCK_ALONE = np.array([[1, 1, 1, 1], [0, 1, 1, 1]], np.uint8).view(np.uint32)[:, 0]

_LEVELS = np.array([0, 95, 135, 175, 215, 255])
_NEAREST_LEVEL = np.abs(np.arange(256)[:, None] - _LEVELS).argmin(axis=1)


class ColourMode(Enum):
    """What the terminal shows: 24-bit colours, the 256 of xterm, or none."""

    TRUE = "truecolour"
    PALETTE = "256 colours"
    NONE = "no colour"


def colours_of(environ: Mapping[str, str]) -> ColourMode:
    """Return the colours to use in a terminal of this environment (`NO_COLOR`, `COLORTERM`, `TERM`)."""
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in ("", "dumb", "unknown") or term.startswith("vt"):
        return ColourMode.NONE
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or any(t in term for t in _TRUE_TERMS):
        return ColourMode.TRUE
    return ColourMode.PALETTE


def fitting(height: int, width: int, columns: int, rows: int) -> tuple[int, int]:
    """Return the most (columns, rows) within these that keep the picture's aspect ratio; (0, 0) of nothing."""
    if min(height, width, columns, rows) <= 0:
        return 0, 0
    scale = min(columns / width, 2 * rows / height)
    return min(columns, max(1, round(width * scale))), min(rows, max(1, round(height * scale / 2)))


def dots(picture: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Return the picture in the size of so many cells: uint8, (2 * rows, columns, 3).

    Each dot is the mean of what it covers; enlarged, it is the nearest pixel.

    Args:
        picture: uint8, (height, width, 3).

    Raises:
        ValueError: It is not such a picture.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (height, width, 3), not {picture.dtype} {picture.shape}")
    wanted = 2 * rows, columns, 3
    if picture.shape == wanted:
        return picture
    if 0 in wanted or 0 in picture.shape:
        return np.zeros(wanted, np.uint8)
    tall, wide = (max(1, have // (_MOST_TAPS * want)) for have, want in zip(picture.shape, wanted[:2]))
    thinned = np.ascontiguousarray(picture[::tall, ::wide])
    # The gap lets Pillow first shrink by a whole number, which is four times faster.
    small = Image.fromarray(thinned).resize((columns, 2 * rows), Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(small)


def encode_rows(picture: np.ndarray, columns: int, rows: int, colours: ColourMode) -> list[str]:
    """Return the picture, stretched to so many cells (see `fitting`), a string a row; see `encode_dots`."""
    return encode_dots(dots(picture, columns, rows), colours)


def encode_dots(grid: np.ndarray, colours: ColourMode) -> list[str]:
    """Return a row of half blocks for each two rows of dots.

    Each string stands alone: it sets its colours first and takes them back at its end. Without colours, it is a ramp of
    ASCII by brightness.

    Args:
        grid: uint8, (2 * rows, columns, 3).
    """
    if not grid.size:
        return [""] * (len(grid) // 2)
    if colours is ColourMode.NONE:
        return [row.tobytes().decode("ascii") for row in _RAMP[brightness(grid)]]
    numbers = grid if colours is ColourMode.TRUE else palette(grid)[..., None]
    # (rows, columns, upper and lower, what names a colour)
    pairs = np.stack([numbers[0::2], numbers[1::2]], axis=2)
    rows, columns, _, depth = pairs.shape
    named = np.empty((rows, columns, 2, depth + 2), np.uint8)
    named[:, :, :, 0] = 38, 48
    named[:, :, :, 1] = 2 if colours is ColourMode.TRUE else 5
    named[:, :, :, 2:] = pairs
    codes = named.reshape(rows, columns, -1)
    words = np.empty((rows, columns, codes.shape[2] + 1), np.uint32)
    sent = np.empty_like(words)
    np.take(_NUMBERS, codes, out=words[:, :, :-1], mode="clip")
    np.take(_SENT, codes, out=sent[:, :, :-1], mode="clip")
    words[:, :, 0], words[:, :, -1] = _START, _END
    sent[:, :, 0] = sent[:, :, -1] = _ALL
    like_left = (pairs[:, 1:] == pairs[:, :-1]).reshape(rows, columns - 1, 2 * depth).all(axis=2)
    sent[:, 1:][like_left] = 0
    sent[:, 1:, -1][like_left] = _BLOCK_ALONE
    chosen = sent.view(bool).reshape(rows, -1)
    text = words.view(np.uint8).reshape(rows, -1)[chosen].tobytes()
    ends = chosen.sum(axis=1).cumsum().tolist()
    return [text[start:end].decode() + "\x1b[0m" for start, end in zip([0, *ends], ends)]


def brightness(grid: np.ndarray) -> np.ndarray:
    """Return each cell's place in the ASCII ramp: (rows, columns), from the luma (ITU-R BT.601) of both its dots."""
    luma = grid.astype(np.uint32) @ np.array([77, 150, 29], np.uint32)
    return (luma[0::2] + luma[1::2]) * len(_RAMP) >> 17  # both lumas are below 2**16


def palette(grid: np.ndarray) -> np.ndarray:
    """Return the nearest of xterm's 216 cube colours and 24 greys to each dot: uint8, (2 * rows, columns)."""
    cube = _NEAREST_LEVEL[grid]
    seen = grid.astype(np.int32)
    grey = np.clip((seen.sum(axis=2) - 3 * 8 + 15) // 30, 0, 23)
    cube_error = ((_LEVELS[cube] - seen) ** 2).sum(axis=2)
    grey_error = ((8 + 10 * grey[..., None] - seen) ** 2).sum(axis=2)
    number = np.where(grey_error < cube_error, 232 + grey, 16 + cube @ np.array([36, 6, 1]))
    return number.astype(np.uint8)
