"""What the person asks for, from wherever it comes: the screen's keys, the pilot's own buttons, a squeezed gripper.

Every wish is put to the state table, and answered: taken ones can be felt, refused ones are told with the reason.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from collector.session.port import ScreenPort
from collector.session.rig import Rig
from collector.session.state import Event, State, step

# A key meant for what was before must not act on what came after.
_OF_THE_MOMENT = frozenset({Event.END, Event.SUCCEED, Event.MISS, Event.DISCARD})
Handler = Callable[[Event, dict[str, Any]], None]


class Helm:
    """Collects the events of a session and keeps its state.

    Args:
        screen: The way to the screen.
        reattach_s: How long a screen that is gone is waited for [s]; 0 ends the session at once.

    Attributes:
        state: The session's state.
        halted: Whether the robot was halted, and nobody freed it.
        lost_screen: Whether the screen is gone, or a signal asked to end.
        handlers: What to do at events that do not end a flight.
        between: What to do, outside of flights that are recorded, at events that end such a flight.
        gestures: Asked at every poll for events that the pilot's hand made.
    """

    def __init__(self, screen: ScreenPort, reattach_s: float = 0.0) -> None:
        self._screen, self._tell, self._reattach_s = screen, screen.tell, reattach_s
        self._unseen = False  # whether it was noticed that the screen is gone
        self.state = State.READY
        self.halted = self.lost_screen = False
        self.handlers: dict[Event, Handler] = {}
        self.between: dict[Event, Handler] = {}
        self.gestures: Callable[[], list[Event]] = list
        self._waiting: deque[tuple[Event, dict[str, Any]]] = deque()
        self._marked_s = time.monotonic()
        self.rig: Rig | None = None

    def mark(self) -> None:
        """Something new begins for the person (a flight, a reset): what was pressed before is refused from now on."""
        self._collect()
        for _, content in self._waiting:
            content.setdefault("at", -1.0)
        self._marked_s = time.monotonic()

    def poll(self) -> Event | None:
        """Return the next event that was taken and ends what goes on, if there is one; never waits."""
        self._collect()
        while self._waiting:
            event, content = self._waiting.popleft()
            if event in _OF_THE_MOMENT and content.get("at", self._marked_s) < self._marked_s:
                self._refuse(event, "it was asked for before this began")
                continue
            self.lost_screen |= event is Event.LOST
            handlers = self.handlers if self.state is State.RECORDING else self.handlers | self.between
            if not self.take(event):
                continue
            if event not in handlers:
                return event
            handlers[event](event, content)
        return None

    def take(self, event: Event) -> bool:
        """Apply an event; return whether it was taken, and say so where it was refused."""
        answer = step(self.state, event)
        if answer.refused is None and event in (Event.HALT, Event.END):
            self.halted = event is Event.HALT
        if self.state is not answer.state:
            self.state = answer.state
            self._tell("state", state=answer.state.value)
        if answer.refused:
            self._refuse(event, answer.refused)
        else:
            self.cue(event.value)
        return answer.refused is None

    def request(self, event: Event) -> None:
        """Ask for an event from within; it is answered at the next poll."""
        self._waiting.append((event, {}))

    def refuse(self, event: Event, why: str) -> None:
        """Tell the person why an event that the table allows cannot be followed."""
        self._refuse(event, why)

    def cue(self, cue: str) -> None:
        """Let the person feel it, where the pilot's device can."""
        pilot: Any = self.rig.pilot if self.rig else None
        if hasattr(pilot, "cue"):
            pilot.cue(cue)

    def _refuse(self, event: Event, why: str) -> None:
        self._tell("refused", event=event.value, why=why)
        self.cue("refused")

    def _collect(self) -> None:
        pilot: Any = self.rig.pilot if self.rig else None
        for message in self._screen.hear():
            if message["kind"] == "event":
                self._waiting.append((Event(message["event"]), message))
            elif message["kind"] == "keys" and hasattr(pilot, "feed"):
                pilot.feed(bytes.fromhex(message["data"]), message["at"])
        gone_since_s = self._screen.gone_since_s
        if gone_since_s is None:
            self._unseen = False
        elif not self.lost_screen and time.monotonic() - gone_since_s >= self._reattach_s:
            self._waiting.append((Event.LOST, {}))
        elif not self._unseen:
            self._waiting.append((Event.UNSEEN, {}))
        self._unseen = gone_since_s is not None
        if hasattr(pilot, "session_events"):
            self._waiting.extend((event, {}) for event in pilot.session_events())
        self._waiting.extend((event, {}) for event in self.gestures())
