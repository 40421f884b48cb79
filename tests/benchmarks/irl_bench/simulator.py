"""Learners that fly a simulator: feature matching, apprenticeship and GAIL beside cloning, and what each costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.apprenticeship import Settings
from training.irl.arenas import Arena, pendulum_arena, pusht_arena, so101_arena
from training.irl.simulated import Schedule
from training.irl.trial import trial

# Title, learner, inner learner, update, iterations, schedule.
Run = tuple[str, str, str, str, int, Schedule]
ON_PENDULUM: list[Run] = [
    ("SFM, named features", "sfm", "successor", "matching", 24, Schedule(400, 2000)),
    (
        "apprenticeship, vector critic",
        "apprenticeship",
        "successor",
        "max_margin",
        16,
        Schedule(800, 2000),
    ),
    ("apprenticeship, SAC", "apprenticeship", "sac", "max_margin", 10, Schedule(1000, 1000)),
    ("GAIL from states", "gail", "sac", "matching", 10, Schedule(1000, 1000)),
]
CLONE: Run = ("behaviour cloning, chunks", "bc", "", "literal", 1, Schedule())
ON_SO101: list[Run] = [
    CLONE,
    ("apprenticeship, search", "apprenticeship", "search", "max_margin", 2, Schedule(clone=True)),
]
SHOWN = (1, 3, 10, 50)


def on_pendulum(seeds: int, pictures: Path | None) -> None:
    """Print the rows of Pendulum."""
    _heading(
        "Inverse reinforcement learning in a simulator: Pendulum", "5 demonstrations, no actions; mean return"
    )
    for run in ON_PENDULUM:
        _rows(run, 5, lambda seed: pendulum_arena(5, seed), seeds, 50, 1)


def on_so101(seeds: int, pictures: Path | None) -> None:
    """Print the rows of sim_so101."""
    _heading(
        "Inverse reinforcement learning in a simulator: sim_so101",
        "100 flights from seed 5000 on; success rate",
    )
    for number in SHOWN:
        for run in ON_SO101:
            _rows(run, number, lambda seed, n=number: so101_arena(n, seed), seeds, 100, 3)


def on_pusht(seeds: int, pictures: Path | None, root: Path = Path("../shared/data/pusht_human")) -> None:
    """Print the rows of PushT."""
    _heading(
        "Inverse reinforcement learning in a simulator: PushT", "people's flights; best coverage, mean of 50"
    )
    for run in (
        CLONE,
        ("SFM after a clone", "sfm", "successor", "matching", 6, Schedule(3000, 3000, True)),
    ):
        _rows(run, 50, lambda seed: pusht_arena(50, seed, root), seeds, 50, 3)


def _heading(title: str, judged: str) -> None:
    table.heading(title, f"{judged}; mean of the seeds with Student's 95 % interval.")
    table.head(
        "demonstrations",
        "learner",
        "nearest policy",
        "mixture",
        "frames flown",
        "wall time [s]",
        "processor time [s]",
    )


def _rows(
    run: Run, number: int, make: Callable[[int], Arena], seeds: int, episodes: int, digits: int
) -> None:
    import torch

    torch.set_num_threads(1)
    title, kind, inner, update, iterations, schedule = run
    found: list[dict[str, Any]] = []
    for seed in range(seeds):
        settings = Settings(update, iterations, 1e-3, seed, patience=iterations + 1)
        arena = make(seed)
        one, _ = trial(arena, kind, inner, schedule, arena.rl, settings, episodes)
        found.append(one)
        print(f"{number} flights, {title}, seed {seed}: {one}", file=sys.stderr, flush=True)

    def told(key: str, places: int) -> str:
        values = [one[key] for one in found if key in one]
        if not values:
            return ""
        return mean_interval(values, places) if len(values) > 1 else f"{np.mean(values):.{places}f}"

    costs = [told("frames", 0), told("seconds", 0), told("cpu_seconds", 0)]
    table.row(number, title, told("best", digits), told("mixture", digits), *costs)
