"""How long the verdict on a take keeps its pilot waiting: 60 s at 200 Hz of 14 joints, after 1,000 takes.

    python tests/benchmarks/bench_verdict.py [--takes=15]

Acceptance: the verdict within 1 s of the end of a take.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from collector.session.verdict.history import History
from collector.session.verdict.judge import judge
from collector.session.verdict.take import Take

FPS, SECONDS, JOINTS, EARLIER = 200, 60, 14, 1000
SHORT = 300  # ticks of the earlier takes


def main() -> None:
    """Measure and print a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--takes", type=int, default=15)
    given = parser.parse_args()
    n = FPS * SECONDS
    asked = np.cumsum(np.random.default_rng(0).normal(size=(n, JOINTS)), axis=0).astype(np.float32)
    clocks = {f"clock.{name}": np.arange(n) / FPS for name in ("tick", "observation", "front")}
    flown = np.clip(asked, *np.percentile(asked, [5, 95], axis=0))
    columns = {"action": asked, "executed_action": flown, "observation.state": asked, **clocks}
    history = History()
    for episode in range(EARLIER):
        part = {name: values[episode : episode + SHORT] for name, values in columns.items()}
        history.add(judge(Take(FPS, part, episode), history).features)
    wall_ms, busy_ms = [], []
    for _ in range(given.takes):
        began_s, began_busy_s = time.perf_counter(), time.process_time()
        judge(Take(FPS, columns, EARLIER), history)
        wall_ms.append((time.perf_counter() - began_s) * 1e3)
        busy_ms.append((time.process_time() - began_busy_s) * 1e3)
    print(
        f"a verdict takes {np.median(busy_ms):.0f} ms of processor time, {np.median(wall_ms):.0f} ms of wall time "
        f"(at most {max(wall_ms):.0f}; asked: 1000)"
    )


if __name__ == "__main__":
    main()
