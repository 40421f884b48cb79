"""The highway: five styles, each from two minutes of its driver."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl import driving
from training.irl.apprenticeship import Settings
from training.irl.highway import STYLES, make_highway
from training.irl.strips import draw_strips
from training.irl.tabular_learner import ACTION

SHOWN_SEED = 0


def styles(seeds: int, pictures: Path | None) -> None:
    """Print the first seed's table as the paper has it, the distances of all seeds, and draw the first one's strips."""
    model, found, flown = make_highway(), {style: [] for style in STYLES}, {}
    for seed in range(seeds):
        for style, script in STYLES.items():
            outcome, result = driving.learn_style(
                model, style, Settings(seed=seed), report=lambda iterate: None
            )
            found[style].append(result)
            print(f"seed {seed}, {style}: {result['mixture_distance']:.4f}", file=sys.stderr, flush=True)
            if seed == SHOWN_SEED:
                flown[style] = (script(), outcome.draw(seed)[ACTION].astype(np.int64))
    table.heading(
        "Apprenticeship learning: five driving styles",
        f"Shares of the discounted time, seed {SHOWN_SEED}; weights of the reward that the best single policy is "
        "optimal for; distances between feature expectations in shares of the driver's norm.",
    )
    print(driving.table([results[SHOWN_SEED] for results in found.values()]), flush=True)
    table.heading("All seeds", "The same distances, mean of the seeds with Student's 95 % interval.")
    table.head("style", "demonstrated", "learnt, mixture", "learnt, best single policy")
    for style, results in found.items():
        keys = ("demonstrated_distance", "mixture_distance", "best_distance")
        table.row(style, *(mean_interval([result[key] for result in results], 3) for key in keys))
    if pictures is not None:
        draw_strips(model, flown, SHOWN_SEED, pictures / "irl-driving.png")
