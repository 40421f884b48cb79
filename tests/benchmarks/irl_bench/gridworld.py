"""The gridworld: distance against iterations for the three updates, and value against the number of demonstrations."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.apprenticeship import Settings
from training.irl.gridworld import experiment, make_gridworld
from training.irl.pictures import draw_distances, draw_gridworld, figure, save
from training.irl.updates import UPDATES

SHOWN = (1, 2, 5, 10, 15, 20, 25)
DEMONSTRATIONS = (1, 3, 10, 30, 100, 1000)
ITERATIONS_OF_SAMPLED = 15


def updates(seeds: int, pictures: Path | None) -> None:
    """Print distance by iteration, exact mu_E, epsilon 0, and draw the first seed."""
    runs: dict[str, list[list[dict]]] = {update: [] for update in UPDATES}
    seconds: dict[str, list[float]] = {update: [] for update in UPDATES}
    for seed in range(seeds):
        world = make_gridworld(seed)
        for update in UPDATES:
            began = time.process_time()
            outcome, found = experiment(world, Settings(update, max(SHOWN), epsilon=0.0, seed=seed))
            seconds[update].append((time.process_time() - began) / (len(outcome.iterates) - 1))
            runs[update].append(found["iterations"] + [{"margin": found["margin"]}])
            print(
                f"seed {seed}, {update}: {found['mixture']}, {found['reason']}", file=sys.stderr, flush=True
            )
            if seed == 0 and update == "max_margin" and pictures is not None:
                draw_gridworld(world, outcome, found, pictures / "irl-gridworld.png")
    table.heading(
        "Apprenticeship learning: the gridworld, by iteration",
        "||mu_E - mu|| / ||mu_E||, mean of the seeds with Student's 95 % interval. Mixture: the nearest one of all "
        "policies so far. Own: what the update itself measures, t (literal: the last policy's distance).",
    )
    table.head("update", "distance of", *(f"i = {i}" for i in SHOWN), "processor time an iteration [s]")
    for update, rows in runs.items():
        for name in ("mixture", "own"):
            cells = []
            for i in SHOWN:
                # The margin that policy i leaves is the one that iteration i + 1 begins with.
                values = [run[i]["mixture"] if name == "mixture" else run[i + 1]["margin"] for run in rows]
                cells.append(mean_interval(values))
            table.row(update, name, *cells, mean_interval(seconds[update], 2))
    if pictures is not None:
        drawn, axes = figure(1, 1, 6, 4)
        draw_distances(axes[0, 0], {update: run[0][:-1] for update, run in runs.items()})
        axes[0, 0].set_title("128 x 128 gridworld, seed 0")
        save(drawn, pictures / "irl-gridworld-updates.png")


def demonstrations(seeds: int, pictures: Path | None) -> None:
    """Print the value of what was learnt from few flights beside the ways of cloning."""
    values: dict[str, dict[int, list[float]]] = {}
    for seed in range(seeds):
        world = make_gridworld(seed)
        for number in DEMONSTRATIONS:
            settings = Settings("max_margin", ITERATIONS_OF_SAMPLED, seed=seed)
            _, found = experiment(world, settings, demonstrations=number)
            given = {
                "apprenticeship, mixture": found["mixture"]["value"],
                "apprenticeship, best single policy": found["best"]["value"],
                **{name: rival["value"] for name, rival in found["baselines"].items()},
            }
            print(f"seed {seed}, {number} flights: {given}", file=sys.stderr, flush=True)
            for name, value in given.items():
                values.setdefault(name, {}).setdefault(number, []).append(value)
    table.heading(
        "Apprenticeship learning: the gridworld, by demonstrations",
        "True value in shares of the expert's, exact, mean of the seeds with Student's 95 % interval; flights of "
        f"688 frames (truncation .001 / (1 - gamma)), max_margin, at most {ITERATIONS_OF_SAMPLED} iterations.",
    )
    table.head("from flights", *map(str, DEMONSTRATIONS))
    for name, by_number in values.items():
        table.row(name, *(mean_interval(by_number[number], 3) for number in DEMONSTRATIONS))
    if pictures is not None:
        drawn, axes = figure(1, 1, 6, 4)
        for name, by_number in values.items():
            means = [sum(by_number[number]) / seeds for number in DEMONSTRATIONS]
            axes[0, 0].plot(DEMONSTRATIONS, means, "o-", label=name)
        axes[0, 0].set(xscale="log", xlabel="flights of the expert", ylabel="value / the expert's value")
        axes[0, 0].grid(alpha=0.3)
        axes[0, 0].legend(fontsize=8)
        save(drawn, pictures / "irl-gridworld-demonstrations.png")
