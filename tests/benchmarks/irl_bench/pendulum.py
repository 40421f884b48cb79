"""Pendulum: apprenticeship learning from 5 demonstrations and from 1, beside cloning and IQ-Learn of the same 5."""

from __future__ import annotations

import sys
from pathlib import Path

from recorder_bench import table

from irl_bench.figures import mean_interval
from training.irl.apprenticeship import Settings
from training.irl.pendulum import FEATURES, experiment

DEMONSTRATIONS = (5, 1)
RIVALS = {"bc": "behaviour cloning", "iq_learn": "IQ-Learn", "first": "the first policy"}
CLONED = 5  # demonstrations that the rivals learn from too


def returns(seeds: int, pictures: Path | None) -> None:
    """Print mean returns; nothing is drawn."""
    table.heading(
        "Apprenticeship learning: Pendulum",
        "Mean return of 50 flights from gymnasium's seeds 0 to 49, mean of the seeds (demonstrations, features, "
        "weights) with Student's 95 % interval; max_margin, epsilon .001, at most 50 iterations.",
    )
    table.head(
        "demonstrations",
        "learner",
        "return",
        "the expert's",
        "iterations",
        "frames flown",
        "processor time [s]",
    )
    for number in DEMONSTRATIONS:
        rivals: list[dict] = []
        for features in FEATURES:
            found = []
            for seed in range(seeds):
                settings = Settings(iterations=50, epsilon=1e-3, seed=seed)
                one = experiment(
                    features,
                    number,
                    settings,
                    rivals=features == "named" and number == CLONED,
                    report=lambda iterate: None,
                )
                found.append(one)
                print(f"{number} flights, {features}, seed {seed}: {one}", file=sys.stderr, flush=True)
            if features == "named":
                rivals = found
            for key, title in (("mixture", "mixture"), ("best", "best single policy")):
                table.row(
                    number,
                    f"apprenticeship, {features} features, {title}",
                    mean_interval([one[key] for one in found], 1),
                    f"{found[0]['expert']:.1f}",
                    mean_interval([one["iterations"] for one in found], 1),
                    mean_interval([one["frames"] for one in found], 0),
                    mean_interval([one["seconds"] for one in found], 1),
                )
        for key, title in RIVALS.items():
            if key in rivals[0]:
                values = mean_interval([one[key] for one in rivals], 1)
                table.row(number, title, values, f"{rivals[0]['expert']:.1f}", "", 0, "")
