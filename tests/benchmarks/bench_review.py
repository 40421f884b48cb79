"""How fast the review room is over many episodes: to open it, to scroll, from a decision to the next episode, to filter.

    python tests/benchmarks/bench_review.py [--episodes=100000] [--decisions=200]

Makes the synthetic set of `bench_query` (25 checks' scores, findings, labels by three people), and works the room without a terminal,
in 160 x 48 cells. A time ends when the screen is drawn again; CPU is the whole process's, threads included. The player's
column is until it shows the episode: here one file holds a million frames, and has no pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[1:1] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from curation.lean import arrow_without_pandas  # noqa: E402

arrow_without_pandas()

import numpy as np  # noqa: E402
from bench_query import make  # noqa: E402

from collector.dataset.labels import Labels  # noqa: E402
from collector.dataset.reader import Dataset  # noqa: E402
from curation.room import Room  # noqa: E402
from curation.tui.app import ReviewApp  # noqa: E402

SIZE = (160, 48)
CONDITIONS = ("faults > 0", "verdict = 'keep' AND rating >= 4", "lag_3 > 0.99 AND length >= 10")
type Times = list[tuple[float, float]]


def row(about: str, times: Times) -> None:
    """Print a line of the table."""
    wall, cpu = np.array(times).T * 1000
    p50, p99 = np.quantile(wall, (0.5, 0.99))
    print(
        f"| {about} | {len(wall)} | {p50:.1f} | {p99:.1f} | {np.median(cpu):.1f} | {np.quantile(cpu, 0.99):.1f} |",
        flush=True,
    )


async def timed(app: ReviewApp, do: Callable[[], Awaitable[None] | None]) -> tuple[float, float]:
    """Return wall and processor time [s] of something, until the screen is drawn again."""
    began, used = time.perf_counter(), time.process_time()
    if (waiting := do()) is not None:
        await waiting
    drawn = asyncio.Event()
    app.call_after_refresh(drawn.set)
    await drawn.wait()
    return time.perf_counter() - began, time.process_time() - used


async def work(app: ReviewApp, decisions: int) -> None:
    """Measure the room while it runs."""
    began, used = time.perf_counter(), time.process_time()
    async with app.run_test(size=SIZE) as pilot:
        drawn = asyncio.Event()
        app.call_after_refresh(drawn.set)
        await drawn.wait()
        row("the list appears, after reading", [(time.perf_counter() - began, time.process_time() - used)])
        await pilot.pause(1.0)
        page = max(1, app.queue.size.height - 2)
        row(
            "a page further",
            [await timed(app, lambda: app.queue.move_to(app.queue.cursor + page)) for _ in range(decisions)],
        )
        ends = [await timed(app, lambda n=n: app.queue.move_to((n % 2) * 10**9)) for n in range(20)]
        row("from one end to the other", ends)
        app.queue.move_to(0)
        next_, shown = [], []
        for n in range(decisions):
            began, used = time.perf_counter(), time.process_time()
            next_.append(await timed(app, lambda n=n: app.action_do("drop" if n % 5 == 4 else "keep")))
            if n % 10 == 0:
                while not app.player.settled:
                    await asyncio.sleep(0.002)
                shown.append((time.perf_counter() - began, time.process_time() - used))
        row("a decision, and the next episode is under the cursor", next_)
        row("... and the player shows it", shown)
        app.queue.mark_all()
        row(
            "a decision on all that are chosen",
            [await timed(app, lambda: app.action_do("rate_3")) for _ in range(3)],
        )
        app.queue.mark_none()
        while app.ledger is not None and app.ledger.backlog:
            await asyncio.sleep(0.01)
        for condition in CONDITIONS:
            times = []
            for _ in range(5):
                app.room.condition = ""
                began, used = time.perf_counter(), time.process_time()
                app.listing.narrow(condition)
                while app.room.condition != condition:
                    await asyncio.sleep(0.002)
                times.append((time.perf_counter() - began, time.process_time() - used))
            row(f"filter: `{condition}`", times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--decisions", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-review-") as name:
        root = Path(name) / "set"
        make(root, args.episodes, args.frames)
        print(f"{args.episodes} episodes, {SIZE[0]} x {SIZE[1]} cells\n")
        print(
            "| what | n | wall p50 [ms] | wall p99 [ms] | CPU p50 [ms] | CPU p99 [ms] |\n|---|---|---|---|---|---|"
        )
        began, used = time.perf_counter(), time.process_time()
        room = Room(Dataset.open(root), "dan")
        row("reading: tables, scores, labels", [(time.perf_counter() - began, time.process_time() - used)])
        app = ReviewApp(room)
        asyncio.run(work(app, args.decisions))
        if app.ledger is not None:
            assert app.ledger.close() == []
        labels = Labels(root)
        times: Times = []
        for n in range(50):
            began, used = time.perf_counter(), time.process_time()
            labels.set([n], "rating", 1 + n % 5, "eve")
            times.append((time.perf_counter() - began, time.process_time() - used))
        row("(beside the screen: one label to the disk)", times)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
