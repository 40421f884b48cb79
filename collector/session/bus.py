"""The motor buses of lerobot's arms: where they are, how to wait for them, and how to make them forget late replies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_SLICE_S = 0.002  # of sleep at most; a reply ends it at once


def buses(device: Any) -> Iterator[tuple[Any, str]]:
    """Give each motor bus of a lerobot robot or teleoperator and the prefix of its motors' names (`left_`, ...)."""
    for side in ("", "left", "right"):
        part = getattr(device, f"{side}_arm", None) if side else device
        bus = getattr(part, "bus", None)
        if hasattr(bus, "motors") and hasattr(bus, "read"):
            yield bus, f"{side}_" if side else ""


def wait_asleep(device: Any) -> None:
    """Let a connected device's buses sleep until a reply comes.

    The servo makers' libraries ask the port again and again, which in real time keeps the kernel from delivering it.
    """
    for bus, _ in buses(device):
        with contextlib.suppress(Exception):
            bus.port_handler.ser.timeout = _SLICE_S


def drain(device: Any) -> None:
    """Throw away what waits on a device's buses before it is asked something; see `empty`."""
    for bus, _ in buses(device):
        empty(bus)


def empty(bus: Any) -> None:
    """Throw away what has arrived on a bus.

    A bus answers nothing unasked, so that can only be a reply that came too late; lerobot would take it for the answer
    to its next question, and one motor's position for another's temperature.
    """
    with contextlib.suppress(Exception):
        bus.port_handler.ser.reset_input_buffer()
