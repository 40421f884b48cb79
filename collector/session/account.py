"""What a session has told so far, folded into one account; every display shows the same."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from collector.errors import DemodeckError
from collector.session import ipc
from collector.session.state import State

_KEPT_FAULTS = 50  # the latest of them, to be shown


@dataclass
class TakeNow:
    """The flight that goes on, or the last one.

    Attributes:
        number: Which flight of the session it is, counted from 1.
        episode: The episode that it becomes.
        task: In words.
        limit_s: Its time limit [s].
        began_s: Of `time.monotonic()`.
    """

    number: int = 0
    episode: int = 0
    task: str = ""
    limit_s: float | None = None
    began_s: float = 0.0


@dataclass
class Account:
    """What a session has told so far.

    Attributes:
        config: How the session is set up: `display`, `json`, where it pushes to.
        flying: Where and what is recorded; empty before the robot is connected.
        state: The session's state.
        since_s: When it came into that state, of `time.monotonic()`.
        take: The flight that goes on, or the last one.
        flown: The `flown` message of the last flight that ended; None before.
        saved: The `saved` message of each saved episode, by episode.
        verdicts: The `verdict` message of each episode, by episode.
        successes: What each saved episode is held to be, as flown or as marked afterwards, by episode.
        taken_back: Episodes that are taken back.
        discarded: Flights thrown away.
        ticks: Of all flights.
        lateness: Of each flight [ms]; see `lateness_ms`.
        clipped: Ticks that safety changed, by why.
        camera_faults: The latest, in words.
        backlog: Flights and pictures that wait to be saved, and how many flights may.
        motors: Temperature [degrees C] and limit of the hottest motor, its name; empty where none tells.
        rig: What was found when the rig was looked at, before the first flight.
        view: Where the flight can be seen; see `View`.
        reset_until_s: When the time to put the scene back is over, of `time.monotonic()`; None: it does not run.
        errors: What ended the session.
        briefing: What the pilot asks of the next scene, in words; empty where it asks nothing.
        enough: Whether all flights that were wanted are flown.
        replaced: Whether another screen has taken the place of this one.
        closed: The `done` message; None until everything is sealed and disconnected.
    """

    config: dict[str, Any] = field(default_factory=lambda: {"display": "log", "json": False})
    flying: dict[str, Any] = field(default_factory=dict)
    state: State = State.READY
    since_s: float = field(default_factory=time.monotonic)
    take: TakeNow = field(default_factory=TakeNow)
    flown: dict[str, Any] | None = None
    saved: dict[int, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[int, dict[str, Any]] = field(default_factory=dict)
    successes: dict[int, bool | None] = field(default_factory=dict)
    taken_back: set[int] = field(default_factory=set)
    discarded: int = 0
    ticks: int = 0
    lateness: list[dict[str, float]] = field(default_factory=list)
    clipped: Counter[str] = field(default_factory=Counter)
    camera_faults: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_FAULTS))
    backlog: dict[str, int] = field(default_factory=lambda: {"flights": 0, "pictures": 0, "limit": 0})
    motors: dict[str, Any] = field(default_factory=dict)
    rig: list[dict[str, Any]] = field(default_factory=list)
    view: dict[str, Any] | None = None
    reset_until_s: float | None = None
    briefing: str = ""
    enough: bool = False
    clutched: bool = False
    person_flies: bool | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    closed: dict[str, Any] | None = None
    replaced: bool = False
    began_s: float = field(default_factory=time.monotonic)

    def take_in(self, message: dict[str, Any]) -> None:
        """Fold one message of control or recorder in; kinds that change nothing here are left alone."""
        handler = getattr(self, f"_on_{message['kind']}", None)
        if handler is not None:
            handler(message)

    @property
    def frames(self) -> int:
        """Frames saved in this session, taken back ones included."""
        return sum(message["frames"] for message in self.saved.values())

    @property
    def kept(self) -> list[int]:
        """Whole episodes that are saved and not taken back."""
        return [
            episode for episode in self.saved if episode not in self.taken_back and episode not in self.cut
        ]

    @property
    def cut(self) -> list[int]:
        """Saved episodes that something interrupted: they are kept too, and flown again."""
        return [episode for episode, message in self.saved.items() if message["interrupted"]]

    def error(self) -> DemodeckError | None:
        """Return what ended the session, or None."""
        return ipc.error_of(min(self.errors, key=lambda message: message["at"])) if self.errors else None

    def _on_config(self, message: dict[str, Any]) -> None:
        self.config = message

    def _on_feed(self, message: dict[str, Any]) -> None:
        self.config["feed"] = True

    def _on_flying(self, message: dict[str, Any]) -> None:
        self.flying, self.began_s = message, message["told_s"]

    def _on_teleop(self, message: dict[str, Any]) -> None:
        self.flying, self.began_s = {**message, "episodes": 0}, message["told_s"]

    def _on_state(self, message: dict[str, Any]) -> None:
        self.state, self.since_s = State(message["state"]), message["told_s"]
        if self.state is not State.READY:
            self.reset_until_s = None

    def _on_enough(self, message: dict[str, Any]) -> None:
        self.enough = True

    def _on_take(self, message: dict[str, Any]) -> None:
        self.enough = False
        known = ("number", "episode", "task", "limit_s")
        self.take = TakeNow(**{key: message[key] for key in known}, began_s=message["told_s"])

    def _on_briefing(self, message: dict[str, Any]) -> None:
        self.briefing = message["words"]

    def _on_reset(self, message: dict[str, Any]) -> None:
        self.reset_until_s = message["told_s"] + message["seconds"]

    def _on_flown(self, message: dict[str, Any]) -> None:
        self.flown = message
        self.ticks += message["ticks"]
        self.clipped.update(message["clipped"])
        self.discarded += message["discard"]
        if message["late_ms"] is not None:
            self.lateness.append(message["late_ms"])

    def _on_saved(self, message: dict[str, Any]) -> None:
        self.saved[message["episode"]] = message
        self.successes[message["episode"]] = message["success"]
        waiting = max(0, self.backlog["flights"] - 1)
        self.backlog = self.backlog | {"flights": waiting} | ({} if waiting else {"pictures": 0})

    def _on_marked(self, message: dict[str, Any]) -> None:
        self.successes[message["episode"]] = message["success"]

    def _on_verdict(self, message: dict[str, Any]) -> None:
        self.verdicts[message["episode"]] = message

    def _on_take_back(self, message: dict[str, Any]) -> None:
        self.enough = False
        self.taken_back.add(message["episode"])

    def _on_bring_back(self, message: dict[str, Any]) -> None:
        self.taken_back.discard(message["episode"])

    def _on_camera(self, message: dict[str, Any]) -> None:
        self.camera_faults.append(message["words"])

    def _on_sealing(self, message: dict[str, Any]) -> None:
        self.backlog = {key: message[key] for key in ("flights", "pictures", "limit")}

    def _on_motors(self, message: dict[str, Any]) -> None:
        self.motors = message

    def _on_rig(self, message: dict[str, Any]) -> None:
        self.rig = message["findings"]

    def _on_view(self, message: dict[str, Any]) -> None:
        self.view = message

    def _on_clutch(self, message: dict[str, Any]) -> None:
        self.clutched = message["held"]

    def _on_took_over(self, message: dict[str, Any]) -> None:
        self.person_flies = message["person"]

    def _on_error(self, message: dict[str, Any]) -> None:
        self.errors.append(message)

    def _on_replaced(self, message: dict[str, Any]) -> None:
        self.replaced = True

    def _on_done(self, message: dict[str, Any]) -> None:
        self.closed = message
