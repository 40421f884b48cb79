"""Gamepads, by SDL; keyboards and pedals, by the kernel's list."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from collector.errors import DeviceError
from collector.session.inventory.rights import advice


@dataclass
class Pad:
    """One gamepad, joystick or wheel.

    Attributes:
        index: SDL's number of it.
        name, guid: As SDL has them.
        known: Whether SDL knows which of its controls is which.
        flags: The flags that fly by it.
    """

    index: int
    name: str
    guid: str
    known: bool
    flags: str

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        known = "see 'demodeck devices pad'" if self.known else "SDL does not know which control is which"
        return [f"{self.index}  {self.name}  ({known})", f"    {self.flags}"]


def list_pads() -> list[Pad]:
    """Return what SDL sees; needs no display.

    Raises:
        DeviceError: If pygame is not installed or SDL does not start.
    """
    return [
        Pad(
            found.index,
            found.name,
            found.guid,
            found.known,
            "--teleop.type=pad" + (f" --teleop.device={found.index}" if found.index else ""),
        )
        for found in _sdl().pads()
    ]


def _sdl() -> ModuleType:
    """Return the pad's SDL module, from its file: its package imports lerobot and torch, which cost seconds."""
    from collector import teleoperators

    path = Path(teleoperators.__path__[0]) / "pad" / "sdl.py"
    spec = importlib.util.spec_from_file_location("demodeck_pad_sdl", path)
    if spec is None or spec.loader is None:
        raise DeviceError(f"{path} is missing: install demodeck again")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Keyboard:
    """A keyboard, pedal or other device with keys.

    Attributes:
        name: The kernel's name of it.
        path: Its event file.
        problem: Why held keys cannot be read from it directly, and what to do; None where they can.
    """

    name: str
    path: str
    problem: str | None

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        return [f"{self.path}  {self.name}", *([f"  {self.problem}"] if self.problem else [])]


def list_keyboards(listing: Path = Path("/proc/bus/input/devices")) -> list[Keyboard]:
    """Return devices that repeat keys, from the kernel's list; none where there is no such list."""
    try:
        blocks = listing.read_text().split("\n\n")
    except OSError:
        return []
    keyboards = []
    for block in blocks:
        fields = {line[:1]: line[3:] for line in block.splitlines() if line[:1] in "NH"}
        events = next((line[6:] for line in block.splitlines() if line.startswith("B: EV=")), "0")
        event = next((word for word in fields.get("H", "").split() if word.startswith("event")), None)
        if event is None or not int(events, 16) & 1 << 0x14:  # EV_REP: keys that repeat while held
            continue
        path = f"/dev/input/{event}"
        readable = os.access(path, os.R_OK)
        problem = None if readable else f"may not be read directly: {advice(path, 'input')}"
        keyboards.append(Keyboard(fields.get("N", "").partition('"')[2].rstrip('"'), path, problem))
    return keyboards
