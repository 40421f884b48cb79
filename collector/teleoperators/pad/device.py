"""A pad, chosen by number, name or GUID, and what its controls say now."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.errors import DeviceError
from collector.teleoperators.pad import sdl
from collector.teleoperators.pad.names import AXES, BUTTONS


@dataclass(frozen=True)
class Controls:
    """What a pad says now.

    Attributes:
        axes: By SDL's name: sticks -1 (left, up) to 1, triggers 0 to 1; raw, as the pad gives them.
        held: Names of the buttons that are down.
        changes: Buttons that went down (True) or up since the last look, in order.
    """

    axes: dict[str, float] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    changes: tuple[tuple[str, bool], ...] = ()


def choose(device: str, found: list[sdl.Found]) -> sdl.Found:
    """Return the pad that `device` names: its number, its GUID or a part of its name; empty for the first.

    Raises:
        DeviceError: If none or more than one fits, or SDL does not know its controls; with what is there.
    """
    if not found:
        raise DeviceError(
            "no pad is plugged in: plug one in, or pair it; on Linux its /dev/input/event* must be readable "
            "('demodeck doctor' says so)"
        )
    listed = "; ".join(f"{pad.index}: {pad.name} ({pad.guid})" for pad in found)
    if not device:
        fitting = [pad for pad in found if pad.known][:1] or found[:1]
    elif device.isdecimal() and len(device) < 32:
        fitting = [pad for pad in found if pad.index == int(device)]
    else:
        wanted = device.lower()
        fitting = [pad for pad in found if pad.guid == wanted]
        fitting = fitting or [pad for pad in found if pad.name.lower() == wanted]
        fitting = fitting or [pad for pad in found if wanted in pad.name.lower()]
    if not fitting:
        raise DeviceError(f"no pad is '{device}': there are {listed}; choose one by --teleop.device")
    if len(fitting) > 1:
        numbers = " or ".join(str(pad.index) for pad in fitting)
        raise DeviceError(
            f"{len(fitting)} pads are '{device}': there are {listed}; choose by number, --teleop.device={numbers}"
        )
    if not fitting[0].known:
        raise DeviceError(
            f"SDL does not know which control of '{fitting[0].name}' is which: put a line for "
            f"{fitting[0].guid} (github.com/mdqinc/SDL_GameControllerDB, or SDL2 Gamepad Tool) into the environment "
            "variable SDL_GAMECONTROLLERCONFIG"
        )
    return fitting[0]


class PadDevice:
    """One pad, open.

    Attributes:
        name: What it calls itself.
        guid: SDL's identifier of its kind.
    """

    def __init__(self, device: str) -> None:
        """Open the pad that `device` names; see `choose`.

        Raises:
            DeviceError: If it is not there or cannot be opened, or pygame is missing.
        """
        found = choose(device, sdl.pads())
        self.name, self.guid = found.name, found.guid
        self._handle = sdl.Handle(found)

    def look(self) -> Controls:
        """Return what its controls say now.

        Raises:
            ConnectionError: If it is gone.
        """
        try:
            sdl.pump()
            changes = self._handle.changes()
            if not self._handle.attached:
                raise ConnectionError(f"pad '{self.name}' is gone: plug it in again, or another one")
            axes = {name: max(-1.0, self._handle.axis(n) / 32767) for n, name in enumerate(AXES)}
            held = frozenset(name for n, name in enumerate(BUTTONS) if self._handle.button(n))
        except DeviceError as error:
            raise ConnectionError(f"pad '{self.name}' is gone ({error})") from error
        return Controls(axes, held, tuple((BUTTONS[n], down) for n, down in changes if n < len(BUTTONS)))

    def rumble(self, low: float, high: float, seconds: float) -> bool:
        """Let it rumble, 0 to 1 each; return whether it can."""
        return self._handle.rumble(low, high, seconds)

    def light(self, red: int, green: int, blue: int) -> bool:
        """Set its light, 0 to 255 each; return whether it has one."""
        return self._handle.light(red, green, blue)

    def close(self) -> None:
        """Let go of it."""
        self._handle.close()
