"""Buttons as events: a press, a long press, several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.session.state import Event
from collector.teleoperators.pad.mapping import Press


class Presses:
    """Turns buttons going down and up into the session's events.

    A button that has only a short meaning acts when it goes down; one that also has a long one acts when it comes
    up early, or when it has been held long enough.
    """

    def __init__(self, session: Mapping[Press, Event], hold_s: float) -> None:
        self._short: dict[str, Event] = {}
        self._long: dict[str, Event] = {}
        self._chords: dict[frozenset[str], tuple[Event, bool]] = {}
        for press, event in session.items():
            if len(press.buttons) > 1:
                self._chords[press.buttons] = (event, press.held)
            else:
                (button,) = press.buttons
                (self._long if press.held else self._short)[button] = event
        self._hold_s = hold_s
        self._down: dict[str, float] = {}  # since when [s]
        self._spent: set[str] = set()  # have acted, and do not again until they come up
        self._together: dict[frozenset[str], float] = {}  # chords that are pressed, since when
        self._done: set[frozenset[str]] = set()

    def feed(self, changes: Sequence[tuple[str, bool]], now_s: float) -> list[Event]:
        """Take what changed since the last call, and return what that asks for, oldest first.

        Args:
            changes: Buttons that went down (True) or up, in order.
            now_s: Now [s], on any clock that runs.
        """
        events: list[Event] = []
        for button, down in changes:
            events += self._pressed(button, now_s) if down else self._released(button, now_s)
        for button, since_s in self._down.items():
            if button in self._long and button not in self._spent and now_s - since_s >= self._hold_s:
                self._spent.add(button)
                events.append(self._long[button])
        for chord, since_s in self._together.items():
            if chord not in self._done and now_s - since_s >= self._hold_s:
                self._done.add(chord)
                events.append(self._chords[chord][0])
        return events

    def _pressed(self, button: str, now_s: float) -> list[Event]:
        self._down[button] = now_s
        self._spent.discard(button)
        events = []
        if button in self._short and button not in self._long:
            events.append(self._short[button])
        for chord, (event, held) in self._chords.items():
            if button in chord and chord <= self._down.keys() and chord not in self._together:
                self._together[chord] = now_s
                if not held:
                    self._done.add(chord)
                    events.append(event)
        return events

    def _released(self, button: str, now_s: float) -> list[Event]:
        since_s = self._down.pop(button, None)
        for chord in [chord for chord in self._together if not chord & self._down.keys()]:
            del self._together[chord]  # again only when all were let go
            self._done.discard(chord)
        # A long one that was let go too early is over.
        self._done |= {chord for chord in self._together if button in chord}
        if since_s is None or button in self._spent or button not in self._long:
            return []
        if now_s - since_s >= self._hold_s:  # came up between two looks
            return [self._long[button]]
        return [self._short[button]] if button in self._short else []
