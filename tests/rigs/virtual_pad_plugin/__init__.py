"""A lerobot plugin that plugs a virtual pad into the process that loads it, and plays it from a script.

Use it in `demodeck record` or `lerobot-record` alike, with `tests` on the Python path, and the script named by the
environment variable `VIRTUAL_PAD_SCRIPT`:

    --teleop.discover_packages_path=rigs.virtual_pad_plugin --teleop.type=pad

The script has one JSON object a line. Each may have, and does in this order:

- `wait_s`: waits so many seconds, counted from when the pilot has seen what the line before did, and until it has
  looked at the pad as often as it does in that time. So a press is held, and a stick deflected, as long as it says on a
  machine that stands still meanwhile, too.
- `await_light`: waits for the colour, which the pad must have been given since the line before.
- `await_file`: waits until there is such a file, by which a test says that it is ready.
- `unplug`; `plug_in` (a name).
- `move` (axes); `press`, `release` and `tap` (buttons).
- `again`: goes back to the first line, so many times.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.teleoperators.pad.device import Controls, PadDevice
from rigs.virtual_pad import VirtualPad

_LONGEST_S = 240.0  # that a colour or a file is waited for
_LOOKS_HZ = 40.0  # a pilot looks twice a tick, and fifty times a second between flights
_EVERY_S = 0.005
_looks = 0  # of the pilot at its pad, in this process


def _count_looks() -> None:
    look = PadDevice.look

    @functools.wraps(look)
    def counted(device: PadDevice) -> Controls:
        global _looks
        try:
            return look(device)
        finally:
            _looks += 1

    PadDevice.look = counted  # type: ignore[method-assign]


def _await(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds.

    Raises:
        TimeoutError: If it does not within `_LONGEST_S`.
    """
    ends_s = time.monotonic() + _LONGEST_S
    while not condition():
        if time.monotonic() > ends_s:
            raise TimeoutError(what)
        time.sleep(_EVERY_S)


def _wait(seconds: float, watched: bool) -> None:
    """Wait so many seconds, and so many looks of a pilot that watches the pad."""
    before = _looks
    if watched:  # a look that goes on may have seen nothing yet
        _await(lambda: _looks >= before + 2, "the pilot does not look at the pad")
    time.sleep(seconds)
    if watched:
        _await(lambda: _looks >= before + seconds * _LOOKS_HZ, "the pilot does not look at the pad")


def play(script: list[dict[str, Any]], pad: VirtualPad) -> None:
    """Do what the script says; end where what it waits for does not come."""
    try:
        _play(script, pad)
    except TimeoutError as error:
        print(f"virtual pad: {error}", file=sys.stderr)


def _play(script: list[dict[str, Any]], pad: VirtualPad) -> None:
    seen, at, left = 0, 0, None
    watched = False  # whether the pilot has the pad: it has begun to look, and the pad is plugged in
    while at < len(script):
        line = script[at]
        at += 1
        if "wait_s" in line:
            _wait(line["wait_s"], watched)
        if "await_light" in line:
            light = tuple(line["await_light"])
            _await(lambda: light in pad.lit[seen:], f"no light {light} in {pad.lit[seen:]}")  # noqa: B023
            seen += pad.lit[seen:].index(light) + 1
            watched = True
        if "await_file" in line:
            _await(Path(line["await_file"]).exists, f"no file {line['await_file']}")
        if line.get("unplug"):
            pad.unplug()
            watched = False
        if "plug_in" in line:
            pad, seen = VirtualPad(line["plug_in"], product=2), 0
        pad.move(**line.get("move", {}))
        pad.press(*line.get("press", []))
        pad.release(*line.get("release", []))
        pad.tap(*line.get("tap", []))
        if "again" in line:
            left = line["again"] if left is None else left
            if left > 0:
                left, at = left - 1, 0


_path = os.environ.get("VIRTUAL_PAD_SCRIPT")
if _path:
    _count_looks()
    _script = [json.loads(line) for line in Path(_path).read_text().splitlines() if line.strip()]
    threading.Thread(target=play, args=(_script, VirtualPad("Scripted Pad")), daemon=True).start()
