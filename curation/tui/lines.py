"""The room's lines of text: counts at the top, what was said last, and the keys at the bottom."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from collector.keymap import shown_key
from curation.room import Room
from curation.tui.actions import Action

_ROOMY = 100  # cells, from which the counts are said in whole words


class CountsLine(Static):
    """How many episodes are what, and what the filter would train on."""

    def show(self, room: Room, marked: int, backlog: int) -> None:
        """Show the counts of now."""
        counts, roomy = room.counts(), self.app.size.width >= _ROOMY
        if room.blind is not None:
            waiting = sum(map(room.standing.hidden, room.blind))
            parts = [f"BLIND {len(room.blind) - waiting} of {len(room.blind)} judged by {room.author}"]
        elif roomy:
            parts = [f"{counts.episodes:,} episodes", f"{counts.kept:,} kept", f"{counts.dropped:,} dropped"]
            parts += [f"{counts.unseen:,} unseen by {room.author}", f"{counts.disputed:,} disputed"]
        else:
            parts = [f"{counts.kept} kept", f"{counts.dropped} drop", f"{counts.unseen} unseen"]
            parts += [f"{counts.disputed} disp"] if counts.disputed else []
        if room.disputed_only:
            parts.insert(0, "DISPUTES")
        trains = f"{counts.chosen:,} ep {counts.frames:,} frames {counts.minutes:.1f} min"
        parts.append(
            f"query trains on {trains}" if roomy else f"→ {counts.chosen:,} ep {counts.minutes:.1f} min"
        )
        if marked:
            parts.insert(0, f"{marked:,} chosen")
        if backlog:
            parts.insert(0, f"{backlog} not saved yet")
        self.update(Content(" · ".join(parts)))


class SaidLine(Static):
    """What was said last: a decision, or an error."""

    words = ""

    def say(self, words: str, alarm: bool = False) -> None:
        """Say something."""
        self.words = words
        self.set_class(alarm, "-alarm")
        self.update(Content(f"! {words}" if alarm else words))


class Keyline(Widget):
    """As many keys as there is room for, and at the end the one that shows all of them."""

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = [a for a in actions if a.keys and not a.name.startswith("rate_")]

    def render(self) -> RenderResult:
        """Return the line."""
        ordered = sorted(self._actions, key=lambda action: action.name not in ("next", "undo", "play"))
        shown = [a for a in ordered if a.name != "help"]
        decisions = [a for a in shown if a.decides and a.keys]
        rest = [a for a in shown if a not in decisions]
        (help_,) = (a for a in self._actions if a.name == "help") if self._has_help() else (None,)
        last = _pair(help_) if help_ is not None else Content("")
        line, room = Content(" "), self.size.width - 1 - last.cell_length
        for action in [*decisions[:4], *rest]:
            one = _pair(action)
            if one.cell_length > room:
                break
            line, room = line + one, room - one.cell_length
        return line + last if room >= 0 else line

    def _has_help(self) -> bool:
        return any(action.name == "help" for action in self._actions)


def _pair(action: Action) -> Content:
    return Content.from_markup("[b]$key[/b] $title  ", key=shown_key(action.keys[0]), title=action.title)
