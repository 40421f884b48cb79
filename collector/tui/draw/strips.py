"""A row of a picture as Textual wants it: encoded already where it goes to a terminal whole, segments where not.

Textual asks a strip for its text (`render`), for a part (`crop`, `divide`, under an overlay or at an edge), or for its
segments (screenshots, what dims or joins strips). Parts stay pictures; segments are made when first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from rich.color import Color
from rich.color import ColorSystem as RichColours
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from collector.tui.draw.halfblocks import ColourMode, dots, encode_dots, palette


class PictureStrip(Strip):
    """One row of half blocks, with blank cells at both sides.

    Args:
        pair: The row's upper and lower dots, uint8, (2, columns, 3); kept, not copied.
        colours: What the terminal shows.
        encoded: `encode_dots(pair, colours)[0]`, where known.
        before, after: Blank cells at its left and right.
        margin: Their style.
    """

    __slots__ = ("_after", "_before", "_colours", "_encoded", "_made", "_margin", "_pair")

    def __init__(
        self,
        pair: np.ndarray,
        colours: ColourMode,
        encoded: str | None = None,
        before: int = 0,
        after: int = 0,
        margin: Style | None = None,
    ) -> None:
        super().__init__((), before + pair.shape[1] + after)
        self._pair, self._colours, self._encoded = pair, colours, encoded
        self._before, self._after, self._margin = before, after, margin
        self._cell_count = self._cell_length
        self._made: list[Segment] | None = None

    # The base class reads its segments from this attribute everywhere, so all it does stays right.
    @property
    def _segments(self) -> list[Segment]:
        if self._made is None:
            self._made = [
                *self._blank(self._before),
                *_segments(self._pair, self._colours),
                *self._blank(self._after),
            ]
        return self._made

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        self._made = segments

    def render(self, console: Console) -> str:
        """Return the row with its escape codes."""
        if self._render_cache is None:
            encoded = self._encoded
            if encoded is None:
                encoded = encode_dots(self._pair, self._colours)[0]
            system = console._color_system or RichColours.TRUECOLOR
            before, after = (
                "".join(self.render_style(style, text, system) if style else text for text, style, _ in blank)
                for blank in (self._blank(self._before), self._blank(self._after))
            )
            self._render_cache = before + encoded + after
        return self._render_cache

    def crop(self, start: int, end: int | None = None) -> Strip:
        """Return the cells from `start` to before `end`, a picture again."""
        start = max(0, start)
        end = self.cell_length if end is None else min(self.cell_length, end)
        if (start, end) == (0, self.cell_length):
            return self
        if end <= start:
            return Strip([], 0)
        if (known := self._crop_cache.get((start, end))) is not None:
            return known
        columns = self._pair.shape[1]
        first, last = (min(max(0, edge - self._before), columns) for edge in (start, end))
        part = PictureStrip(
            self._pair[:, first:last],
            self._colours,
            before=max(0, min(end, self._before) - start),
            after=max(0, end - max(start, self._before + columns)),
            margin=self._margin,
        )
        self._crop_cache[start, end] = part
        return part

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return the parts that end at each of the cuts."""
        return [self.crop(*edges) for edges in pairwise([0, *(c for c in cuts if c <= self.cell_length)])]

    def __bool__(self) -> bool:
        return self.cell_length > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PictureStrip):
            return super().__eq__(other)
        mine = (self._colours, self._before, self._after, self._margin)
        its = (other._colours, other._before, other._after, other._margin)
        return mine == its and np.array_equal(self._pair, other._pair)

    __hash__ = None  # type: ignore[assignment] # like the base: equality is by content

    def _blank(self, cells: int) -> list[Segment]:
        return [Segment(" " * cells, self._margin)] if cells else []


def picture_strips(
    picture: np.ndarray,
    columns: int,
    rows: int,
    colours: ColourMode,
    before: int = 0,
    after: int = 0,
    margin: Style | None = None,
) -> list[PictureStrip]:
    """Return a picture, uint8 (height, width, 3), as so many rows of so many cells beside the blank ones.

    Raises:
        ValueError: It is not such a picture.
    """
    grid = dots(picture, columns, rows)
    pairs = grid.reshape(rows, 2, columns, 3)
    encoded = encode_dots(grid, colours)
    return [PictureStrip(pair, colours, text, before, after, margin) for pair, text in zip(pairs, encoded)]


@lru_cache(maxsize=4096)
def _style(colours: ColourMode, upper: tuple[int, ...], lower: tuple[int, ...]) -> Style:
    if colours is ColourMode.TRUE:
        return Style.from_color(*(Color.from_triplet(ColorTriplet(*rgb)) for rgb in (upper, lower)))
    return Style.from_color(Color.from_ansi(*upper), Color.from_ansi(*lower))


def _segments(pair: np.ndarray, colours: ColourMode) -> list[Segment]:
    """Return a row as segments, one for each stretch of like cells."""
    if not pair.size:
        return []
    if colours is ColourMode.NONE:
        return [Segment(encode_dots(pair, colours)[0])]
    numbers = pair if colours is ColourMode.TRUE else palette(pair)[..., None]
    changes = np.flatnonzero((numbers[:, 1:] != numbers[:, :-1]).any(axis=(0, 2))) + 1
    starts = [0, *changes.tolist()]
    lengths = np.diff([*starts, pair.shape[1]]).tolist()
    return [
        Segment("▀" * length, _style(colours, tuple(upper), tuple(lower)))
        for length, upper, lower in zip(lengths, *numbers[:, starts].tolist())
    ]
