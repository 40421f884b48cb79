"""Serial ports, and the arms behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.errors import DeviceError
from collector.session.inventory.arms import guess
from collector.session.inventory.rights import trouble
from collector.session.inventory.servos import Bus, scan

NOT_INSTALLED = "pyserial is not installed: pip install 'demodeck[hardware]'"


@dataclass
class Port:
    """One serial port.

    Attributes:
        path: Its device file or name.
        description: What the system says of it.
        usb: Vendor, product and serial number of its USB device; None where it is none.
        stable_path: A name that stays the same whichever socket the cable is in; None where there is none.
        problem: Why it cannot be used, and what to do; None where it can.
        bus: What answers on it; None where nothing does.
        what: What that may be, in words.
        flags: Each a set of flags that use it.
    """

    path: str
    description: str = ""
    usb: str | None = None
    stable_path: str | None = None
    problem: str | None = None
    bus: Bus | None = None
    what: str = ""
    flags: tuple[str, ...] = field(default_factory=tuple)

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        head = [part for part in (self.description, f"({self.usb})" if self.usb else "") if part]
        lines = [f"{self.path}  {' '.join(head)}".rstrip()]
        if self.problem:
            return [*lines, f"  {self.problem}"]
        if self.bus is not None:
            lines.append(f"  {_servo_words(self.bus)}")
        lines.append(f"  {self.what}")
        lines += [f"    {flags}" for flags in self.flags]
        if self.stable_path and self.flags:
            lines.append(f"  this name of the port stays the same: {self.stable_path}")
        return lines


def list_ports(extra: Sequence[str] = ()) -> list[Port]:
    """Return USB serial ports and those in `extra`, each asked what answers on it.

    Nothing moves. A port that somebody has open is not asked.

    Raises:
        DeviceError: If pyserial is not installed.
    """
    try:
        from serial.tools.list_ports import comports
    except ImportError as error:
        raise DeviceError(NOT_INSTALLED) from error
    ports = [_of_system(port) for port in comports() if port.vid is not None]
    ports.sort(key=lambda port: port.path)
    ports += [Port(path) for path in extra if path not in {port.path for port in ports}]
    for port in ports:
        _ask(port)
    return ports


def _of_system(port: Any) -> Port:
    usb = f"{port.vid:04x}:{port.pid:04x}" + (f", {port.serial_number}" if port.serial_number else "")
    return Port(port.device, port.description or "", usb, stable_path(port.device))


def stable_path(path: str) -> str | None:
    """Return the name under /dev/serial/by-id of a port, or None."""
    with contextlib.suppress(OSError):
        for link in sorted(Path("/dev/serial/by-id").iterdir()):
            if link.resolve() == Path(path).resolve():
                return str(link)
    return None


def _ask(port: Port) -> None:
    port.problem = trouble(port.path, "tty", (port.usb or "").partition(",")[0] or None)
    if port.problem:
        return
    try:
        port.bus = scan(port.path)
    except DeviceError as error:
        port.problem = str(error)
        return
    if port.bus is None:
        port.what = "no servo answers: no arm, or its power is off"
        return
    found = guess(port.bus.servos, port.path)
    port.what, port.flags = found.words, found.flags


def _servo_words(bus: Bus) -> str:
    models: dict[str, list[int]] = {}
    for servo in bus.servos:
        models.setdefault(servo.model, []).append(servo.servo_id)
    parts = [f"{len(ids)} {model} (id {' '.join(map(str, ids))})" for model, ids in models.items()]
    volts = sorted(servo.volts for servo in bus.servos if servo.volts is not None)
    heat = [servo.temperature_c for servo in bus.servos if servo.temperature_c is not None]
    if volts:
        same = volts[0] == volts[-1]
        parts.append(f"{volts[0]:.1f} V" if same else f"{volts[0]:.1f} to {volts[-1]:.1f} V")
    if heat:
        parts.append(f"up to {max(heat)} deg C")
    parts.append(f"at {bus.baud} baud")
    alarms = [
        f"servo {servo.servo_id} reports {' and '.join(servo.alarms)}" for servo in bus.servos if servo.alarms
    ]
    return ", ".join([*parts, *alarms])
