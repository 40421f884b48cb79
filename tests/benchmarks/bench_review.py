"""How fast the review room is over many episodes: opening, scrolling, from a decision to the next episode, filtering.

    python tests/benchmarks/bench_review.py [--episodes=100000] [--decisions=200]

Makes the synthetic set of `bench_query` (25 checks' scores, findings, labels by three people), and works the room
without a terminal, in 160 x 48 cells. A time ends when the screen is drawn again. CPU is that of the screen's thread,
for which keys wait, and that of all threads. The player shows an episode when it has read it: here one file holds a
million frames, and no pictures.
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
type Times = list[np.ndarray]


def now() -> np.ndarray:
    """Return the time of the wall, of this thread's processor and of all threads' [s]."""
    return np.array([time.perf_counter(), time.thread_time(), time.process_time()])


def row(about: str, times: Times) -> None:
    """Print a line of the table."""
    wall, cpu, all_cpu = np.array(times).T * 1000
    shown = (*np.quantile(wall, (0.5, 0.99)), *np.quantile(cpu, (0.5, 0.99)), np.median(all_cpu))
    print(f"| {about} | {len(wall)} | " + " | ".join(f"{value:.1f}" for value in shown) + " |", flush=True)


async def timed(app: ReviewApp, do: Callable[[], Awaitable[None] | None]) -> np.ndarray:
    """Return what something takes, as `now`, until the screen is drawn again."""
    began = now()
    if (waiting := do()) is not None:
        await waiting
    drawn = asyncio.Event()
    app.call_after_refresh(drawn.set)
    await drawn.wait()
    return now() - began


async def work(app: ReviewApp, decisions: int) -> None:
    """Measure the room while it runs."""
    began = now()
    async with app.run_test(size=SIZE) as pilot:
        drawn = asyncio.Event()
        app.call_after_refresh(drawn.set)
        await drawn.wait()
        row("the list appears, after reading", [now() - began])
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
            began = now()
            next_.append(await timed(app, lambda n=n: app.action_do("drop" if n % 5 == 4 else "keep")))
            if n % 10 == 0:
                while not app.player.settled:
                    await asyncio.sleep(0.002)
                shown.append(now() - began)
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
                began = now()
                app.listing.narrow(condition)
                while app.room.condition != condition:
                    await asyncio.sleep(0.002)
                times.append(now() - began)
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
            "| what | n | wall p50 [ms] | wall p99 | CPU p50 | CPU p99 | all threads p50 |"
            "\n|---|---|---|---|---|---|---|"
        )
        began = now()
        room = Room(Dataset.open(root), "dan")
        row("reading: tables, scores, labels", [now() - began])
        app = ReviewApp(room)
        asyncio.run(work(app, args.decisions))
        if app.ledger is not None:
            assert app.ledger.close() == []
        labels = Labels(root)
        times: Times = []
        for n in range(50):
            began = now()
            labels.set([n], "rating", 1 + n % 5, "eve")
            times.append(now() - began)
        row("(beside the screen: one label to the disk)", times)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
