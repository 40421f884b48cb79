"""`demodeck devices pad`: the pads that are plugged in, live, and what each control does."""

from __future__ import annotations

import json as json_format
import sys
import time
from dataclasses import asdict
from typing import Any

from collector.errors import DeviceError
from collector.teleoperators.motion.wish import MODES
from collector.teleoperators.pad import sdl
from collector.teleoperators.pad.device import Controls, PadDevice
from collector.teleoperators.pad.mapping import Mapping, read_mapping
from collector.teleoperators.pad.names import CONTROLS, TRIGGERS

_LOOKS_HZ = 20.0
_WIDTH = 21  # of a bar


def show(
    device: str = "",
    mapping: str = "",
    *,
    mode: str = "ee",
    seconds: float | None = None,
    once: bool = False,
    json: bool = False,
) -> int:
    """Print the pads that are plugged in and, of one, what every control says and does.

    Args:
        device: Which pad: number, GUID or part of its name; empty for the first one.
        mapping: A mapping file; empty for the shipped one.
        mode: Whose axes are named: `ee`, `joint` or `plane`.
        seconds: How long to watch; None until Ctrl-C. Without a terminal on standard output it looks once.
        once: Look once.
        json: One JSON object a look on standard output, instead of a table.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: If the mapping is wrong.
        DeviceError: If there is no such pad, it was unplugged, or pygame is missing.
    """
    if mode not in MODES:
        raise DeviceError(f"there is no mode '{mode}': choose among {', '.join(MODES)}")
    means = read_mapping(mapping)
    pad = PadDevice(device)
    live = sys.stdout.isatty()
    once = once or not (json or live)
    ends_s = time.monotonic() + (seconds if seconds is not None else float("inf"))
    drawn = 0
    try:
        while True:
            controls = pad.look()
            if json:
                print(json_format.dumps(_as_json(pad, means, mode, controls)), flush=True)
            else:
                lines = _as_text(pad, means, mode, controls)
                # Over the last look, line by line; each may be shorter than it was.
                print(
                    (f"\x1b[{drawn}F" if drawn else "") + ("\x1b[K\n" if live else "\n").join(lines),
                    flush=True,
                )
                drawn = len(lines)
            if once or time.monotonic() >= ends_s:
                return 0
            time.sleep(1 / _LOOKS_HZ)
    except ConnectionError as error:
        raise DeviceError(str(error)) from error
    except KeyboardInterrupt:
        return 0
    finally:
        pad.close()


def _as_json(pad: PadDevice, means: Mapping, mode: str, controls: Controls) -> dict[str, Any]:
    return {
        "pads": [asdict(found) for found in sdl.pads()],
        "pad": {"name": pad.name, "guid": pad.guid},
        "mode": mode,
        "mapping": str(means.file),
        "axes": {name: round(value, 4) for name, value in controls.axes.items()},
        "held": sorted(controls.held),
        "does": means.uses(mode),
    }


def _as_text(pad: PadDevice, means: Mapping, mode: str, controls: Controls) -> list[str]:
    lines = [
        f"{found.index}: {found.name}  {found.guid}{'' if found.known else '  (unknown to SDL)'}"
        for found in sdl.pads()
    ]
    lines.append(f"watching '{pad.name}', mode {mode}, mapping {means.file}; Ctrl-C ends")
    does = means.uses(mode)
    for name in CONTROLS:
        if name not in controls.axes and name not in does and name not in controls.held:
            continue
        if name in controls.axes:
            state = f"{_bar(controls.axes[name], name in TRIGGERS)} {controls.axes[name]:+.2f}"
        else:
            state = f"{'[#]' if name in controls.held else '[ ]':<{_WIDTH + 6}}"
        lines.append(f"{name:<14} {state}  {', '.join(does.get(name, ['-']))}")
    return lines


def _bar(value: float, from_zero: bool) -> str:
    at = round((value if from_zero else (value + 1) / 2) * (_WIDTH - 1))
    return "".join(
        "#" if cell == at else "|" if not from_zero and cell == _WIDTH // 2 else "." for cell in range(_WIDTH)
    )
