"""The mapping file: which control does what."""

from __future__ import annotations

import difflib
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import UsageError
from collector.session.state import Event
from collector.teleoperators.motion.tables import read_tables
from collector.teleoperators.motion.wish import EE_AXES, PLANE_AXES
from collector.teleoperators.pad.names import BUTTONS, CONTROLS, TRIGGERS

DEFAULT = Path(__file__).parent / "default.toml"
JOINT_AXES = tuple(f"joint{n}" for n in range(1, 17))
# What a pad may ask of the session; the others are the session's own.
EVENTS = {
    event.value: event
    for event in (
        Event.END, Event.SUCCEED, Event.MISS, Event.DISCARD, Event.PAUSE, Event.TAKE_OVER, Event.TAKE_BACK,
        Event.BRING_BACK, Event.HALT,
    )
}  # fmt: skip
_KEYS = {
    "sticks": ("dead_zone", "curve"),
    "triggers": ("dead_zone", "curve"),
    "gears": ("speeds", "first", "up", "down"),
    "gripper": ("follow", "close", "open"),
    "hold": ("clutch", "tool"),
    "ee": EE_AXES,
    "joint": JOINT_AXES,
    "plane": PLANE_AXES,
    "session": ("hold_s", *EVENTS),
}


@dataclass(frozen=True)
class Part:
    """A control and its sign; several make an axis."""

    control: str
    sign: float


@dataclass(frozen=True)
class Press:
    """A way to press buttons: one, one for long, or several together."""

    buttons: frozenset[str]
    held: bool

    def __str__(self) -> str:
        return ("hold " if self.held else "") + "+".join(sorted(self.buttons))


@dataclass(frozen=True)
class Mapping:
    """What every control does.

    Attributes:
        file: Where it was read.
        stick: Dead zone and curve of the sticks.
        trigger: Dead zone and curve of the triggers.
        speeds: The gears, shares of the full speed, from the slowest.
        first_gear: The gear to begin in, counted from 0.
        gear_up, gear_down: Buttons, or empty.
        follow, close, open: Controls of the gripper, or empty.
        clutch, tool: Controls to hold, or empty.
        axes: The controls of each axis, by mode.
        hold_s: How long a long press is [s].
        session: What each press asks of the session.
    """

    file: Path
    stick: tuple[float, float]
    trigger: tuple[float, float]
    speeds: tuple[float, ...]
    first_gear: int
    gear_up: str
    gear_down: str
    follow: str
    close: str
    open: str
    clutch: str
    tool: str
    axes: dict[str, dict[str, tuple[Part, ...]]]
    hold_s: float
    session: dict[Press, Event]

    def uses(self, mode: str) -> dict[str, list[str]]:
        """Return in words what each control does in a mode, by the control's name."""
        words: dict[str, list[str]] = {}
        for axis, parts in self.axes[mode].items():
            for part in parts:
                words.setdefault(part.control, []).append(f"{'-' if part.sign < 0 else '+'}{axis}")
        for control, word in (
            (self.gear_up, "gear up"), (self.gear_down, "gear down"), (self.follow, "gripper"),
            (self.close, "gripper closes"), (self.open, "gripper opens"), (self.clutch, "clutch"),
            (self.tool, "tool frame"),
        ):  # fmt: skip
            if control and not (mode == "plane" and word.startswith(("gripper", "tool"))):
                words.setdefault(control, []).append(word)
        for press, event in self.session.items():
            for button in press.buttons:
                with_others = "+".join(sorted(press.buttons - {button}))
                how = "hold: " if press.held else f"with {with_others}: " if with_others else ""
                words.setdefault(button, []).append(how + event.value)
        return words


def read_mapping(path: str | Path = "") -> Mapping:
    """Return the mapping in a file; the shipped one where no file is given.

    Raises:
        UsageError: If the file cannot be read or says something unknown, with what is allowed there.
    """
    file = Path(path) if path else DEFAULT
    tables = read_tables(file, _COPY)
    return _Reader(file, tables).read()


_COPY = f"copy {DEFAULT} and edit it"


class _Reader:
    def __init__(self, file: Path, tables: dict[str, Any]) -> None:
        self.file, self.tables = file, tables

    def read(self) -> Mapping:
        for name, table in self.tables.items():
            if name not in _KEYS or not isinstance(table, dict):
                self._refuse(f"has '{name}'", name, list(_KEYS), "the tables")
            for key in table:
                if key not in _KEYS[name]:
                    self._refuse(f"[{name}] has '{key}'", key, list(_KEYS[name]), "it may have")
        gears = self._table("gears")
        speeds = gears.get("speeds", [1.0])
        if (
            not isinstance(speeds, list)
            or not speeds
            or not all(_is_number(s) and 0 < s <= 1 for s in speeds)
        ):
            self._fail(
                f"[gears] speeds = {speeds}", "give shares of the full speed, above 0 up to 1: [0.2, 1.0]"
            )
        first = gears.get("first", len(speeds))
        if first not in range(1, len(speeds) + 1):
            self._fail(f"[gears] first = {first}", f"there are gears 1 to {len(speeds)}")
        mapping = Mapping(
            file=self.file,
            stick=(self._share("sticks", "dead_zone", 0.12), self._share("sticks", "curve", 0.0)),
            trigger=(self._share("triggers", "dead_zone", 0.06), self._share("triggers", "curve", 0.0)),
            speeds=tuple(float(speed) for speed in speeds),
            first_gear=first - 1,
            gear_up=self._control("gears", "up", BUTTONS),
            gear_down=self._control("gears", "down", BUTTONS),
            follow=self._control("gripper", "follow", TRIGGERS),
            close=self._control("gripper", "close", (*TRIGGERS, *BUTTONS)),
            open=self._control("gripper", "open", (*TRIGGERS, *BUTTONS)),
            clutch=self._control("hold", "clutch", (*BUTTONS, *TRIGGERS)),
            tool=self._control("hold", "tool", (*BUTTONS, *TRIGGERS)),
            axes={mode: self._axes(mode) for mode in ("ee", "joint", "plane")},
            hold_s=self._seconds(),
            session=self._session(),
        )
        self._check(mapping)
        return mapping

    def _table(self, name: str) -> dict[str, Any]:
        return self.tables.get(name, {})

    def _share(self, table: str, key: str, default: float) -> float:
        value = self._table(table).get(key, default)
        highest = 0.9 if key == "dead_zone" else 1.0
        if not _is_number(value) or not 0 <= value <= highest:
            self._fail(f"[{table}] {key} = {value!r}", f"choose 0 to {highest:g}")
        return float(value)

    def _seconds(self) -> float:
        value = self._table("session").get("hold_s", 0.8)
        if not _is_number(value) or not 0.2 <= value <= 5:
            self._fail(f"[session] hold_s = {value!r}", "choose 0.2 to 5 seconds")
        return float(value)

    def _control(self, table: str, key: str, allowed: Sequence[str]) -> str:
        name = self._table(table).get(key, "")
        if name and name not in allowed:
            self._refuse(f"[{table}] {key} = {name!r}", str(name), list(allowed), "it takes one of")
        return name

    def _axes(self, mode: str) -> dict[str, tuple[Part, ...]]:
        axes = {}
        for axis, value in self._table(mode).items():
            names = value if isinstance(value, list) else [value] if value else []
            parts = []
            for name in names:
                control = str(name).removeprefix("-")
                if control not in CONTROLS:
                    self._refuse(f"[{mode}] {axis} = {value!r}", control, list(CONTROLS), "controls are")
                parts.append(Part(control, -1.0 if str(name).startswith("-") else 1.0))
            axes[axis] = tuple(parts)
        return axes

    def _session(self) -> dict[Press, Event]:
        session: dict[Press, Event] = {}
        for name, event in EVENTS.items():
            text = self._table("session").get(name, "")
            if not text:
                continue
            held = str(text).startswith("hold ")
            buttons = [button.strip() for button in str(text).removeprefix("hold ").split("+")]
            for button in buttons:
                if button not in BUTTONS:
                    self._refuse(f"[session] {name} = {text!r}", button, list(BUTTONS), "buttons are")
            press = Press(frozenset(buttons), held)
            if press in session:
                self._fail(
                    f"[session] {name} = {text!r}",
                    f"that is '{session[press].value}' already: choose other buttons",
                )
            session[press] = event
        return session

    def _check(self, mapping: Mapping) -> None:
        """Refuse a button that would do two things at once."""
        if mapping.follow and (mapping.close or mapping.open):
            self._fail("[gripper] has 'follow' beside 'close' or 'open'", "choose 'follow' or the other two")
        alone = {b for press in mapping.session for b in press.buttons if len(press.buttons) == 1}
        chords = {b for press in mapping.session for b in press.buttons if len(press.buttons) > 1}
        if alone & chords:
            self._fail(
                f"[session] uses {', '.join(sorted(alone & chords))} alone and together with others",
                "choose buttons of their own for the ones pressed together",
            )
        shared = {
            c for c in (mapping.gear_up, mapping.gear_down, mapping.follow, mapping.close, mapping.open) if c
        }
        shared |= {c for c in (mapping.clutch, mapping.tool) if c}
        for mode, axes in mapping.axes.items():
            steering = {part.control for parts in axes.values() for part in parts}
            twice = steering & (alone | shared) | alone & shared
            if twice:
                self._fail(
                    f"{', '.join(sorted(twice))} would do two things in [{mode}] mode",
                    "name each button once among the mode, [gears], [gripper], [hold] and [session]",
                )

    def _refuse(self, seen: str, word: str, allowed: list[str], what: str) -> None:
        near = difflib.get_close_matches(word.lower(), allowed, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        shown = allowed if len(allowed) <= 30 else [*allowed[:6], "..."]
        self._fail(seen, f"{hint}{what} {', '.join(shown)}")

    def _fail(self, seen: str, advice: str) -> None:
        raise UsageError(f"{self.file}: {seen}: {advice}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def axis_value(parts: Sequence[Part], values: Table[str, float]) -> float:
    """Return what an axis is pushed, -1 to 1, from the values of its controls."""
    return max(-1.0, min(1.0, sum(part.sign * values.get(part.control, 0.0) for part in parts)))
