"""What steering by hand costs a tick, and how old an input is when its command is ready: SDL's virtual pad, and keys.

    python tests/benchmarks/bench_steering.py [--ticks 600] [--json]

Processor time of one core [ms] beside the wall time from the input to the command; a tick of the loop comes on top of
that, half a period on average. Acceptance: 2 ms a tick of inverse kinematics.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from rigs.virtual_pad import VirtualPad  # noqa: E402

from collector.teleoperators.keys import Keys, KeysConfig  # noqa: E402
from collector.teleoperators.pad import Pad, PadConfig  # noqa: E402

START = [0.0, -43.0, 31.0, 83.0, 3.0, 40.0]
# Ticks to and ticks fro, so that the arm stays within its reach.
SWAYS = 20


def measure(pilot: Any, give: Callable[[int], None], ticks: int) -> dict[str, float]:
    """Fly for some ticks; return milliseconds of processor time, and from input to command."""
    busy_ms, wall_ms = [], []
    pilot.connect()
    pilot.set_control_period(1 / 30)
    before = pilot.get_action()
    for tick in range(ticks):
        give(tick)
        began_s, began_busy_s = time.perf_counter(), time.process_time()
        action = pilot.get_action()
        wall_ms.append((time.perf_counter() - began_s) * 1e3)
        busy_ms.append((time.process_time() - began_busy_s) * 1e3)
        assert action != before, "the command does not follow the input"
        before = action
    pilot.disconnect()
    return {
        "busy_p50_ms": float(np.percentile(busy_ms, 50)),
        "busy_p99_ms": float(np.percentile(busy_ms, 99)),
        "input_to_command_p50_ms": float(np.percentile(wall_ms, 50)),
        "input_to_command_p99_ms": float(np.percentile(wall_ms, 99)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    pad = VirtualPad()
    rows = {}
    for mode in ("ee", "joint"):

        def push(tick: int) -> None:
            pad.move(leftx=0.8 if tick // SWAYS % 2 else -0.8)

        rows[f"pad, {mode}"] = measure(Pad(PadConfig(mode=mode, start=START)), push, args.ticks)
        keys = Keys(KeysConfig(mode=mode, start=START, source="session"))

        def press(tick: int, keys: Keys = keys) -> None:
            keys.feed(b"d" if tick // SWAYS % 2 else b"a", time.monotonic())

        rows[f"keys, {mode}"] = measure(keys, press, args.ticks)
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{'':<12} {'busy p50':>9} {'p99':>7}   {'input to command p50':>20} {'p99':>7}   [ms]")
    for name, row in rows.items():
        busy, wall = (row["busy_p50_ms"], row["busy_p99_ms"]), list(row.values())[2:]
        print(f"{name:<12} {busy[0]:>9.2f} {busy[1]:>7.2f}   {wall[0]:>20.2f} {wall[1]:>7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
