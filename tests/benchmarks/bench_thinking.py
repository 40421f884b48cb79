"""Ticks missed by a robot whose policy thinks for longer than a tick: waited for, or beside the flight.

    python tests/benchmarks/bench_thinking.py [--network=unet] [--rounds=N] [--seconds=S]

`demodeck rollout` flies `action_diffusion` on `sim_so101` in real time at 30 Hz, --inference.type=sync and rtc taking
turns: the perceptron, which thinks for less than a tick, or a U-Net. The network is hardly trained: how long it thinks
does not depend on what it learnt.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from collector.dataset.reader import Dataset

PROJECT = Path(__file__).parent.parent.parent
FPS = 30
FLIGHTS = 2  # a rollout
NO_CAMERAS = "--robot.cameras=[]"


def demodeck(*args: object) -> None:
    """Run a command, in silence."""
    command = [sys.executable, PROJECT / "demodeck.py", *args]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def make_policy(folder: Path, network: str) -> Path:
    """Fly two flights and take a few gradient steps; return the run's folder."""
    demodeck(
        "record", "--robot.type=sim_so101", "--robot.realtime=false", NO_CAMERAS, "--teleop.type=scripted",
        "--dataset.repo_id=lab/flown", f"--dataset.root={folder / 'flown'}", "--dataset.num_episodes=2",
        f"--dataset.fps={FPS}", "--dataset.push_to_hub=false",
    )  # fmt: skip
    demodeck(
        "train", "--policy.type=action_diffusion", f"--policy.network={network}", f"--dataset.root={folder / 'flown'}",
        "--steps=5", "--batch_size=16", f"--output_dir={folder / 'policy'}",
    )  # fmt: skip
    return folder / "policy"


def fly(policy: Path, inference: str, root: Path, seconds: float) -> tuple[int, int, np.ndarray]:
    """Fly a rollout.

    Returns:
        Ticks, those of them missed, and by how much each tick's action came after the tick [ms].
    """
    demodeck(
        "rollout", f"--policy.path={policy}", "--robot.type=sim_so101", NO_CAMERAS, f"--inference.type={inference}",
        "--dataset.repo_id=lab/rollout", f"--dataset.root={root}", f"--dataset.num_episodes={FLIGHTS}",
        f"--dataset.episode_time_s={seconds}", "--dataset.reset_time_s=0", "--dataset.push_to_hub=false",
    )  # fmt: skip
    dataset = Dataset.open(root)
    clocks = dataset.columns(["clock.tick", "clock.action"])
    missed = sum(dataset.episodes["missed_ticks"].to_pylist())
    return dataset.num_frames, missed, 1e3 * (clocks["clock.action"] - clocks["clock.tick"]).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=("mlp", "unet"), default="unet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a flight")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        policy = make_policy(folder, given.network)
        flown: dict[str, list[tuple[int, int, np.ndarray]]] = {"sync": [], "rtc": []}
        for number in range(given.rounds):
            for inference, results in flown.items():
                results.append(fly(policy, inference, folder / f"{inference}{number}", given.seconds))
    print("| --inference.type | ticks | missed | tick to action p50 [ms] | p99 | most |")
    print("|---|---|---|---|---|---|")
    for inference, results in flown.items():
        ticks, missed = (sum(result[i] for result in results) for i in (0, 1))
        p50, p99, most = np.percentile(np.concatenate([result[2] for result in results]), [50, 99, 100])
        print(f"| {inference} | {ticks} | {missed} | {p50:.1f} | {p99:.1f} | {most:.0f} |")


if __name__ == "__main__":
    main()
