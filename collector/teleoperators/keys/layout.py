"""The file that says which key does what."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import UsageError
from collector.session.actions import ACTIONS
from collector.teleoperators.motion.tables import read_tables
from collector.teleoperators.motion.wish import EE_AXES, PLANE_AXES

DEFAULT = Path(__file__).parent / "default.toml"
# What the session does with keys in a plain terminal.
TAKEN = (*(key for action in ACTIONS for key in action.keys), *"0123456789")
_NAMED = ("tab", "backspace", "up", "down")
_MODES = {"ee": EE_AXES, "joint": tuple(f"joint{n}" for n in range(1, 17)), "plane": PLANE_AXES}
_TABLES = {"gears": ("speeds", "first", "keys"), "gripper": ("rate", "keys"), "stop": ("key",), **_MODES}
_COPY = f"copy {DEFAULT} and edit it"


@dataclass(frozen=True)
class Layout:
    """Which key does what.

    Attributes:
        speeds: The gears, shares of the full speed, from the slowest.
        first_gear: The gear to begin in, counted from 0.
        faster, slower: The keys that change gears, or empty.
        grip_rate: How fast the gripper moves, as a share of its speed.
        close, open: The gripper's keys, or empty.
        stop: The key that ends every movement, or empty.
        axes: The keys (up, down) of each axis, by mode.
    """

    speeds: tuple[float, ...]
    first_gear: int
    faster: str
    slower: str
    grip_rate: float
    close: str
    open: str
    stop: str
    axes: dict[str, dict[str, tuple[str, str]]]

    def pairs(self, mode: str) -> list[tuple[str, str]]:
        """Return the keys of a mode that move something, each with the one that moves it back."""
        return [*self.axes[mode].values(), (self.close, self.open)]


def read_layout(path: str | Path = "") -> Layout:
    """Return the layout in a file; the shipped one where no file is given.

    Raises:
        UsageError: If the file cannot be read or says something unknown, with what is allowed there.
    """
    file = Path(path) if path else DEFAULT
    tables = read_tables(file, _COPY)
    try:
        return _read(tables)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _read(tables: dict[str, Any]) -> Layout:
    for name, table in tables.items():
        if name not in _TABLES or not isinstance(table, dict):
            _refuse(f"has '{name}'", name, _TABLES)
        for key in table:
            if key not in _TABLES[name]:
                _refuse(f"[{name}] has '{key}'", key, _TABLES[name])
    gears, gripper = tables.get("gears", {}), tables.get("gripper", {})
    speeds = gears.get("speeds", [1.0])
    if not isinstance(speeds, list) or not speeds or not all(_is_share(speed) for speed in speeds):
        raise UsageError(
            f"[gears] speeds = {speeds}: give shares of the full speed, above 0 up to 1: [0.2, 1.0]"
        )
    first = gears.get("first", len(speeds))
    if first not in range(1, len(speeds) + 1):
        raise UsageError(f"[gears] first = {first}: there are gears 1 to {len(speeds)}")
    rate = gripper.get("rate", 1.0)
    if not _is_share(rate):
        raise UsageError(f"[gripper] rate = {rate!r}: choose above 0 up to 1")
    faster, slower = _pair(gears, "gears", "keys")
    close, open_ = _pair(gripper, "gripper", "keys")
    stop = tables.get("stop", {}).get("key", "")
    if stop:
        _check_key(stop, f"[stop] key = {stop!r}")
    axes = {mode: {axis: _pair(tables[mode], mode, axis) for axis in tables.get(mode, {})} for mode in _MODES}
    layout = Layout(
        tuple(map(float, speeds)), first - 1, faster, slower, float(rate), close, open_, stop, axes
    )
    for mode in axes:
        named = [key for pair in [*layout.pairs(mode), (faster, slower)] for key in pair if key]
        named += [stop] if stop else []
        twice = sorted({key for key in named if named.count(key) > 1})
        if twice:
            raise UsageError(
                f"{', '.join(twice)} would do two things in [{mode}] mode: name each key once there"
            )
    return layout


def _pair(table: dict[str, Any], name: str, key: str) -> tuple[str, str]:
    """Return the two keys of an entry; two empty ones where there is none."""
    value = table.get(key, ["", ""])
    if not isinstance(value, list) or len(value) != 2:
        raise UsageError(f"[{name}] {key} = {value!r}: give two keys, such as ['w', 's']")
    for each in value:
        if each:
            _check_key(each, f"[{name}] {key} = {value!r}")
    return value[0], value[1]


def _check_key(key: object, seen: str) -> None:
    if key in TAKEN:
        raise UsageError(
            f"{seen}: '{key}' is the session's own: choose another than {' '.join(TAKEN[:-10])}, digits"
        )
    if not isinstance(key, str) or not (
        key in _NAMED or (len(key) == 1 and key.isprintable() and key == key.lower())
    ):
        raise UsageError(
            f"{seen}: {key!r} is no key: give a small letter, a sign or one of {', '.join(_NAMED)}"
        )


def _refuse(seen: str, word: str, allowed: Any) -> None:
    near = difflib.get_close_matches(word, list(allowed), 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"{seen}: {hint}allowed are {', '.join(list(allowed)[:10])}")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
