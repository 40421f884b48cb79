"""Finding bad episodes: `demodeck score` against its peers on flights with known faults, in one run.

    python tests/benchmarks/bench_curation.py [--seeds=test] [--sets=2] [--clean=300] [--unusual=10] [--cell=2]
        [--cache=DIR] [--no-peers] [--many=10000]

Flies sets on sim_so101 (two tasks, five people's styles), injects 30 kinds of faults in four sizes, writes plain
LeRobot v3.0 sets (state and action only: no clocks, no labels, no success), and lets each checker judge them. Prints
markdown tables. A flight counts as accused if anything at all is said of it, warning or fault. Thresholds were chosen
on the seeds `dev`; `test` are other seeds. Flown sets are kept in the cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path[1:1] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from curation_bench import measure, peers  # noqa: E402
from curation_bench.flying import Flown  # noqa: E402
from curation_bench.make_set import FIRST_SEED, cached_set  # noqa: E402
from curation_bench.plain_set import write_plain  # noqa: E402
from curation_bench.table import Counts, by_kind, rows  # noqa: E402


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", choices=sorted(FIRST_SEED), default="test")
    parser.add_argument("--sets", type=int, default=2, help="how many sets")
    parser.add_argument("--clean", type=int, default=300, help="clean flights of a set")
    parser.add_argument(
        "--unusual", type=int, default=10, help="unusual clean flights of a set, of each kind"
    )
    parser.add_argument("--cell", type=int, default=2, help="faulty flights of a set, of each kind and size")
    cache = Path(tempfile.gettempdir()) / "demodeck-bench-curation"
    parser.add_argument(
        "--cache", type=Path, default=cache, help="for flown sets and the peers' environments"
    )
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--many", type=int, default=0, help="also time a set of so many episodes")
    return parser.parse_args()


def say(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"flown {done} of {total}", file=sys.stderr)


def main() -> int:
    args = parse()
    homes = {} if args.no_peers else installed(args.cache)
    rdq = homes.get(peers.RDQ)
    counts: dict[str, Counts] = {"demodeck": Counts()}
    if rdq is not None:
        counts |= {name: Counts(peers.rdq_names) for name in ("rdq check", "rdq check + rank")}
    others = {peers.REPORT_CARD: ("rrc score", peers.report_card), peers.CALIBRA: ("calibra", peers.calibra)}
    counts |= {name: Counts(peers.other_names) for key, (name, _) in others.items() if key in homes}
    costs: dict[str, list[measure.Outcome]] = {name: [] for name in counts}
    frames = 0
    for number in range(args.sets):
        sizes = (args.clean, args.unusual, args.cell)
        flights = cached_set(args.cache, args.seeds, number, sizes, say)
        frames += sum(len(f.state) for f in flights)
        with tempfile.TemporaryDirectory(prefix="bench-curation-") as name:
            root = Path(name) / "set"
            write_plain(root, flights)
            outcomes = [measure.demodeck(root, ["--jobs", "1"])]
            if rdq is not None:
                outcomes += [peers.rdq(rdq, root, with_rank) for with_rank in (False, True)]
            outcomes += [look(homes[key], root) for key, (_, look) in others.items() if key in homes]
        for outcome in outcomes:
            if outcome.crash:
                print(f"{outcome.name} failed: {outcome.crash}")
            counts[outcome.name].add(flights, outcome.accusations)
            costs[outcome.name].append(outcome)
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{args.sets} sets of the seeds '{args.seeds}', {frames} frames in all, load {load}\n")
    print_summary(counts, costs, frames)
    print("\nFound at each size, of so many:\n")
    print(by_kind(counts))
    if args.many:
        print("\n" + many(flights, args.many))
    return 0


def installed(cache: Path) -> dict[str, Path]:
    """Return the folders of the peers' commands by requirement; what cannot be installed is said."""
    homes = {}
    for requirement in (peers.RDQ, peers.REPORT_CARD, peers.CALIBRA):
        home = peers.environment(cache, requirement)
        if home is None:
            print(f"{requirement} could not be installed: its columns are missing")
        else:
            homes[requirement] = home
    return homes


def print_summary(
    counts: dict[str, Counts], costs: dict[str, list[measure.Outcome]], frames: int, per: int = 34_000
) -> None:
    columns = {name: dict(rows(counted)) for name, counted in counts.items()}
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for what in next(iter(columns.values())):
        print(f"| {what} | " + " | ".join(column[what] for column in columns.values()) + " |")
    cpu = [sum(o.cpu_s for o in costs[name]) * per / frames for name in columns]
    print(
        f"| CPU-s per {per:,} frames, one process, start included | "
        + " | ".join(f"{x:.2f}" for x in cpu)
        + " |"
    )
    peak = [max(o.peak_mb for o in costs[name]) for name in columns]
    print("| peak memory [MB] | " + " | ".join(f"{x:.0f}" for x in peak) + " |")
    for name, counted in counts.items():
        alarms = ", ".join(f"{c} {n}" for c, n in sorted(counted.alarms.items(), key=lambda kv: -kv[1]))
        print(f"\n{name} accuses clean flights by: {alarms or 'nothing'}", end="")
    print()


def many(flights: list[Flown], n: int) -> str:
    """Return a line on the cost of a set of `n` episodes, made of the given ones over and over with other noise."""
    rng = np.random.default_rng(0)
    repeated = []
    for i in range(n):
        flown = flights[i % len(flights)]
        shift = rng.normal(0, 0.3, (1, 6))
        repeated.append(replace(flown, state=flown.state + shift, action=flown.action + shift))
    with tempfile.TemporaryDirectory(prefix="bench-curation-") as name:
        root = Path(name) / "set"
        write_plain(root, repeated, with_stats=False)
        shutil.rmtree(root / "curation", ignore_errors=True)
        outcome = measure.demodeck(root, [])
    frames = sum(len(f.state) for f in repeated)
    return (
        f"{n} episodes, {frames} frames, as many processes as cores: {outcome.wall_s:.0f} s of wall time, "
        f"{outcome.cpu_s:.0f} CPU-s, {outcome.peak_mb:.0f} MB in the largest process {outcome.crash}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
