"""What is known of the episode that is looked at: its labels, what the checks found, and where people differ."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widgets import Static

from collector.dataset.labels import Conflict
from collector.errors import shown
from curation.queue import said_cell
from curation.room import Room
from curation.standing import Standing
from curation.tui.player import Span

_FIELDS = ("verdict", "success", "rating", "weight", "tags", "trim", "task")


class EpisodePanel(Static):
    """The episode's labels and findings."""

    def show(self, room: Room, episode: int | None) -> None:
        """Show what is known of an episode."""
        if episode is None:
            self.update(Content("no episode"), layout=False)
            return
        lines = [heading(room, episode)]
        standing = room.standing
        if standing.hidden(episode):
            lines.append(f"what others said is hidden until you give your own {standing.field}")
        lines += [
            line for conflict in standing.disputes(episode) for line in side_by_side(conflict, standing)
        ]
        note = standing.value(episode, "note")
        if note and not standing.disputes(episode):
            lines.append(f"note: {note}")
        lines += [f"segment {said_cell([one])}" for one in standing.said(episode).get("segments") or ()]
        fps = float(room.dataset.fps)
        for found in room.evidence.found(episode):
            where = f"{found.first / fps:.1f} to {found.last / fps:.1f} s"
            lines.append(f"{'!' if found.severity == 'fault' else '?'} {found.check} {where}: {found.words}")
        if not room.evidence.scored:
            lines.append("never scored: R runs the checks")
        self.update(Content("\n".join(shown(line, 500) for line in lines)), layout=False)


def heading(room: Room, episode: int) -> str:
    """Return the episode's number and labels in a line."""
    standing, parts = room.standing, [f"episode {episode}"]
    for name in _FIELDS:
        value = standing.value(episode, name)
        if value is not None and value != []:
            text = ":".join(map(str, value)) if name == "trim" else said_cell(value)
            parts.append(f"{name} {text}")
    return " · ".join(parts)


def side_by_side(conflict: Conflict, standing: Standing) -> list[str]:
    """Return what each said in a column of its own: who, the value, when, and that person's note."""
    about = f"{conflict.field} {said_cell(conflict.element)}" if conflict.element else conflict.field
    notes = standing.notes.get(conflict.episode, {})
    columns = []
    for sign, (author, value, at) in zip(("< ", "> ", *[""] * len(conflict.said)), conflict.said):
        text = "yes" if conflict.field == "tags" and value else said_cell(value)
        columns.append((f"{sign}{author}: {text}", at[:16].replace("T", " "), notes.get(author, "")))
    widths = [max(map(cell_len, column)) + 3 for column in columns]
    rows = [
        "".join(set_cell_size(cell, width) for cell, width in zip(cells, widths)).rstrip()
        for cells in zip(*columns)
    ]
    return [f"DISPUTE over {about}", *filter(None, rows)]


def spans_of(room: Room, episode: int) -> Sequence[Span]:
    """Return what the player marks of an episode: findings, and segments with their sentences."""
    found = [Span(f.first, f.last, f.severity, f"{f.check}: {f.words}") for f in room.evidence.found(episode)]
    segments = room.standing.said(episode).get("segments") or ()
    return [*found, *(Span(one["from_frame"], one["to_frame"], "segment", one["text"]) for one in segments)]
