"""Few demonstrations on simulated robots: apprenticeship by search beside cloning, each figure kept once measured."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.apprenticeship import Settings
from training.irl.arenas import Arena, pusht_arena, so101_arena
from training.irl.search import SearchSettings
from training.irl.simulated import Schedule
from training.irl.trial import trial

CLONE, SEARCH = "behaviour cloning", "apprenticeship, search"
SHOWN_SO101, SHOWN_PUSHT = (1, 3, 10, 50), (10, 50)
ITERATIONS = 1  # rewards behind the clone
EPISODES = 40
PUSHT_FLIGHTS = 300  # flown for each reward; they are three times as long as the arm's
Cells = dict[tuple[str, int, int], dict[str, Any]]


def on_so101(seeds: int, pictures: Path | None, kept: Path) -> None:
    """Print successes on sim_so101 by number of demonstrations."""
    table.heading(
        "Inverse reinforcement learning in a simulator: sim_so101",
        f"Successes of {EPISODES} flights from seed 5000 on, by seed, with Student's 95 % interval of the mean.",
    )
    cells = _measure(
        "sim_so101", SHOWN_SO101, seeds, lambda n, seed: so101_arena(n, seed), SearchSettings(), kept
    )
    _print(cells, SHOWN_SO101, seeds, successes=True)
    for n in SHOWN_SO101:
        _compare(cells, n, seeds)
    if pictures is not None:
        _draw(cells, seeds, pictures / "irl-so101-demonstrations.png")


def on_pusht(
    seeds: int, pictures: Path | None, kept: Path, root: Path = Path("../shared/data/pusht_human")
) -> None:
    """Print the best coverage on PushT by number of people's flights."""
    table.heading(
        "Inverse reinforcement learning in a simulator: PushT",
        f"Best reward of each of {EPISODES} flights from seed 5000 on, mean by seed, with Student's 95 % interval.",
    )
    search = SearchSettings(flights=PUSHT_FLIGHTS)
    cells = _measure(
        "sim_pusht", SHOWN_PUSHT, seeds, lambda n, seed: pusht_arena(n, seed, root), search, kept
    )
    _print(cells, SHOWN_PUSHT, seeds, successes=False)


def _measure(
    name: str,
    shown: tuple[int, ...],
    seeds: int,
    make: Callable[[int, int], Arena],
    search: SearchSettings,
    kept: Path,
) -> Cells:
    """Return all cells, those that are kept already from their files; one seed is done before the next."""
    import torch

    torch.set_num_threads(1)
    kept.mkdir(parents=True, exist_ok=True)
    cells: Cells = {}
    for seed in range(seeds):
        for n in shown:
            for title, kind in ((CLONE, "bc"), (SEARCH, "apprenticeship")):
                file = kept / f"{name}-{kind}-{n}-{seed}.json"
                if not file.exists():
                    arena = make(n, seed)
                    settings = Settings("max_margin", ITERATIONS, 1e-3, seed, patience=ITERATIONS + 1)
                    schedule = Schedule(clone=True)
                    found, _ = trial(
                        arena, kind, "search", schedule, arena.rl, settings, EPISODES, say=_say, search=search
                    )
                    file.write_text(json.dumps(found))
                cells[title, n, seed] = json.loads(file.read_text())
                print(f"{file.stem}: {cells[title, n, seed]['best']:.3f}", file=sys.stderr, flush=True)
    return cells


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(cells: Cells, shown: tuple[int, ...], seeds: int, successes: bool) -> None:
    costs = ("frames flown", "wall time [s]", "CPU [s]")
    table.head("demonstrations", "learner", "by seed", "mean", "distance, of ||mu_E||", *costs)
    for n in shown:
        for title in (CLONE, SEARCH):
            found = [cells[title, n, seed] for seed in range(seeds)]
            worth = [sum(one["flights"]) if successes else one["best"] for one in found]
            digits = 0 if successes else 3
            table.row(
                n,
                title,
                ", ".join(f"{one:.{digits}f}" for one in worth),
                _mean(worth, 1 if successes else 3),
                _mean([one["distance"] for one in found], 3),
                f"{np.mean([one['frames'] for one in found]):,.0f}",
                f"{np.mean([one['seconds'] for one in found]):.0f}",
                f"{np.mean([one['cpu_seconds'] for one in found]):.0f}",
            )


def _mean(values: list[float], digits: int) -> str:
    return mean_interval(values, digits) if len(values) > 1 else f"{values[0]:.{digits}f}"


def _compare(cells: Cells, n: int, seeds: int) -> None:
    """Print McNemar's exact test over all pairs of flights from the same start."""
    pairs = [cells[title, n, seed]["flights"] for title in (CLONE, SEARCH) for seed in range(seeds)]
    cloned, searched = np.concatenate(pairs[:seeds]), np.concatenate(pairs[seeds:])
    lost, won = int((cloned > searched).sum()), int((cloned < searched).sum())
    print(f"{n}: search alone succeeds in {won} pairs, cloning alone in {lost}: p {mcnemar(won, lost):.2g}")


def mcnemar(won: int, lost: int) -> float:
    """Return McNemar's exact two-sided p of pairs that differ."""
    of = won + lost
    tail = sum(math.comb(of, k) for k in range(min(won, lost) + 1)) / 2**of
    return min(1.0, 2 * tail)


def _draw(cells: Cells, seeds: int, path: Path) -> None:
    from training.irl.pictures import figure, save

    drawn, axes = figure(1, 1, 5, 3.2)
    axis = axes[0, 0]
    for title, mark in ((CLONE, "o"), (SEARCH, "s")):
        worth = np.array([[sum(cells[title, n, s]["flights"]) for s in range(seeds)] for n in SHOWN_SO101])
        (line,) = axis.plot(SHOWN_SO101, worth.mean(axis=1), label=title)
        for one in worth.T:
            axis.plot(SHOWN_SO101, one, mark, color=line.get_color(), alpha=0.5, markersize=4)
    axis.set(xscale="log", xlabel="demonstrations", ylabel=f"successes of {EPISODES}", ylim=(0, EPISODES))
    axis.set_xticks(SHOWN_SO101, [str(n) for n in SHOWN_SO101], minor=False)
    axis.grid(alpha=0.3)
    axis.legend()
    save(drawn, path)
