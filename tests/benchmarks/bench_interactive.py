"""Rounds of HG-DAgger on the simulated SO-101, beside as many rounds of further demonstrations.

    python tests/benchmarks/bench_interactive.py [--rounds=3] [--flights=20] [--steps=2000] [--episodes=100]
        [--repetitions=0,1,2] [--out=FOLDER]

Round 0 is behaviour cloning of a few scripted demonstrations. In each further round the policy flies, and the script
takes over where it has not succeeded after 4 s (`demodeck rollout --strategy=interactive`); the next policy is trained,
from fresh weights, on everything that the script flew so far (`--dataset.policy_weight=0`). The other column gets as
many further demonstrations from fresh starts instead. Every policy flies the same evaluation seeds; p is McNemar's.

A repetition has its own training seed, demonstrations and rounds, and the same evaluation seeds. Several are summed up:
the mean over them, with its 95 % interval by Student's t, of the success and of what 100 s more of a person's flying
brought (points of success since round 0). With `--out` what was flown already is read from there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from collector.dataset.reader import Dataset
from training.intervals import mcnemar_exact

PROJECT = Path(__file__).parents[2]
FPS = 20
TAKEOVER_AFTER_S = 4
DEMONSTRATION_SEED, ROLLOUT_SEED, EVALUATION_SEED, TRAINING_SEED = 10_000, 20_000, 30_000, 1000
SEEDS_A_REPETITION = 1000
ROBOT = ("--robot.type=sim_so101", "--robot.realtime=false", "--robot.cameras=[]")


def main() -> None:
    """Fly, train and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flights", type=int, default=20, help="a round")
    parser.add_argument("--steps", type=int, default=2000, help="of each training")
    parser.add_argument("--episodes", type=int, default=100, help="of each evaluation")
    parser.add_argument("--type", default="bc", help="of the policies")
    parser.add_argument("--repetitions", default="0", help="which, by number")
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    given = parser.parse_args()
    repetitions = []
    for number in map(int, given.repetitions.split(",")):
        known = given.out and given.out / f"repetition-{number}.json"
        if known and known.exists():
            repetitions.append(json.loads(known.read_text()))
        else:
            with tempfile.TemporaryDirectory() as name:
                repetitions.append(run(Path(name), given, number))
            if known:
                given.out.mkdir(parents=True, exist_ok=True)
                known.write_text(json.dumps(repetitions[-1]))
        print(f"\nrepetition {number}\n")
        print_one(repetitions[-1])
    if len(repetitions) > 1:
        print()
        print_all(repetitions)


def print_one(rows: list[dict]) -> None:
    """Print the table of one repetition."""
    print("| round | flown | the script flew [s] | succeeded | 95 % interval | p against round 0 |")
    print("|---|---|---|---|---|---|")
    first = rows[0]["flights"]
    for row in rows:
        low, high = row["wilson_95"]
        only = [
            sum(a > b for a, b in zip(*pair)) for pair in ((row["flights"], first), (first, row["flights"]))
        ]
        print(
            f"| {row['round']} | {row['way']} | {row['flown_s']:.0f} | {row['successes']} of {row['n']} "
            f"| {low:.0%} to {high:.0%} | {mcnemar_exact(*only):.4f} |"
        )


def print_all(repetitions: list[list[dict]]) -> None:
    """Print the table of several, which have the same rounds in the same order."""
    print(
        "| round | flown | the script flew [s] | succeeded, each | mean | 95 % interval | points per 100 s more |"
    )
    print("|---|---|---|---|---|---|---|")
    first = repetitions[0][0]
    for place, row in enumerate(repetitions[0]):
        rows = [rows[place] for rows in repetitions]
        rates = np.array([row["successes"] / row["n"] for row in rows])
        seconds = np.array([row["flown_s"] for row in rows])
        words = [
            f"{row['round']} | {row['way']} | {seconds.mean():.0f}",
            ", ".join(str(row["successes"]) for row in rows) + f" of {row['n']}",
            f"{rates.mean():.0%}",
            "{:.0%} to {:.0%}".format(*np.clip(interval(rates), 0, 1)),
        ]
        if row is not first:
            before = [rows[0] for rows in repetitions]
            gained = 100 * (rates - [row["successes"] / row["n"] for row in before])
            gained *= 100 / (seconds - [row["flown_s"] for row in before])
            words.append("{:.0f} ({:.0f} to {:.0f})".format(gained.mean(), *interval(gained)))
        print(f"| {' | '.join(words)} |" + (" |" if row is first else ""))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a few values, by Student's t."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def run(folder: Path, given: argparse.Namespace, repetition: int) -> list[dict]:
    """Return the evaluation of each policy: `round`, `way`, `flown_s`, `flights` (success by seed) and eval's own."""
    shift, given.seed = repetition * SEEDS_A_REPETITION, TRAINING_SEED + repetition
    seeds = iter(range(DEMONSTRATION_SEED + shift, ROLLOUT_SEED, given.flights))
    demonstrations = [demonstrate(folder / "demonstrations-0", given.flights, next(seeds))]
    sets = {"demonstrations": demonstrations, "interactive": list(demonstrations)}
    policy = train(folder / "policy-0", demonstrations, given)
    rows = [evaluate(folder, policy, given) | {"round": 0, "way": "both", "flown_s": flown_s(demonstrations)}]
    for number in range(1, given.rounds + 1):
        for way, flown in sets.items():
            new = folder / f"{way}-{number}"
            if way == "interactive":
                interact(new, policy, given.flights, ROLLOUT_SEED + shift + number * given.flights)
            else:
                demonstrate(new, given.flights, next(seeds))
            flown.append(new)
            trained = train(folder / f"policy-{way}-{number}", flown, given)
            rows.append(
                evaluate(folder, trained, given) | {"round": number, "way": way, "flown_s": flown_s(flown)}
            )
        policy = trained
    return rows


def demonstrate(root: Path, flights: int, seed: int) -> Path:
    """Record the script's flights."""
    demodeck("record", *ROBOT, "--teleop.type=scripted", *_recording(root, flights, seed))
    return root


def interact(root: Path, policy: Path, flights: int, seed: int) -> None:
    """Record the policy's flights, in which the script takes over."""
    demodeck(
        "rollout", "--strategy=interactive", f"--policy.path={policy}", *ROBOT, "--teleop.type=scripted",
        f"--takeover_after_s={TAKEOVER_AFTER_S}", *_recording(root, flights, seed),
    )  # fmt: skip


def _recording(root: Path, flights: int, seed: int) -> list[str]:
    flags = {
        "dataset.repo_id": f"bench/{root.name}",
        "dataset.root": root,
        "dataset.num_episodes": flights,
        "dataset.fps": FPS,
        "dataset.push_to_hub": "false",
        "seed": seed,
        "stop_on_success": "true",
        "display": "none",
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def train(output: Path, sets: list[Path], given: argparse.Namespace) -> Path:
    """Train a policy on all that the script flew in these sets."""
    root = sets[0]
    if len(sets) > 1:
        root = output.with_name(f"merged-{output.name}")
        demodeck("edit", "merge", *map(str, sets), f"--output={root}")
    demodeck(
        "train", f"--policy.type={given.type}", f"--dataset.root={root}", f"--dataset.repo_id=bench/{root.name}",
        "--dataset.policy_weight=0", f"--steps={given.steps}", "--save_freq=0", f"--seed={given.seed}",
        f"--output_dir={output}",
        "--policy.push_to_hub=false",
    )  # fmt: skip
    return output


def evaluate(folder: Path, policy: Path, given: argparse.Namespace) -> dict:
    """Fly the evaluation seeds; returns what eval says, `flights` as one success a seed."""
    output = folder / f"eval-{policy.name}.json"
    demodeck(
        "eval", f"--policy.path={policy}", "--robot.type=sim_so101", f"--episodes={given.episodes}",
        f"--seed={EVALUATION_SEED}", f"--output={output}",
    )  # fmt: skip
    result = json.loads(output.read_text())
    print(f"{policy.name}: {result['successes']} of {result['n']}", file=sys.stderr, flush=True)
    return result | {"flights": [flight["success"] for flight in result["flights"]]}


def flown_s(sets: list[Path]) -> float:
    """Return how long the script flew in these sets [s]."""
    seconds = 0.0
    for root in sets:
        dataset = Dataset.open(root)
        frames = dataset.columns(["intervention"])["intervention"].reshape(-1).astype(bool)
        by_policy = np.repeat(
            [pilot == "policy" for pilot in dataset.episodes["pilot"].to_pylist()], dataset.lengths()
        )
        seconds += float((frames | ~by_policy).sum()) / FPS
    return seconds


def demodeck(*words: str) -> None:
    """Run a command.

    Raises:
        SystemExit: If it fails, with what it said last.
    """
    done = subprocess.run(
        [sys.executable, str(PROJECT / "demodeck.py"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"demodeck {' '.join(words)}: {done.stderr[-1000:]}")


if __name__ == "__main__":
    main()
