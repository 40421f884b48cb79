"""The motor buses of lerobot's arms: where they are, and how they wait for replies and forget those too late."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_SLICE_S = 0.002  # of sleep at most; a reply ends it at once
_LEAST_LOOKS = 20  # at the port before a reply is given up: with the sleep between them some 40 ms


def buses(device: Any) -> Iterator[tuple[Any, str]]:
    """Give each motor bus of a lerobot robot or teleoperator and the prefix of its motors' names (`left_`, ...)."""
    for side in ("", "left", "right"):
        part = getattr(device, f"{side}_arm", None) if side else device
        bus = getattr(part, "bus", None)
        if hasattr(bus, "motors") and hasattr(bus, "read"):
            yield bus, f"{side}_" if side else ""


def be_patient(device: Any) -> None:
    """Let a device's buses sleep until a reply comes, and never call a reply lost that nobody has looked for.

    The servo makers' libraries ask the port again and again, which in real time keeps the kernel from delivering the
    reply. And they look at the clock alone: on a machine that stood still they give up a reply that lies there.

    A bus answers nothing unasked, so what lies there before a question is a reply that came too late, and is thrown
    away: lerobot would take it for the answer, and one motor's position for another's temperature.
    """
    for bus, _ in buses(device):
        port = getattr(bus, "port_handler", None)
        if hasattr(port, "openPort") and hasattr(port, "isPacketTimeout"):
            _make_patient(port)


def _make_patient(port: Any) -> None:
    open_port, timed_out, clear = port.openPort, port.isPacketTimeout, port.clearPort
    question, looks = None, 0

    def opened() -> Any:
        answer = open_port()
        with contextlib.suppress(Exception):
            port.ser.timeout = _SLICE_S
        return answer

    def given_up() -> bool:
        nonlocal question, looks
        if port.packet_start_time != question:
            question, looks = port.packet_start_time, 0
        looks += 1
        return timed_out() and looks >= _LEAST_LOOKS

    def forgotten() -> None:
        clear()  # of the makers' libraries it waits until all is sent, and leaves what has arrived
        with contextlib.suppress(Exception):  # a port that is gone is said by what is sent next
            port.ser.reset_input_buffer()

    port.openPort, port.isPacketTimeout, port.clearPort = opened, given_up, forgotten
