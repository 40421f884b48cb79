"""What steering by hand costs a tick, and how old an input is when its command is ready: SDL's virtual pad, and keys.

    python tests/benchmarks/bench_steering.py [--ticks 600] [--turns 300] [--json]

Processor time of one core [ms] beside the wall time from the input to the command; a tick of the loop comes on top of
that, half a period on average. Acceptance: 2 ms a tick of inverse kinematics.

And of `demodeck teleop` at 60 Hz with lerobot's SO-101 arms on simulated buses, as a person sees it: from the moment
at which the leader's servo is turned to the moment at which the follower's bus has the new goal, the loop's tick
included.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from rigs.commands import PROJECT, environment, running, wait_until  # noqa: E402
from rigs.virtual_pad import VirtualPad  # noqa: E402
from servo_bus import ServoBus  # noqa: E402

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


def measure_leader(turns: int, fps: int = 60) -> dict[str, float]:
    """Turn a leader's servo so often while `demodeck teleop` flies; return milliseconds to the follower's bus."""
    leader, follower = ServoBus(), ServoBus()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            flags = {"fps": fps}
            arms = (("teleop", "leader", leader), ("robot", "follower", follower))
            for part, side, bus in arms:
                bus.write_calibration(folder / "calibration", side)
                flags |= {f"{part}.type": f"so101_{side}", f"{part}.port": bus.path, f"{part}.id": side}
                flags |= {f"{part}.calibration_dir": folder / "calibration"}
            command = [sys.executable, str(PROJECT / "demodeck.py"), "teleop"]
            command += [f"--{flag}={value}" for flag, value in flags.items()]
            with running(command, folder, environment(folder)) as process:
                wait_until(lambda: process.poll() is not None or follower.goals() > 2 * fps, "it flies")
                asked = []
                for turn in range(turns):
                    position = 2048 + (20 if turn % 2 else -20)
                    asked.append((time.perf_counter(), position))
                    leader.turn(1, position)
                    # Anywhere within a tick, and long enough for the last one to have arrived.
                    time.sleep(random.uniform(5, 7) / fps)
                if process.poll() is not None:
                    raise RuntimeError((folder / "stderr").read_text())
            log = follower.goal_log()
    finally:
        leader.close()
        follower.close()
    waits_ms = []
    for since_s, position in asked:
        arrived = (one.t_s for one in log if one.t_s > since_s and abs(one.goals[1] - position) <= 1)
        waits_ms.append((next(arrived) - since_s) * 1e3)
    return {
        "input_to_command_p50_ms": float(np.percentile(waits_ms, 50)),
        "input_to_command_p99_ms": float(np.percentile(waits_ms, 99)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=600)
    parser.add_argument("--turns", type=int, default=300, help="of the leader's servo")
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
    rows["leader, 60 Hz"] = measure_leader(args.turns)
    if args.json:
        print(json.dumps(rows))
        return 0
    columns = {
        "busy_p50_ms": 9,
        "busy_p99_ms": 7,
        "input_to_command_p50_ms": 22,
        "input_to_command_p99_ms": 7,
    }
    print(f"{'':<14} {'busy p50':>9} {'p99':>7} {'input to command p50':>22} {'p99':>7}   [ms]")
    for name, row in rows.items():
        cells = (f"{row[key]:.2f}" if key in row else "" for key in columns)
        widths = columns.values()
        print(
            f"{name:<14} " + " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
