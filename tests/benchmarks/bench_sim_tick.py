"""What a tick of the simulated SO-101 costs: physics, pictures and the scripted pilot, on one core.

    python tests/benchmarks/bench_sim_tick.py [--flights 2] [--json]

Processor time, not wall time, so that a busy machine changes little; the acceptance is 8 ms with two cameras
of 224x224.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.teleoperators.scripted import Scripted, ScriptedConfig

FPS = 30


def measure(size: int | None, flights: int) -> dict[str, float]:
    """Fly some flights in lock-step and return median milliseconds per tick of each part."""
    cameras = [] if size is None else ["front", "wrist"]
    robot = SimSO101(SimSO101Config(realtime=False, cameras=cameras, width=size or 64, height=size or 64))
    pilot = Scripted(ScriptedConfig(fps=FPS))
    parts: dict[str, list[float]] = {"observe": [], "pilot": [], "act": []}
    with robot, pilot:
        robot.set_control_period(1 / FPS)
        for seed in range(flights):
            robot.reset(seed)
            pilot.reset(seed)
            over = False
            while not over:
                marks = [time.process_time()]
                observation = robot.get_observation()
                marks.append(time.process_time())
                pilot.observe({**observation, "environment_state": robot.task.environment_state()})
                action = pilot.get_action()
                over = any(pilot.get_teleop_events().values())
                marks.append(time.process_time())
                robot.send_action(action)
                marks.append(time.process_time())
                for part, took_s in zip(parts.values(), np.diff(marks)):
                    part.append(took_s * 1e3)
    row = {f"{name}_ms": float(np.median(took)) for name, took in parts.items()}
    row["pilot_mean_ms"] = float(np.mean(parts["pilot"]))
    row["tick_ms"] = float(np.median(np.sum(list(parts.values()), axis=0)))
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flights", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = {str(size or "none"): measure(size, args.flights) for size in (None, 64, 96, 224)}
    if args.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        for size, row in rows.items():
            print(f"cameras {size:>5}  " + "  ".join(f"{name} {value:.2f}" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
