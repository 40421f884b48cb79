"""The line in which episodes are filtered: SQL with completion, and a form of plain words that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Button, Input, Select, Static

from curation.completion import completions
from curation.wishes import ANYTHING, NOTHING, Wishes, as_sql


class _Names(Suggester):
    """Suggests how the condition may go on."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.names: Sequence[str] = ()

    async def get_suggestion(self, value: str) -> str | None:
        found = completions(value, self.names)
        return found[0] if found else None


class FilterBar(Vertical):
    """A line for SQL, and under it what its end may become; Tab or → takes the first."""

    @dataclass
    class Asked(Message):
        """A condition is to be applied; '' for all episodes."""

        condition: str

    @dataclass
    class Left(Message):
        """The line was left as it was."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = _Names()

    def compose(self) -> ComposeResult:
        yield Input(placeholder="SQL, like: faults = 0 AND rating >= 4", suggester=self._names, compact=True)
        yield Static(id="hints")

    def open(self, condition: str, names: Sequence[str]) -> None:
        """Let a condition be written.

        Args:
            condition: What stands there.
            names: What can be named in it.
        """
        self._names.names = names
        self.add_class("-open")
        line = self.query_one(Input)
        line.value = condition
        line.cursor_position = len(condition)
        line.focus()
        self._hint(condition)

    def close(self) -> None:
        """Put the line away."""
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._hint(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Asked(event.value.strip()))

    def on_key(self, event: events.Key) -> None:
        line = self.query_one(Input)
        if event.key == "escape":
            event.stop()
            self.post_message(self.Left())
        elif event.key == "tab":
            event.stop()
            event.prevent_default()
            if found := completions(line.value, self._names.names):
                line.value = found[0]
                line.cursor_position = len(line.value)

    def _hint(self, text: str) -> None:
        found = [one.rsplit(" ", 1)[-1] for one in completions(text, self._names.names)]
        self.query_one("#hints", Static).update(
            Content("  ".join(found[:40]) or "Enter: filter · Esc: leave")
        )


class WordsScreen(ModalScreen[str | None]):
    """A form of plain words; the SQL that it becomes stands below, and is what it gives.

    Args:
        checks: Names of checks that found something.
        tags: Tags in use.
        author: Whose unseen episodes can be asked for.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "close"), Binding("ctrl+s", "take", "apply")]

    def __init__(self, checks: Sequence[str], tags: Sequence[str], author: str) -> None:
        super().__init__()
        self._choices = {
            "verdict": ("the verdict is", ["keep", "drop", "undecided"]),
            "success": ("it was a success", ["yes", "no", "unknown"]),
            "found": ("a check found", [ANYTHING, NOTHING, *checks]),
            "rating": ("the rating is at least", list("12345")),
            "tag": ("it has the tag", list(tags)),
            "unseen_by": ("nothing was said by", [author]),
        }

    def compose(self) -> ComposeResult:
        with Vertical():
            with VerticalScroll():
                for name, (words, values) in self._choices.items():
                    with Horizontal(classes="wish"):
                        yield Static(Content(words))
                        yield Select([(v, v) for v in values], prompt="(whatever)", id=name, compact=True)
                for name, words in (("shortest", "at least so long [s]"), ("longest", "at most so long [s]")):
                    with Horizontal(classes="wish"):
                        yield Static(Content(words))
                        yield Input(type="number", id=name, compact=True)
            yield Static(id="sql")
            yield Button("Filter (Ctrl+S)", id="take", compact=True)

    def on_mount(self) -> None:
        self._show()

    def _sql(self) -> str:
        wishes = {}
        for field in fields(Wishes):
            widget = self.query_one(f"#{field.name}")
            value = widget.value if isinstance(widget, (Input, Select)) else ""
            wishes[field.name] = value if isinstance(value, str) else ""
        return as_sql(Wishes(**wishes))

    def _show(self) -> None:
        self.query_one("#sql", Static).update(Content(self._sql() or "all episodes"))

    def on_select_changed(self) -> None:
        self._show()

    def on_input_changed(self) -> None:
        self._show()

    def on_input_submitted(self) -> None:
        self.action_take()

    def on_button_pressed(self) -> None:
        self.action_take()

    def action_take(self) -> None:
        """Close, with the SQL."""
        self.dismiss(self._sql())
