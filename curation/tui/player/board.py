"""The lower half of the player: where the cursor stands, a timeline, and plots under the same cursor."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Click, MouseMove
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from curation.tui.player import lines
from curation.tui.player.spans import Span
from curation.tui.player.vectors import Row, Vector

_WIDEST_GUTTER = 30
_LEAST_NUMBERS = 20  # cells of the gutter, for numbers beside a name
_TALLEST = 8  # lines of one plot
# Colours that the colour-blind tell apart (Okabe and Ito 2008); the gutter says in words which is which.
_SERIES = ("#e69f00", "#56b4e9", "#cc79a7")
_GROUNDS = {
    lines.AWAY: "board--away",
    lines.SEGMENT: "board--segment",
    lines.WARN: "board--warn",
    lines.FAULT: "board--fault",
}


class Board(Widget):
    """Draws everything of a frame but its pictures; only what a move of the cursor changes is drawn again."""

    COMPONENT_CLASSES = {
        "board--head",
        "board--trouble",
        "board--away",
        "board--segment",
        "board--warn",
        "board--fault",
    }
    DEFAULT_CSS = """
    Board { width: 1fr; height: 12; background: $surface; }
    Board > .board--head { background: $panel; color: $foreground; }
    Board > .board--trouble { background: $warning; color: $background; text-style: bold; }
    Board > .board--away { background: $surface; color: $foreground 40%; }
    Board > .board--segment { background: $secondary 35%; }
    Board > .board--warn { background: $warning 35%; }
    Board > .board--fault { background: $error 45%; }
    """

    class Pointed(Message):
        """A person pointed at a frame."""

        def __init__(self, frame: int) -> None:
            super().__init__()
            self.frame = frame

    def __init__(self) -> None:
        super().__init__()
        self.frame, self.length = 0, 0
        self.head, self.trouble = "", ""
        self._spans: Sequence[Span] = ()
        self._marks: tuple[int | None, int | None] = (None, None)
        self._vectors: list[Vector] = []
        self._words = ""
        self._page = 0
        self._drawn: tuple[Size, list[Strip], list[tuple[Row, int, int]]] | None = None
        self._plain, self._ground = Style.null(), Color(0, 0, 0)
        self._series = [Style.null()] * len(_SERIES)
        self._last = (-1, -1)  # the cell of the cursor, and the frame, that are on the screen

    def load(self, length: int, spans: Sequence[Span]) -> None:
        """Show another episode, whose plots are yet to come."""
        self.length, self._spans, self.frame = length, spans, 0
        self._vectors, self._words = [], "reading"
        self.redraw()

    def spans(self, spans: Sequence[Span]) -> None:
        """Shade these stretches from now on."""
        self._spans = spans
        self.redraw()

    def plots(self, vectors: list[Vector], words: str = "") -> None:
        """Show these plots, or the words where there are none."""
        self._vectors, self._words = vectors, words
        self.redraw()

    def mark(self, mark_in: int | None, mark_out: int | None) -> None:
        """Show a trim, to frames [mark_in, mark_out)."""
        if self._marks != (mark_in, mark_out):
            self._marks = mark_in, mark_out
            self.redraw()

    def turn(self) -> str:
        """Show the next page of plots; return its title."""
        self._page += 1
        self.redraw()
        return self.title

    def notify_style_update(self) -> None:
        """Draw everything anew, as the theme is another."""
        super().notify_style_update()
        self._drawn = None

    def redraw(self) -> None:
        """Draw everything anew."""
        self._drawn = None
        self.refresh()

    def move(self, frame: int, head: str, trouble: str = "") -> None:
        """Put the cursor on a frame, under a line of words; `trouble` stands out of it."""
        self.frame = frame
        if (head, trouble) != (self.head, self.trouble):
            self.head, self.trouble = head, trouble
            self.refresh(Region(0, 0, self.size.width, 1))
        gutter, width = self._parts(self.size.width)
        cell = lines.column_of(frame, self.length, width)
        if (cell, frame) == self._last or self.size.height < 2:
            return
        height = self.size.height - 1
        if cell != self._last[0]:
            for column in {cell, self._last[0]} - {-1}:
                self.refresh(Region(gutter + column, 1, 1, height))
        if gutter and frame != self._last[1]:
            self.refresh(Region(0, 1, gutter, height))
        self._last = cell, frame

    # Pages: of each vector as many rows as there is room for, one after the other

    @property
    def title(self) -> str:
        """What the present page shows."""
        pages = self._pages(self.size.height - 2)
        return pages[self._page % len(pages)][0] if pages else ""

    def _pages(self, room: int) -> list[tuple[str, tuple[Row, ...]]]:
        pages = []
        for vector in self._vectors if room > 0 else ():
            parts = [vector.rows[at : at + room] for at in range(0, len(vector.rows), room)]
            for number, rows in enumerate(parts, 1):
                where = f" {number}/{len(parts)}" if len(parts) > 1 else ""
                pages.append((f"{vector.title}{where}", rows))
        return pages

    @staticmethod
    def _parts(width: int) -> tuple[int, int]:
        """Return how many cells the gutter and the lines have."""
        gutter = min(_WIDEST_GUTTER, width // 3)
        return gutter, width - gutter

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a part of the board."""
        if any(self.gutter):
            return super().render_lines(crop)
        return [self.render_line(y).crop(crop.x, crop.right) for y in range(max(0, crop.y), crop.bottom)]

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        if self._drawn is None or self._drawn[0] != self.size:
            # These take long to ask for.
            self._plain, self._ground = self.rich_style, self.background_colors[1]
            self._series = [self._plain + Style(color=colour) for colour in _SERIES]
            self._drawn = self.size, *self._draw(self.size)
        if y == 0:
            return self._head(width)
        _, bodies, rows = self._drawn
        gutter, room = self._parts(width)
        if y - 1 >= len(bodies):
            return self._filtered(Strip.blank(width, self._plain))
        body = bodies[y - 1]
        cell = lines.column_of(self.frame, self.length, room)
        if self.length and room and (y == 1 or rows):
            under = body.crop(cell, cell + 1)
            lined = under.text if y > 1 and under.text.strip() else "┃" if y == 1 else "│"
            style = self._plain + Style(bold=True, reverse=lined not in "│┃")
            cursor = self._filtered(Strip([Segment(lined, style)], 1))
            body = Strip.join([body.crop(0, cell), cursor, body.crop(cell + 1, room)])
        return Strip.join([self._label(y, gutter, rows), body]) if gutter else body

    def _draw(self, size: Size) -> tuple[list[Strip], list[tuple[Row, int, int]]]:
        """Return the lines under the head, right of the gutter, and each row with its first line and its height."""
        _, width = self._parts(size.width)
        room = size.height - 2
        if room < -1 or not width:
            return [], []
        ground = lines.grounds(self._spans, self.length, width, *self._marks)
        bodies = [self._strip(lines.timeline(ground, self.length, *self._marks), width)] if room >= 0 else []
        pages = self._pages(room)
        if not pages:
            if self._words and room > 0:
                wrapped = textwrap.wrap(self._words, max(1, width - 1))[:room]
                bodies += [self._strip([(f" {line}", lines.NOBODY, lines.PLAIN)], width) for line in wrapped]
            return bodies, []
        shown = pages[self._page % len(pages)][1]
        rows = []
        for row, height in zip(shown, lines.heights(len(shown), room, _TALLEST)):
            rows.append((row, len(bodies), height))
            bodies += [self._strip(runs, width) for runs in lines.plot_lines(row, height, ground)]
        return bodies, rows

    def _strip(self, runs: Sequence[lines.Run], width: int) -> Strip:
        styles = {kind: self.get_component_rich_style(name) for kind, name in _GROUNDS.items()}
        segments = []
        for text, who, kind in runs:
            style = styles.get(kind, self._plain)
            if who >= 0:
                style += Style(color=_SERIES[who % len(_SERIES)])
            segments.append(Segment(text, style))
        return self._filtered(Strip(segments).adjust_cell_length(width, self._plain))

    def _filtered(self, strip: Strip) -> Strip:
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, self._ground)
        return strip

    def _head(self, width: int) -> Strip:
        segments = []
        if self.trouble:
            segments.append(Segment(f" ! {self.trouble} ", self.get_component_rich_style("board--trouble")))
        segments.append(Segment(f" {self.head}", self.get_component_rich_style("board--head")))
        strip = Strip(segments).adjust_cell_length(width, segments[-1].style)
        return self._filtered(strip)

    def _label(self, y: int, gutter: int, rows: list[tuple[Row, int, int]]) -> Strip:
        """Return what stands left of a line: names and values, in the colours of what they name."""
        segments: list[Segment] = []
        plain = self._plain
        if y == 1:
            segments = [Segment(f" {self.title}", plain + Style(bold=True))]
        for row, first, height in rows:
            if first < y <= first + height:
                segments = self._row_label(row, y - 1 - first, height, gutter)
        strip = Strip(segments).adjust_cell_length(gutter - 1, plain).extend_cell_length(gutter, plain)
        return self._filtered(strip)

    def _row_label(self, row: Row, line: int, height: int, gutter: int) -> list[Segment]:
        plain = self._plain
        values = (
            row.series[:, self.frame] if self.frame < row.series.shape[1] else np.full(len(row.words), np.nan)
        )
        said = [
            Segment(
                f" {word + ' ' if word and word != 'ms' else ''}{lines.number(value)}{' ms' if word == 'ms' else ''}",
                self._series[i % len(_SERIES)],
            )
            for i, (word, value) in enumerate(zip(row.words, values))
        ]
        if height > len(said):  # a line each
            return [Segment(f" {row.name}", plain)] if line == 0 else said[line - 1 : line]
        if height > 1 and line != 1:
            return [Segment(f" {row.name}", plain)] if line == 0 else []
        if height > 1:
            return [
                Segment(f" {lines.number(value)}", self._series[i % len(_SERIES)])
                for i, value in enumerate(values)
            ]
        # One line for all: what was asked and measured, where there is room for it.
        numbers = " ".join(lines.number(value) for value in values[:2]) if gutter >= _LEAST_NUMBERS else ""
        name = set_cell_size(f" {row.name}", max(0, gutter - 2 - len(numbers)))
        return [Segment(f"{name} {numbers}", plain)]

    # Pointing

    def on_click(self, event: Click) -> None:
        self._point(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        if event.button:
            self._point(event.x)

    def _point(self, x: int) -> None:
        gutter, width = self._parts(self.size.width)
        if x >= gutter and self.length:
            self.post_message(self.Pointed(lines.frame_of(x - gutter, self.length, width)))
