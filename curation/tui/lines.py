"""The room's lines of text: counts at the top, what was said last, and the keys at the bottom."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from collector.keymap import shown_key
from curation.room import Room
from curation.tui.actions import Action

_ROOMY, _TIGHT = 120, 60  # cells, from which the counts are said in whole words, or in a few letters each
_FIRST = ("next", "undo", "play")  # of what is no decision


class CountsLine(Static):
    """How many episodes are what, and what the filter would train on."""

    def show(self, room: Room, marked: int, backlog: int, stuck: bool) -> None:
        """Show the counts of now.

        Args:
            room: What is counted.
            marked: Chosen rows.
            backlog: Decisions that are not on the disk yet: a star says that there are some.
            stuck: Whether the disk refuses them.
        """
        counts, width = room.counts(), self.app.size.width
        roomy = width >= _ROOMY
        if room.blind is not None:
            waiting = sum(map(room.standing.hidden, room.blind))
            parts = [f"BLIND {len(room.blind) - waiting} of {len(room.blind)} judged by {room.author}"]
        elif roomy:
            parts = [f"{counts.episodes:,} episodes", f"{counts.kept:,} kept", f"{counts.dropped:,} dropped"]
            parts += [f"{counts.unseen:,} unseen by {room.author}", f"{counts.disputed:,} disputed"]
        elif width >= _TIGHT:
            parts = [f"{counts.kept} kept", f"{counts.dropped} dropped", f"{counts.unseen} unseen"]
            parts += [f"{counts.disputed} disputed"] if counts.disputed else []
        else:
            parts = [f"k{counts.kept} d{counts.dropped} unseen {counts.unseen}"]
            parts[0] += f" !{counts.disputed}" if counts.disputed else ""
        if room.disputed_only:
            parts.insert(0, "DISPUTES")
        trains = f"{counts.chosen:,} ep {counts.frames:,} frames {counts.minutes:.1f} min"
        parts.append(
            f"query trains on {trains}" if roomy else f"→ {counts.chosen:,} ep {counts.minutes:.1f} min"
        )
        if marked:
            parts.insert(0, f"{marked:,} chosen")
        if backlog and stuck:
            parts.insert(0, f"{backlog} not saved yet")
        self.update(Content(("*" if backlog else " ") + " · ".join(parts)), layout=False)


class SaidLine(Static):
    """What was said last: a decision, or an error."""

    words = ""

    def say(self, words: str, alarm: bool = False) -> None:
        """Say something."""
        grows = alarm or self.has_class("-alarm")  # what is wrong may need more than a line
        self.words = words
        self.set_class(alarm, "-alarm")
        self.update(Content(f"! {words}" if alarm else words), layout=grows)


class Keyline(Widget):
    """As many keys as there is room for, and at the end the one that shows all of them."""

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = {a.name: a for a in actions if a.keys and not a.name.startswith("rate_")}
        self._disputes = False

    def show(self, disputes: bool) -> None:
        """Show the keys, of a list of disputes or of any."""
        if disputes != self._disputes:
            self._disputes = disputes
            self.refresh()

    def render(self) -> RenderResult:
        """Return the line."""
        sides = ("take_left", "take_right", "settle") if self._disputes else ()
        names = [*sides, *(n for n, a in self._actions.items() if a.decides)][: 4 + len(sides)]
        ordered = dict.fromkeys([*names, *_FIRST, *self._actions])
        ordered.pop("help", None)
        last = _pair(self._actions["help"]) if "help" in self._actions else Content("")
        line, room = Content(" "), self.size.width - 1 - last.cell_length
        for name in ordered:
            if name not in self._actions:
                continue
            one = _pair(self._actions[name])
            if one.cell_length > room:
                break
            line, room = line + one, room - one.cell_length
        return line + last if room >= 0 else line


def _pair(action: Action) -> Content:
    return Content.from_markup("[b]$key[/b] $title  ", key=shown_key(action.keys[0]), title=action.title)
