"""The list of episodes: a hundred thousand rows, of which only those on the screen are ever made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from collector.errors import shown
from curation.room import Room

_MARKS = {True: "yes", False: "no", None: ""}
WIDE, MIDDLE = 90, 48  # cells, from which more columns are shown


@dataclass(frozen=True)
class _Column:
    title: str
    width: int
    right: bool = False


class QueueTable(ScrollView, can_focus=True):
    """The room's list.

    Attributes:
        cursor: The row that the cursor stands on; -1 where the list is empty.
        marked: Episodes that were chosen.
    """

    COMPONENT_CLASSES = {
        "queue--head", "queue--row", "queue--odd", "queue--cursor", "queue--keep", "queue--drop", "queue--fault",
        "queue--dim",
    }  # fmt: skip

    @dataclass
    class Moved(Message):
        """The cursor moved to an episode; None: the list is empty."""

        episode: int | None

    def __init__(self, room: Room, id: str | None = None) -> None:
        super().__init__(id=id)
        self.room = room
        self.cursor = 0 if len(room.rows) else -1
        self.marked: set[int] = set()
        self._anchor: int | None = None

    @property
    def episode(self) -> int | None:
        """The episode that the cursor stands on."""
        return int(self.room.rows[self.cursor]) if 0 <= self.cursor < len(self.room.rows) else None

    def on_mount(self) -> None:
        self.relist()

    def on_resize(self) -> None:
        self._measure()

    def _measure(self) -> None:
        self.virtual_size = Size(max(1, self.scrollable_content_region.width), len(self.room.rows) + 1)

    def relist(self, episode: int | None = None) -> None:
        """Show the list anew, with the cursor on an episode, if it is still there."""
        rows = self.room.rows
        at = np.flatnonzero(rows == episode) if episode is not None else np.zeros(0, np.int64)
        self.cursor = int(at[0]) if len(at) else min(max(self.cursor, 0), len(rows) - 1)
        self._anchor = None
        self.marked &= set(map(int, rows)) if self.marked else set()
        self._measure()
        self.refresh()
        self._into_view()

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, as far as there are rows."""
        rows = len(self.room.rows)
        row = min(max(row, 0), rows - 1)
        if row == self.cursor or not rows:
            return
        self.cursor = row
        self._into_view()
        self.refresh()
        self.post_message(self.Moved(self.episode))

    def _into_view(self) -> None:
        room = max(1, self.scrollable_content_region.height - 1)
        first = round(self.scroll_offset.y)
        if self.cursor < first:
            self.scroll_to(y=max(0, self.cursor), animate=False, immediate=True)
        elif self.cursor >= first + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False, immediate=True)

    def mark(self) -> None:
        """Choose the row, or no longer, and go on to the next."""
        if (episode := self.episode) is None:
            return
        self.marked ^= {episode}
        self._anchor = self.cursor
        self.move_to(self.cursor + 1)
        self.refresh()

    def mark_range(self) -> None:
        """Choose all rows from the last chosen one to this."""
        if self.episode is None:
            return
        first, last = sorted((self.cursor if self._anchor is None else self._anchor, self.cursor))
        self.marked |= set(map(int, self.room.rows[first : last + 1]))
        self._anchor = self.cursor
        self.refresh()

    def mark_all(self) -> None:
        """Choose all rows."""
        self.marked = set(map(int, self.room.rows))
        self.refresh()

    def mark_none(self) -> None:
        """Choose no row."""
        self.marked, self._anchor = set(), None
        self.refresh()

    # Keys and mouse

    def on_key(self, event: events.Key) -> None:
        page = max(1, self.scrollable_content_region.height - 2)
        ways = {
            "up": self.cursor - 1, "down": self.cursor + 1, "pageup": self.cursor - page,
            "pagedown": self.cursor + page, "ctrl+home": 0, "ctrl+end": len(self.room.rows) - 1,
        }  # fmt: skip
        if event.key in ways:
            event.stop()
            self.move_to(ways[event.key])

    def on_click(self, event: events.Click) -> None:
        row = round(self.scroll_offset.y) + event.y - 1
        if event.y > 0 and row < len(self.room.rows):
            self.move_to(row)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a line of the screen: the head, or a row."""
        width = self.scrollable_content_region.width
        ground = self._style("queue--row")
        if y == 0:
            head = self._line([c.title for c in self._columns(width)], width)
            return Strip([Segment(head, self._style("queue--head"))], width)
        row = round(self.scroll_offset.y) + y - 1
        if row >= len(self.room.rows):
            return Strip([Segment(" " * width, ground)], width)
        return self._row(row, width)

    def _columns(self, width: int) -> list[_Column]:
        digits = max(3, len(str(max(0, len(self.room.standing) - 1))))
        columns = [_Column("", 2), _Column("ep", digits, True), _Column("verdict", 7), _Column("ok", 3)]
        if width >= MIDDLE:
            columns += [_Column("★", 1), _Column("s", 5, True)]
        columns.append(_Column("why it is here", 0))
        if width >= WIDE:
            columns += [_Column("tags", 16)]
        return columns

    def _line(self, cells: list[str], width: int) -> str:
        columns = self._columns(width)
        rest = max(0, width - sum(c.width for c in columns) - len(columns))
        text = ""
        for column, cell in zip(columns, cells):
            room = column.width or rest
            if cell_len(cell) > room:
                cell = set_cell_size(cell, max(0, room - 1)) + "…" * (room > 0)
            blank = " " * max(0, room - cell_len(cell))
            text += (blank + cell if column.right else cell + blank) + " "
        return set_cell_size(text, width)

    def _row(self, row: int, width: int) -> Strip:
        room, episode = self.room, int(self.room.rows[row])
        standing = room.standing
        verdict, success = standing.value(episode, "verdict"), standing.value(episode, "success")
        # Signs, too, say what colours say.
        sign = ("▶" if row == self.cursor else " ") + ("•" if episode in self.marked else " ")
        cells: list[str] = [sign, str(episode), verdict or "", _MARKS.get(success, "")]
        if width >= MIDDLE:
            cells += [str(standing.value(episode, "rating") or "")]
            cells += [f"{standing.lengths[episode] / float(room.dataset.fps):.1f}"]
        cells.append(room.reason(episode))
        if width >= WIDE:
            cells.append(shown(",".join(standing.value(episode, "tags") or ()), 200))
        text = self._line(cells, width)
        style = self._style("queue--odd" if row % 2 else "queue--row")
        if verdict in ("keep", "drop"):
            style += self._style(f"queue--{verdict}")
        elif room.evidence.faults[episode]:
            style += self._style("queue--fault")
        if standing.seen[episode]:
            style += self._style("queue--dim")
        if row == self.cursor:
            style += self._style("queue--cursor")
        return Strip([Segment(text, style)], width)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(
            name, partial=name not in ("queue--row", "queue--odd", "queue--head")
        )
