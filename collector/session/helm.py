"""What the person asks for, from wherever it comes: the screen's keys, the pilot's own buttons, a squeezed gripper.

Every wish is put to the state table, and answered: taken ones can be felt, refused ones are told with the reason.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from collector.session import ipc
from collector.session.rig import Rig
from collector.session.state import Event, State, step

# A key meant for what was before must not act on what came after.
_OF_THE_MOMENT = frozenset({Event.END, Event.SUCCEED, Event.MISS, Event.DISCARD})
Handler = Callable[[Event, dict[str, Any]], None]


class Helm:
    """Collects the events of a session and keeps its state.

    Args:
        screen: The pipe to the screen.
        tell: Sends the screen a message.

    Attributes:
        state: The session's state.
        halted: Whether the robot was halted, and nobody freed it.
        lost_screen: Whether the screen is gone, or a signal asked to end.
        handlers: What to do at events that do not end a flight.
        gestures: Asked at every poll for events that the pilot's hand made.
    """

    def __init__(self, screen: Connection, tell: Callable[..., None]) -> None:
        self._screen, self._tell = screen, tell
        self.state = State.READY
        self.halted = self.lost_screen = False
        self.handlers: dict[Event, Handler] = {}
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
            if not self.take(event):
                continue
            if event not in self.handlers:
                return event
            self.handlers[event](event, content)
        return None

    def take(self, event: Event) -> bool:
        """Apply an event; return whether it was taken, and say so where it was refused."""
        answer = step(self.state, event)
        if answer.refused is None and event in (Event.HALT, Event.END):
            self.halted = event is Event.HALT
        self.state = answer.state
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
        try:
            while self._screen.poll():
                message = ipc.receive(self._screen)
                if message is not None and message.get("kind") == "event":
                    self._waiting.append((Event(message["event"]), message))
                elif message is not None and message.get("kind") == "keys" and hasattr(pilot, "feed"):
                    pilot.feed(bytes.fromhex(message["data"]), message["at"])
        except (EOFError, OSError):
            if not self.lost_screen:
                self._waiting.append((Event.LOST, {}))
        if hasattr(pilot, "session_events"):
            self._waiting.extend((event, {}) for event in pilot.session_events())
        self._waiting.extend((event, {}) for event in self.gestures())
