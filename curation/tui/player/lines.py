"""An episode's time from left to right, as lines of text: marked spans, trim, and plots in braille. No Textual."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from collector.tui.draw.braille import GUIDE, NOBODY, plot
from curation.tui.player.spans import Span
from curation.tui.player.vectors import Row

# What a cell's ground shows: nothing, what is trimmed away, or a span by its severity.
PLAIN, AWAY, SEGMENT, WARN, FAULT = range(5)
SIGNS = {PLAIN: "─", AWAY: "·", SEGMENT: "═", WARN: "?", FAULT: "!"}
_SPARE = 0.05  # of the values' range, above and below

type Run = tuple[str, int, int]
"""A stretch of a line: its text, whose it is (a series, or `NOBODY`, `GUIDE`), and its ground."""


def column_of(frame: int, length: int, width: int) -> int:
    """Return the cell of a frame in a line of so many cells, as `plot` places it."""
    return min(frame * width // max(1, length), max(0, width - 1))


def frame_of(column: int, length: int, width: int) -> int:
    """Return the first frame of a cell."""
    return min(-(-column * length // max(1, width)), max(0, length - 1))


def grounds(
    spans: Sequence[Span], length: int, width: int, mark_in: int | None, mark_out: int | None
) -> np.ndarray:
    """Return the ground of each cell of a line, uint8, (width,); the more severe lies above."""
    ground = np.full(width, PLAIN, np.uint8)
    if mark_in is not None:
        ground[: column_of(mark_in, length, width)] = AWAY
    if mark_out is not None:
        ground[column_of(max(0, mark_out - 1), length, width) + 1 :] = AWAY
    for span in spans:
        first, last = column_of(span.first, length, width), column_of(span.last - 1, length, width)
        kind = {"fault": FAULT, "warn": WARN}.get(span.severity, SEGMENT)
        ground[first : last + 1] = np.maximum(ground[first : last + 1], kind)
    return ground


def timeline(ground: np.ndarray, length: int, mark_in: int | None, mark_out: int | None) -> list[Run]:
    """Return the line that shows spans and trim by signs, for who sees no colours."""
    signs = np.array([SIGNS[kind] for kind in range(len(SIGNS))])[ground]
    width = len(ground)
    if mark_in is not None and width:
        signs[column_of(mark_in, length, width)] = "["
    if mark_out is not None and width:
        signs[column_of(max(0, mark_out - 1), length, width)] = "]"
    return _split([("".join(signs), NOBODY)], ground)


def plot_lines(row: Row, height: int, ground: np.ndarray) -> list[list[Run]]:
    """Return a plot of so many lines on a ground."""
    known = row.series[np.isfinite(row.series)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    spare = _SPARE * (high - low) or max(abs(high) * _SPARE, 1e-9)
    # Braille draws the last one above: what was measured, on what was asked, on what else there is.
    order = [*range(2, len(row.series)), *range(min(2, len(row.series)))]
    drawn = plot(row.series[order], len(ground), height, low - spare, high + spare)
    named = [[(text, order[who] if who >= 0 else who) for text, who in runs] for runs in drawn]
    return [_split(runs, ground) for runs in named]


def heights(rows: int, room: int, most: int) -> list[int]:
    """Return how many of `room` lines each of so many plots has, all of them or `most`, at least one each."""
    least, rest = divmod(room, max(1, rows))
    return [min(most, max(1, least + (i < rest))) for i in range(rows)]


def value_words(row: Row, frame: int) -> str:
    """Return a row's values at a frame, in words."""
    values = row.series[:, min(frame, row.series.shape[1] - 1)] if row.series.shape[1] else ()
    return "  ".join(f"{word} {number(value)}".strip() for word, value in zip(row.words, values))


def number(value: float) -> str:
    """Return a value in few signs; `-` where there is none."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def _split(runs: Sequence[tuple[str, int]], ground: np.ndarray) -> list[Run]:
    """Split runs where the ground changes."""
    cuts = (np.flatnonzero(ground[1:] != ground[:-1]) + 1).tolist()
    lines: list[Run] = []
    begin = 0
    for text, who in runs:
        end = begin + len(text)
        edges = [begin, *(cut for cut in cuts if begin < cut < end), end]
        for first, last in pairwise(edges):
            lines.append((text[first - begin : last - begin], who, int(ground[first])))
        begin = end
    return lines


__all__ = ["AWAY", "FAULT", "GUIDE", "NOBODY", "PLAIN", "SEGMENT", "SIGNS", "WARN"]
