"""A lerobot plugin that plugs a virtual pad into the process that loads it, and plays it from a script.

Use it in `demodeck record` or `lerobot-record` alike, with `tests` on the Python path, and the script named by the
environment variable `VIRTUAL_PAD_SCRIPT`:

    --teleop.discover_packages_path=rigs.virtual_pad_plugin --teleop.type=pad

The script has one JSON object a line. Each may have, and does in this order: `wait_s`; `await_light`, the colour that
the pad must have been given since the line before; `unplug`, `plug_in` (a name); `move` (axes), `press`, `release`
and `tap` (buttons). `again` goes back to the first line, so many times.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rigs.virtual_pad import VirtualPad

_LONGEST_S = 60.0  # that a colour is waited for


def play(script: list[dict[str, Any]], pad: VirtualPad) -> None:
    """Do what the script says; end where a colour does not come."""
    seen, at, left = 0, 0, None
    while at < len(script):
        line = script[at]
        at += 1
        time.sleep(line.get("wait_s", 0))
        if "await_light" in line:
            ends_s = time.monotonic() + _LONGEST_S
            while tuple(line["await_light"]) not in pad.lit[seen:]:
                if time.monotonic() > ends_s:
                    print(f"virtual pad: no light {line['await_light']} in {pad.lit[seen:]}", file=sys.stderr)
                    return
                time.sleep(0.005)
            seen += pad.lit[seen:].index(tuple(line["await_light"])) + 1
        if line.get("unplug"):
            pad.unplug()
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
    _script = [json.loads(line) for line in Path(_path).read_text().splitlines() if line.strip()]
    threading.Thread(target=play, args=(_script, VirtualPad("Scripted Pad")), daemon=True).start()
