"""Does curation pay? Policies trained on all flights, on what the checks keep, and on what was really good.

    python tests/benchmarks/bench_payoff.py --output=DIR [--seeds=fresh] [--flights=200] [--share=0.3]
        [--policies=bc] [--training-seeds=1,2,3] [--steps=2000] [--trials=200] [--arms=all,random,...]

Flies a set on sim_so101 in lock-step at 30 Hz without cameras: one task, five people's styles, 30 % of the flights
spoilt by ten kinds of faults in plain sizes (`curation_bench.payoff_set`). From that one set the arms take:

    all       every flight
    random    as many as the checks keep, drawn at random
    shortest  as many as the checks keep, the shortest
    checks    what `demodeck score --drop=faults` leaves; the set says nothing of success
    accused   what `demodeck score --drop=warnings` leaves: nothing is said of it, neither fault nor warning
    success   flights that succeeded; nothing is scored
    both      what the checks leave of the flights that succeeded, as the demo does it
    truth     the flights without a fault, known because they were made

Each arm trains one policy a training seed, by the trainer's usual settings, and its last checkpoint flies the seeds
5000 onward, the same for every arm. Nothing is chosen by looking at those flights.

What counts as success was written down before the set `test` was flown: over all training seeds together the rate of
`checks` is at most 2 points below that of `truth`, and above those of `all`, `random` and `shortest`. It counts as
shown only against those from which exact McNemar (pairs: training seed and flight seed) tells it apart at p < 0.05.
Pairs of one training seed share a policy, so that p speaks of these policies, not of all that could be trained. The
set's design was chosen on the seeds `dev` with one training seed.

On `test` that was not met: `checks` was 5.8 points below `truth`, as it leaves in what is only warned of. The arm
`accused` was added after that, and what is expected of it written down before the set `fresh` (seeds from 10,000,000)
was flown: over all training seeds together at most 2 points below `truth`, above `all`, `random` and `shortest`, and
not below `checks`; it leaves out at most 3 % of the good flights, and at most one spoilt flight in 60 stays in. Of
`checks` the same is expected as it was on `test`: above the first three, and 3 to 9 points below `truth`.

A cell (policy, training seed, episodes) that is finished is kept in DIR and never flown again, so that it can be
interrupted at any time; `--report` prints the tables of the training seeds that are finished. Arms with the same
episodes share a cell.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path[1:1] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from curation_bench import payoff_table  # noqa: E402
from curation_bench.flying import FPS, Flown  # noqa: E402
from curation_bench.payoff_set import FIRST_SEED, kept_set  # noqa: E402
from curation_bench.plain_set import write_plain  # noqa: E402

ARMS = ("all", "random", "shortest", "checks", "accused", "success", "both", "truth")
FIRST_TRIAL = 5000


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of sets and finished cells")
    parser.add_argument("--seeds", choices=sorted(FIRST_SEED), default="fresh")
    parser.add_argument("--flights", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.3, help="share of the flights that are spoilt")
    parser.add_argument("--policies", default="bc", help="bc, action_diffusion, or both with a comma")
    parser.add_argument("--training-seeds", default="1,2,3")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--report", action="store_true", help="print what is finished, train nothing")
    return parser.parse_args()


def arms_of(root: Path, flights: list[Flown]) -> dict[str, list[int]]:
    """Score a set that is written already and return each arm's episodes."""
    from collector.dataset.labels import Labels
    from collector.dataset.reader import Dataset
    from collector.dataset.select import select_episodes
    from curation.run import score_dataset
    from curation.store import store
    from curation.verdicts import DROPS, drop_accused

    def left(severities: tuple[str, ...]) -> list[int]:
        drop_accused(Labels(root), scoring, severities)
        return [int(e) for e in select_episodes(Dataset.open(root), "verdict IS DISTINCT FROM 'drop'")]

    scoring = score_dataset(Dataset.open(root), jobs=1)
    store(root, scoring, video=False)
    checks = left(DROPS["faults"])
    accused = left(DROPS["warnings"])
    lengths = np.array([len(f.state) for f in flights])
    drawn = np.random.default_rng(0).permutation(len(flights))
    success = [e for e, f in enumerate(flights) if f.success]
    return {
        "all": list(range(len(flights))),
        "random": sorted(int(e) for e in drawn[: len(checks)]),
        "shortest": sorted(int(e) for e in np.argsort(lengths, kind="stable")[: len(checks)]),
        "checks": checks,
        "accused": accused,
        "success": success,
        "both": sorted(set(checks) & set(success)),
        "truth": [e for e, f in enumerate(flights) if not f.fault],
    }


def place(folder: Path, policy: str, seed: int, steps: int, episodes: list[int], trials: int) -> Path:
    """Return the file of a cell, named by all that it depends on."""
    name = hashlib.sha256(repr((policy, seed, steps, episodes, trials)).encode()).hexdigest()[:16]
    return folder / "cells" / f"{policy}-{seed}-{name}.json"


def cell(
    root: Path, folder: Path, policy: str, seed: int, steps: int, episodes: list[int], trials: int
) -> dict[str, Any]:
    """Return a cell: which seeds the policy trained on some episodes flew to success; made now, or before."""
    path = place(folder, policy, seed, steps, episodes, trials)
    if path.exists():
        return json.loads(path.read_text())
    begin = time.process_time()
    run = folder / "runs" / path.stem
    shutil.rmtree(run, ignore_errors=True)
    trained_s = train_one(root, run, policy, seed, steps, episodes)
    outcomes = fly_one(run, trials)
    result = {
        "policy": policy,
        "seed": seed,
        "steps": steps,
        "episodes": len(episodes),
        "outcomes": outcomes,
        "training_cpu_s": trained_s,
        "cpu_s": time.process_time() - begin,
        "load": os.getloadavg()[0],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps(result))
    unfinished.replace(path)
    shutil.rmtree(run)
    return result


def train_one(root: Path, run: Path, policy: str, seed: int, steps: int, episodes: list[int]) -> float:
    """Train a policy in this process as `demodeck train` does; returns the CPU time [s]."""
    from lerobot.configs import PreTrainedConfig

    from training.config import DatasetSource, TrainConfig
    from training.train import train

    begin = time.process_time()
    condition = f"episode_index IN ({', '.join(map(str, episodes))})"
    train(
        TrainConfig(
            dataset=DatasetSource(root=root, filter=condition),
            policy=PreTrainedConfig.get_choice_class(policy)(device="cpu"),
            output_dir=run,
            seed=seed,
            steps=steps,
            save_freq=0,
            log_freq=steps,
            num_threads=1,
        )
    )
    return time.process_time() - begin


def fly_one(run: Path, trials: int) -> list[bool]:
    """Fly a run's last checkpoint in this process as `demodeck eval` does; returns who succeeded, in order."""
    from collector.robots.sim_so101.config import SimSO101Config
    from collector.session.devices import connect, make_pilot, make_robot
    from collector.session.fly import fly
    from collector.teleoperators.policy import PolicyConfig

    robot = make_robot(SimSO101Config(realtime=False, cameras=[]))
    pilot = make_pilot(PolicyConfig(path=str(run), device="cpu"))
    pilot.fit_to(robot)
    connect(robot, "robot")
    connect(pilot, "pilot")
    seeds = range(FIRST_TRIAL, FIRST_TRIAL + trials)
    flights = [fly(robot, pilot, fps=FPS, seed=seed, stop_on_success=True) for seed in seeds]
    pilot.disconnect()
    robot.disconnect()
    return [bool(flight.success) for flight in flights]


def main() -> int:
    args = parse()
    # `--policy.type` finds them so.
    import training.policies.action_diffusion
    import training.policies.bc  # noqa: F401

    say = lambda done, n: done % 50 or print(f"flown {done} of {n}", file=sys.stderr)  # noqa: E731
    name = f"{args.seeds}-{args.flights}-{args.share}"
    flights = kept_set(args.output / f"{name}.pickle", FIRST_SEED[args.seeds], args.flights, args.share, say)
    root = args.output / name
    if not (root / "meta" / "info.json").exists():
        shutil.rmtree(root, ignore_errors=True)
        # Nobody must be able to learn from the set whether a flight succeeded but the arms that are told.
        write_plain(root, [dataclasses.replace(f) for f in flights], with_scene=True)
    chosen = args.output / f"{name}-arms.json"
    if not chosen.exists():
        chosen.write_text(json.dumps(arms_of(root, flights)))
    wanted = args.arms.split(",")
    arms = {arm: episodes for arm, episodes in json.loads(chosen.read_text()).items() if arm in wanted}
    print(payoff_table.kept(flights, arms))
    for policy in args.policies.split(","):
        done: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
        seeds = [int(s) for s in args.training_seeds.split(",")]
        if args.report:
            finished = partial(place, args.output, policy, steps=args.steps, trials=args.trials)
            seeds = [s for s in seeds if all(finished(seed=s, episodes=e).exists() for e in arms.values())]
            if not seeds:
                print(f"\n{policy}: no training seed is finished yet")
                continue
        for seed in seeds:
            for arm, episodes in arms.items():
                found = cell(root, args.output, policy, seed, args.steps, episodes, args.trials)
                done[arm].append(found)
                line = f"{policy}, training seed {seed}, {arm}: {sum(found['outcomes'])} of {args.trials}"
                print(f"{line} ({found['cpu_s']:.0f} CPU-s, load {found['load']:.1f})", file=sys.stderr)
        print("\n" + payoff_table.outcomes(policy, done))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
