"""Screens over the cockpit: help, everything that was said, and the summary at the end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, RichLog, Static

from collector.keymap import shown_key
from collector.session.actions import Action
from collector.session.state import Event


class HelpScreen(ModalScreen[None]):
    """All keys.

    Args:
        actions: What there is to ask a session for.
        own: Keys and sentences of what the screen itself can do.
    """

    BINDINGS = [Binding("escape,question_mark,q", "dismiss", "close")]

    def __init__(self, actions: tuple[Action, ...], own: list[tuple[str, str]]) -> None:
        super().__init__()
        rows = [
            # Esc closes what lies over the cockpit, and never ends the session.
            (", ".join(shown_key(key) for key in action.keys if key != "escape"), action.help)
            for action in sorted(actions, key=lambda action: action.event is not Event.HALT)
        ]
        self._rows = [(keys, words) for keys, words in rows if keys] + own

    def compose(self) -> ComposeResult:
        width = max(len(keys) for keys, _ in self._rows) + 2
        lines = [
            Content.from_markup("[b]$keys[/b]$words", keys=keys.ljust(width), words=words)
            for keys, words in self._rows
        ]
        title = Content.from_markup("[b]Keys[/b]  (--keys gives them others; Esc closes)\n")
        yield VerticalScroll(Static(Content("\n").join([title, *lines])))


class MessagesScreen(ModalScreen[None]):
    """Everything that was said, and a search in it.

    Args:
        said: The lines, oldest first.
    """

    BINDINGS = [Binding("escape", "dismiss", "close")]

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def compose(self) -> ComposeResult:
        yield Vertical(Input(placeholder="search what was said"), RichLog(wrap=True, min_width=0))

    def on_mount(self) -> None:
        self._put("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._put(event.value)

    def _put(self, sought: str) -> None:
        log = self.query_one(RichLog)
        log.clear()
        for line in self._said:
            if sought.lower() in line.lower():
                log.write(line)


class SummaryScreen(ModalScreen[None]):
    """What the session brought: counts, rates, faults, and what to do next."""

    BINDINGS = [Binding("escape,q,enter,right", "app.leave", "close")]

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        yield VerticalScroll(Static(Content("\n".join(self._lines))))
