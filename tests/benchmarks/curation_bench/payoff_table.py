"""The tables of `bench_payoff`: what each arm kept, and how its policies fly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation_bench.flying import Flown
from training.intervals import bootstrap_mean, mcnemar_exact, wilson

AGAINST = ("truth", "checks", "accused")


def kept(flights: Sequence[Flown], arms: Mapping[str, Sequence[int]]) -> str:
    """Return a table of what each arm keeps: flights, frames, and how many of them are spoilt, by kind."""
    kinds = sorted({f.fault for f in flights if f.fault})
    lines = ["| arm | flights | frames | spoilt among them | good ones left out |", "|---|---|---|---|---|"]
    good = {e for e, f in enumerate(flights) if not f.fault}
    for arm, episodes in arms.items():
        bad = [flights[e].fault for e in episodes if flights[e].fault]
        by_kind = ", ".join(f"{bad.count(kind)} {kind}" for kind in kinds if kind in bad)
        frames = sum(len(flights[e].state) for e in episodes)
        told = f"{len(bad)} ({by_kind})" if bad else "0"
        lines.append(
            f"| {arm} | {len(episodes)} | {frames:,} | {told} | {len(good - set(episodes))} of {len(good)} |"
        )
    return "\n".join(lines)


def outcomes(policy: str, done: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a table of success: by training seed, in all, and in pairs against `AGAINST`.

    Args:
        policy: The policy's type.
        done: Each arm's cells, one a training seed, as `bench_payoff.cell` gives them.
    """
    seeds = [c["seed"] for c in next(iter(done.values()))]
    against = [other for other in AGAINST if other in done]
    head = [f"`{policy}` trained on", *(f"seed {s}" for s in seeds), "together", "95 % (Wilson)"]
    head += [f"less {other} [points] (95 %), p" for other in against]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    flown = {arm: [bool(o) for c in cells for o in c["outcomes"]] for arm, cells in done.items()}
    for arm, cells in done.items():
        won, n = sum(flown[arm]), len(flown[arm])
        low, high = wilson(won, n)
        row = [arm, *(f"{sum(c['outcomes'])} of {len(c['outcomes'])}" for c in cells)]
        row += [f"{won} of {n}: {won / n:.1%}", f"{low:.1%} to {high:.1%}"]
        row += ["" if other == arm else paired(flown[arm], flown[other]) for other in against]
        lines.append(f"| {' | '.join(row)} |".replace("%", " %"))
    return "\n".join(lines)


def paired(first: Sequence[bool], second: Sequence[bool]) -> str:
    """Return how far the first is ahead, with the interval of the paired difference (BCa) and exact McNemar's p."""
    differences = [100.0 * (int(a) - int(b)) for a, b in zip(first, second, strict=True)]
    p = mcnemar_exact(differences.count(100.0), differences.count(-100.0))
    mean = sum(differences) / len(differences)
    interval = bootstrap_mean(differences)
    within = "" if interval is None else f" ({interval[0]:+.1f} to {interval[1]:+.1f})"
    return f"{mean:+.1f}{within}, {f'p = {p:.2g}' if p >= 1e-4 else 'p < 0.0001'}"
