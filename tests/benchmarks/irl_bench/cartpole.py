"""CartPole: IQ-Learn from one demonstration, offline, beside cloning of the same transitions."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.cartpole import SHARPNESS, experiment

STEPS = 3000
# What is shown: every K-th transition of the one flight, of the soft demonstrator or of the hard one.
SHOWN = ((1, SHARPNESS), (20, SHARPNESS), (1, math.inf))


def returns(seeds: int, pictures: Path | None) -> None:
    """Print mean returns; nothing is drawn."""
    table.heading(
        "IQ-Learn: CartPole from one demonstration, offline",
        f"Mean return of 20 flights from gymnasium's seeds 0 to 19, by seed (demonstration, weights, batches); {STEPS} "
        "gradient steps; 500 is the most. Every K-th transition of the one flight is shown.",
    )
    table.head(
        "demonstrator",
        "K",
        "transitions",
        "learner",
        "returns by seed",
        "mean and interval",
        "wall time [s]",
        "CPU [s]",
    )
    for stride, sharpness in SHOWN:
        found = []
        for seed in range(seeds):
            found.append(experiment(1, stride, STEPS, seed, sharpness=sharpness))
            print(f"every {stride}, seed {seed}: {found[-1]}", file=sys.stderr, flush=True)
        for key, title in (("iq_learn", "IQ-Learn"), ("bc", "behaviour cloning")):
            means = [one[key]["mean_return"] for one in found]
            table.row(
                "hard" if math.isinf(sharpness) else "soft",
                stride,
                found[0]["transitions"],
                title,
                ", ".join(f"{mean:.0f}" for mean in means),
                mean_interval(means, 0),
                mean_interval([one["seconds"] for one in found], 1) if key == "iq_learn" else "",
                mean_interval([one["cpu_seconds"] for one in found], 1) if key == "iq_learn" else "",
            )
