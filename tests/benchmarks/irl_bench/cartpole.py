"""CartPole: IQ-Learn from one demonstration, offline, beside cloning of the same transitions."""

from __future__ import annotations

import sys
from pathlib import Path

from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.cartpole import experiment

STEPS = 3000
STRIDES = (1, 20)


def returns(seeds: int, pictures: Path | None) -> None:
    """Print mean returns; nothing is drawn."""
    table.heading(
        "IQ-Learn: CartPole from one demonstration, offline",
        f"Mean return of 20 flights from gymnasium's seeds 0 to 19, by seed (demonstration, weights, batches); {STEPS} "
        "gradient steps; 500 is the most. Every K-th transition of the one flight is shown.",
    )
    table.head(
        "K", "transitions", "learner", "returns by seed", "mean and interval", "wall time [s]", "CPU [s]"
    )
    for stride in STRIDES:
        found = []
        for seed in range(seeds):
            found.append(experiment(1, stride, STEPS, seed))
            print(f"every {stride}, seed {seed}: {found[-1]}", file=sys.stderr, flush=True)
        for key, title in (("iq_learn", "IQ-Learn"), ("bc", "behaviour cloning")):
            means = [one[key]["mean_return"] for one in found]
            wall = mean_interval([one["seconds"] for one in found], 1) if key == "iq_learn" else ""
            spent = mean_interval([one["cpu_seconds"] for one in found], 1) if key == "iq_learn" else ""
            each = ", ".join(f"{mean:.0f}" for mean in means)
            table.row(stride, found[0]["transitions"], title, each, mean_interval(means, 0), wall, spent)
