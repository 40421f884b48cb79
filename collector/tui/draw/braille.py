"""Plots in braille: two dots wide and four tall a cell, drawn by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

NOBODY = -1  # whose a cell is: no series'
GUIDE = -2  # or a guide's

# U+2800 and a bit for each dot: its left and its right column from top to bottom.
_BITS = np.array([[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]])
# The bits of the dots from one line to before another, for either column.
_UPRIGHTS = np.array(
    [[[column[start:end].sum() for end in range(5)] for start in range(5)] for column in _BITS], np.uint8
)

type Run = tuple[str, int]


def plot(
    series: np.ndarray,
    columns: int,
    rows: int,
    low: float,
    high: float,
    *,
    at: np.ndarray | None = None,
    guides: Sequence[float] = (),
) -> list[list[Run]]:
    """Draw lines; a value holds until the next, a step is an upright, what lies outside `low` to `high` is left out.

    Args:
        series: float, (n_series, n_points); NaN and infinities leave holes.
        columns, rows: Cells to draw in.
        low, high: The values of the lowest and the highest dot.
        at: Where the points lie from left (0) to right (1), ascending, (n_points,); by default, evenly. Points further
            left only say what holds at the left edge.
        guides: Values to draw a dotted line at, under the series.

    Returns:
        For each row its stretches from left to right: the text, and whose it is, a series' index (the last one's where
        several meet), `GUIDE` or `NOBODY`.

    Raises:
        ValueError: `high` is not above `low`, or `series` is not as above.
    """
    if not high > low:
        raise ValueError(f"a plot from {low} to {high}: the upper end has to be above the lower one")
    if series.ndim != 2:
        raise ValueError(f"series are (n_series, n_points), not {series.shape}")
    if columns <= 0 or rows <= 0:
        return [[] for _ in range(max(0, rows))]
    height = 4 * rows
    layers = np.zeros((1 + len(series), rows, columns), np.uint8)
    for guide in guides:
        line = _dot(np.array(guide), low, high, height)
        if 0 <= line < height:
            layers[0, int(line) // 4] |= np.uint8(_BITS[0, int(line) % 4])
    if series.size:
        known = np.where(np.isfinite(series), series, np.nan)
        first, last = _extents(_dot(known, low, high, height), 2 * columns, at)
        tops = 4 * np.arange(rows)[:, None]
        start = np.clip(np.nan_to_num(first, nan=height)[:, None] - tops, 0, 4).astype(np.intp)
        end = np.clip(np.nan_to_num(last, nan=-1)[:, None] - tops + 1, 0, 4).astype(np.intp)
        for side, bits in enumerate(_UPRIGHTS):
            layers[1:] |= bits[start[:, :, side::2], end[:, :, side::2]]
    # A guide is drawn in the cells that no series passes: dots of both in one cell would have one colour.
    layers[0][layers[1:].any(axis=0)] = 0
    owner = np.full((rows, columns), NOBODY)
    for index, layer in enumerate(layers, start=-1):
        owner[layer > 0] = index if index >= 0 else GUIDE
    drawn = np.bitwise_or.reduce(layers, axis=0).astype(np.int32)
    text = np.where(drawn > 0, 0x2800 + drawn, ord(" ")).astype("<u4").tobytes().decode("utf-32-le")
    return _runs(text, owner)


def _dot(values: np.ndarray, low: float, high: float, height: int) -> np.ndarray:
    """Return the line of dots, counted from the top, on which each value lies; float, NaN kept."""
    return height - 1 - np.floor((values - low) / (high - low) * (height - 1) + 0.5)


def _extents(lines: np.ndarray, width: int, at: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last line of dots of each series in each of `width` columns; NaN where none."""
    n_points = lines.shape[1]
    if at is None:
        place = np.arange(n_points) * width // n_points
    else:
        place = np.minimum(np.floor(np.asarray(at) * width), width - 1)
    every = np.arange(width)
    first, end = np.searchsorted(place, every), np.searchsorted(place, every, side="right")
    # Where a column has no point of its own, the last one before it holds.
    held = first == end
    first = np.where(held, first - 1, first)
    before_all, first = first < 0, np.maximum(first, 0)
    end = np.maximum(end, first + 1)
    # `reduceat` takes from each index to the next: every other result is one column's.
    edges = np.stack([first, end], axis=1).ravel()
    padded = np.concatenate([lines, np.full((len(lines), 1), np.nan)], axis=1)
    lowest = np.fmin.reduceat(padded, edges, axis=1)[:, ::2]
    highest = np.fmax.reduceat(padded, edges, axis=1)[:, ::2]
    lowest[:, before_all] = highest[:, before_all] = np.nan
    # A step is drawn as an upright, up to the line beside it.
    risen, fallen = lowest.copy(), highest.copy()
    risen[:, 1:] = np.fmin(lowest[:, 1:], np.where(np.isnan(lowest[:, 1:]), np.nan, highest[:, :-1] + 1))
    fallen[:, 1:] = np.fmax(highest[:, 1:], np.where(np.isnan(highest[:, 1:]), np.nan, lowest[:, :-1] - 1))
    return risen, fallen


def _runs(text: str, owner: np.ndarray) -> list[list[Run]]:
    """Split all rows' text where its owner, (rows, columns), changes."""
    rows, columns = owner.shape
    begins = np.ones((rows, columns), bool)
    begins[:, 1:] = owner[:, 1:] != owner[:, :-1]
    starts = np.flatnonzero(begins)
    lines: list[list[Run]] = [[] for _ in range(rows)]
    edges = pairwise([*starts.tolist(), len(text)])
    for (start, end), who in zip(edges, owner.ravel()[starts].tolist()):
        lines[start // columns].append((text[start:end], who))
    return lines
