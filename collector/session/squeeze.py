"""A leader's gripper, squeezed shut twice in a second, starts and ends flights: both hands stay on the arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.session.state import Event

_SHUT, _OPEN = 8.0, 25.0  # gripper position below which it is shut, above which it is open again [0..100]
_WITHIN_S = 1.0  # from the first time shut to the second [s]


class DoubleSqueeze:
    """Sees shut, open, shut within a second; a grasp, which shuts once and stays, is none."""

    def __init__(self) -> None:
        self._shut = True  # where a gripper starts shut, that is no squeeze
        self._last_s = -1e9
        self._events: list[Event] = []

    def see(self, asked: Mapping[str, Any] | None, now_s: float) -> None:
        """Look at the pilot's action.

        Args:
            asked: The action by key; keys with `gripper` in them are looked at.
            now_s: Any monotonic clock [s].
        """
        values = [float(value) for key, value in (asked or {}).items() if "gripper" in key]
        if not values:
            return
        value = min(values)
        if not self._shut and value < _SHUT:
            self._shut = True
            if now_s - self._last_s <= _WITHIN_S:
                self._events.append(Event.END)
                self._last_s = -1e9
            else:
                self._last_s = now_s
        elif self._shut and value > _OPEN:
            self._shut = False

    def events(self) -> list[Event]:
        """Return what was squeezed since the last call, and forget it."""
        events, self._events = self._events, []
        return events
