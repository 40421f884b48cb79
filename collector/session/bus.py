"""The motor buses of lerobot's arms: where they are, and how to make them forget late replies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def buses(device: Any) -> Iterator[tuple[Any, str]]:
    """Give each motor bus of a lerobot robot or teleoperator and the prefix of its motors' names (`left_`, ...)."""
    for side in ("", "left", "right"):
        part = getattr(device, f"{side}_arm", None) if side else device
        bus = getattr(part, "bus", None)
        if hasattr(bus, "motors") and hasattr(bus, "read"):
            yield bus, f"{side}_" if side else ""


def drain(device: Any) -> None:
    """Throw away what waits on a device's buses before it is asked something.

    A bus answers nothing unasked, so that can only be a reply that came too late; lerobot would take it for the answer
    to its next question, and one motor's position for another's temperature.
    """
    for bus, _ in buses(device):
        with contextlib.suppress(Exception):
            bus.port_handler.ser.reset_input_buffer()
