"""Inverse reinforcement learning: how near, from how little, beside what.

    python tests/benchmarks/bench_irl.py [--only=PART] [--seeds=5] [--pictures=docs/pictures] [--kept=build/bench_irl]

Prints markdown tables; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[1:1] = [
    str(Path(__file__).parents[2]),
    str(Path(__file__).parents[1]),
]  # this checkout is what is measured

from irl_bench import cartpole, driving, gridworld, offline, pendulum, ranking, robots, simulator  # noqa: E402

PARTS = {
    "ranking": ranking.success,
    "ranking-iq": ranking.iq_learn,
    "ranking-pusht": ranking.pusht,
    "offline": offline.returns,
    "gridworld": gridworld.updates,
    "demonstrations": gridworld.demonstrations,
    "driving": driving.styles,
    "pendulum": pendulum.returns,
    "cartpole": cartpole.returns,
    "simulator_pendulum": simulator.on_pendulum,
    "simulator_cartpole": simulator.on_cartpole,
}
KEPT = {  # each figure is kept as soon as it is measured
    "simulator_so101": robots.on_so101,
    "simulator_pusht": robots.on_pusht,
}


def main() -> None:
    """Measure what is asked for, or everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[*PARTS, *KEPT], help="one part")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="draw into this folder")
    parser.add_argument(
        "--kept", type=Path, default=Path("build/bench_irl"), help="where parts that take long keep figures"
    )
    given = parser.parse_args()
    for name, measure in PARTS.items():
        if given.only in (None, name):
            measure(given.seeds, given.pictures)
    for name, keeping in KEPT.items():
        if given.only in (None, name):
            keeping(given.seeds, given.pictures, given.kept)


if __name__ == "__main__":
    main()
