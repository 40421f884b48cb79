"""Learners that fly a simulator: feature matching, apprenticeship and GAIL beside cloning, and what each costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl import pendulum
from training.irl.apprenticeship import Settings
from training.irl.arenas import Arena, cartpole_arena, pendulum_arena
from training.irl.pictures import figure, save
from training.irl.simulated import Schedule
from training.irl.trial import loop_settings, trial

# Title, learner, inner learner, update, iterations, schedule.
Run = tuple[str, str, str, str, int, Schedule]
ON_PENDULUM: list[Run] = [
    ("SFM, named features", "sfm", "successor", "matching", 96, Schedule(400, 2000)),
    ("apprenticeship, vector critic", "apprenticeship", "successor", "max_margin", 16, Schedule(800, 2000)),
    ("apprenticeship, SAC", "apprenticeship", "sac", "max_margin", 10, Schedule(1000, 1000)),
    ("GAIL from states", "gail", "sac", "matching", 10, Schedule(1000, 1000)),
]


ON_CARTPOLE: list[Run] = [
    ("SFM", "sfm", "successor", "matching", 96, Schedule(500, 2000)),
    ("apprenticeship, vector critic", "apprenticeship", "successor", "max_margin", 16, Schedule(1000, 2000)),
]


def on_cartpole(seeds: int, pictures: Path | None) -> None:
    """Print the rows of CartPole in a world."""
    _heading(
        "Inverse reinforcement learning in a simulator: CartPole",
        "5 demonstrations, without their pushes; mean return of 20 flights",
    )
    for run in ON_CARTPOLE:
        _rows(run, 5, lambda seed: cartpole_arena(5, seed), seeds, 20, 1)


def on_pendulum(seeds: int, pictures: Path | None) -> None:
    """Print the rows of Pendulum, and draw how distance and return get on."""
    _heading(
        "Inverse reinforcement learning in a simulator: Pendulum",
        "5 demonstrations, for learners that fly without their torques; mean return",
    )
    curves = {}
    for run in ON_PENDULUM:
        found = _rows(run, 5, lambda seed: pendulum_arena(5, seed), seeds, 50, 1, pictures is not None)
        curves[run[0]] = [one["curve"] for one in found if "curve" in one]
    start = pendulum.first_states(50, pendulum.EVALUATION_SEED)
    rivals = [pendulum.rivals_of(5, seed, start) for seed in range(seeds)]
    for name, title in (("bc", "behaviour cloning, single steps"), ("iq_learn", "IQ-Learn, offline")):
        returns = [one[name]["return"] for one in rivals]
        spent = mean_interval([one[name]["cpu_seconds"] for one in rivals], 1)
        table.row(5, title, _by_seed(returns, 1), mean_interval(returns, 1), "", 0, "", spent)
    if pictures is not None:
        draw_curves(curves, pendulum_arena(5, 0).expert, pictures / "irl-pendulum-curves.png")


def _heading(title: str, judged: str) -> None:
    table.heading(title, f"{judged}; mean of the seeds with Student's 95 % interval.")
    table.head(
        "demonstrations",
        "learner",
        "by seed",
        "the policy chosen",
        "mixture",
        "frames flown",
        "wall time [s]",
        "processor time [s]",
    )


def _rows(
    run: Run,
    number: int,
    make: Callable[[int], Arena],
    seeds: int,
    episodes: int,
    digits: int,
    curves: bool = False,
) -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    title, kind, inner, update, iterations, schedule = run
    found: list[dict[str, Any]] = []
    for seed in range(seeds):
        arena = make(seed)
        expert = arena.shown.expectations(arena.phi, arena.rl.discount)
        settings = loop_settings(kind, Settings(update, iterations, 1e-3, seed), expert)
        one, _ = trial(
            arena, kind, inner, schedule, arena.rl, settings, episodes, all_judged=curves and kind != "bc"
        )
        found.append(one)
        print(f"{number} flights, {title}, seed {seed}: {one}", file=sys.stderr, flush=True)

    def told(key: str, places: int) -> str:
        values = [one[key] for one in found if key in one]
        if not values:
            return ""
        return mean_interval(values, places) if len(values) > 1 else f"{np.mean(values):.{places}f}"

    costs = [told("frames", 0), told("seconds", 0), told("cpu_seconds", 0)]
    by_seed = _by_seed([one["best"] for one in found], digits)
    table.row(number, title, by_seed, told("best", digits), told("mixture", digits), *costs)
    return found


def _by_seed(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def draw_curves(curves: dict[str, list[list[list[float]]]], expert: float, path: Path) -> None:
    """Draw distances and returns of every policy on the way against frames flown.

    Args:
        curves: By learner, by seed: `curve` of `trial`.
        expert: The expert's return.
        path: Where to.

    Raises:
        OSError: If the disk refuses.
    """
    drawn, axes = figure(2, 1, 6, 4)
    for number, (title, runs) in enumerate(curves.items()):
        for run in runs:
            frames, distance, worth = np.array(run).T
            for axis, values in zip(axes[0], (distance, worth)):
                axis.plot(
                    frames, values, color=f"C{number}", alpha=0.7, label=title if run is runs[0] else None
                )
    axes[0, 0].set(yscale="log", xlabel="frames flown", ylabel="distance / ||mu_E||")
    axes[0, 1].axhspan(1.1 * expert, expert, color="black", alpha=0.15, label="within 10 % of the expert")
    axes[0, 1].set(xlabel="frames flown", ylabel="mean return of 50 flights")
    for axis in axes[0]:
        axis.grid(alpha=0.3)
    axes[0, 1].legend(fontsize=8)
    save(drawn, path)
