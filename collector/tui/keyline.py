"""The line of keys at the bottom: what can be asked for now."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from collector.keymap import shown_key
from collector.session.actions import Action, possible
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
        """Return as many keys as there is room for: the emergency stop first, and last what shows all of them."""
        asked = sorted(self._actions, key=lambda action: action.title != "STOP")
        pairs = [
            (shown_key(action.keys[0]), action.title)
            for action in asked
            if action.keys and possible(action, self._state) and (self._recording or not action.recording)
        ]
        *keys, last = (
            Content.from_markup("[b]$key[/b] $title  ", key=key, title=title)
            for key, title in [*pairs, *self._own]
        )
        line, room = Content(" "), self.size.width - 1 - last.cell_length
        for one in keys:
            if one.cell_length > room:
                break
            line, room = line + one, room - one.cell_length
        return line + last if room >= 0 else line
