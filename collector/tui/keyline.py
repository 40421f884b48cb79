"""The line of keys at the bottom: what can be asked for now."""

from __future__ import annotations

from rich.cells import set_cell_size
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from collector.session.actions import Action, possible, shown
from collector.session.state import State


class Keys(Widget):
    """Keys by state; of what the session would refuse now, nothing is shown.

    Args:
        actions: What there is to ask a session for.
        own: Keys and titles of what the screen itself can do.
    """

    def __init__(self, actions: tuple[Action, ...], own: list[tuple[str, str]]) -> None:
        super().__init__()
        self._actions, self._own = actions, own
        self._recording, self._state = True, State.READY

    def show(self, state: State, recording: bool) -> None:
        """Show the keys of a state."""
        if (state, recording) != (self._state, self._recording):
            self._state, self._recording = state, recording
            self.refresh()

    def render(self) -> RenderResult:
        """Return as many keys as there is room for; the emergency stop first."""
        asked = sorted(self._actions, key=lambda action: action.title != "STOP")
        pairs = [
            (shown(action.keys[0]), action.title)
            for action in asked
            if action.keys and possible(action, self._state) and (self._recording or not action.recording)
        ]
        line, used = Content(" "), 1
        for key, title in [*pairs, *self._own]:
            one = Content.from_markup("[b]$key[/b] $title  ", key=key, title=title)
            if used + one.cell_length > self.size.width:
                break
            line, used = line + one, used + one.cell_length
        return line


def padded(text: str, width: int) -> str:
    """Return a text of exactly so many cells."""
    return set_cell_size(text, width)
