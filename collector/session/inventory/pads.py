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

KERNELS_LIST = Path("/proc/bus/input/devices")


@dataclass
class Pad:
    """One gamepad, joystick or wheel.

    Attributes:
        index: SDL's number of it.
        name, guid: As SDL has them.
        known: Whether SDL knows which of its controls is which.
        flags: The flags that fly by it.
        problem: Why SDL does not see it, and what to do; None where it does.
    """

    index: int | None
    name: str
    guid: str = ""
    known: bool = False
    flags: str = ""
    problem: str | None = None

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        if self.problem:
            return [self.name, f"  {self.problem}"]
        known = "see 'demodeck devices pad'" if self.known else "SDL does not know which control is which"
        return [f"{self.index}  {self.name}  ({known})", f"    {self.flags}"]


def list_pads() -> list[Pad]:
    """Return what SDL sees, and what it may not open; needs no display.

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
    ] + unreadable_pads()


def unreadable_pads(listing: Path = KERNELS_LIST) -> list[Pad]:
    """Return joysticks of the kernel's list that we have no right to open; SDL does not speak of them."""
    hidden = []
    for name, handlers, _ in _listed(listing):
        event = next((word for word in handlers if word.startswith("event")), None)
        if event is None or not any(word.startswith("js") for word in handlers):
            continue
        path = f"/dev/input/{event}"
        if not os.access(path, os.R_OK):
            hidden.append(Pad(None, name, problem=f"{path} may not be opened: {advice(path, 'input')}"))
    return hidden


def _listed(listing: Path) -> list[tuple[str, list[str], int]]:
    """Return (name, handlers, event types) of every input device of the kernel's list; none where there is none."""
    try:
        blocks = listing.read_text().split("\n\n")
    except OSError:
        return []
    devices = []
    for block in blocks:
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        handlers = fields.get("H: Handlers", "").split()
        devices.append((fields.get("N: Name", "").strip('"'), handlers, int(fields.get("B: EV", "0"), 16)))
    return devices


def _sdl() -> ModuleType:
    """Return the pad's SDL module, from its file: its package imports lerobot and torch, which cost seconds."""
    if loaded := sys.modules.get("collector.teleoperators.pad.sdl"):
        return loaded
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


def list_keyboards(listing: Path = KERNELS_LIST) -> list[Keyboard]:
    """Return devices that repeat keys, from the kernel's list; none where there is no such list."""
    keyboards = []
    for name, handlers, events in _listed(listing):
        event = next((word for word in handlers if word.startswith("event")), None)
        if event is None or not events & 1 << 0x14:  # EV_REP: keys that repeat while held
            continue
        path = f"/dev/input/{event}"
        readable = os.access(path, os.R_OK)
        problem = None if readable else f"may not be read directly: {advice(path, 'input')}"
        keyboards.append(Keyboard(name, path, problem))
    return keyboards
