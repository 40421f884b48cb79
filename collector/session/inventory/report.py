"""`demodeck devices`: everything that is plugged in, as text and for machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from collector.errors import DeviceError
from collector.session.inventory.cameras import CameraSeen, list_cameras
from collector.session.inventory.pads import Keyboard, Pad, list_keyboards, list_pads
from collector.session.inventory.ports import Port, list_ports


@dataclass
class Inventory:
    """What is plugged in; `problems` says by section why it could not be looked at."""

    ports: list[Port] = field(default_factory=list)
    pads: list[Pad] = field(default_factory=list)
    cameras: list[CameraSeen] = field(default_factory=list)
    keyboards: list[Keyboard] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return it as lines of text, a section each."""
        sections = {
            "serial ports": ("ports", "no USB serial port: is an arm plugged in and powered?"),
            "pads": ("pads", "no pad"),
            "cameras": ("cameras", "no camera; 'type: test_card' is one that needs no hardware"),
            "keyboards and pedals": (
                "keyboards",
                "none that the system lists; keys of the terminal always work",
            ),
        }
        lines = []
        for title, (name, none) in sections.items():
            lines.append(f"{title}:")
            rows = [line for one in getattr(self, name) for line in one.lines()]
            lines += [f"  {row}" for row in rows or [self.problems.get(name, none)]]
        return "\n".join(lines)


def take_inventory(
    ports: Sequence[str] = (), cameras: Sequence[str] = (), pictures: Path | None = None
) -> Inventory:
    """Look at everything; nothing moves.

    Args:
        ports: Serial ports beside the system's own, such as a pseudo-terminal.
        cameras: Cameras beside the system's own: an address, a video.
        pictures: Folder for one picture of each camera; None takes none.

    Raises:
        StorageError: If the pictures cannot be written.
    """
    found = Inventory()
    ways: dict[str, Callable[[], list[Any]]] = {
        "ports": lambda: list_ports(ports),
        "pads": list_pads,
        "cameras": lambda: list_cameras(cameras, pictures),
        "keyboards": list_keyboards,
    }
    for name, look in ways.items():
        try:
            setattr(found, name, look())
        except DeviceError as error:
            found.problems[name] = str(error)
    return found
