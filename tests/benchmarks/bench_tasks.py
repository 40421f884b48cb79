"""One policy, two tasks, told in words which: picking and placing, and pushing aside, on the simulated SO-101.

    python tests/benchmarks/bench_tasks.py [--flights=80] [--steps=4000] [--episodes=100] [--out=FOLDER]

Scripted people fly each task as often as the other (`curation_bench`); `bc` learns both from one set; each seed is then
flown twice, once told to pick and once told to push. "Placed": the cube lies on the disc, as the task judges. "Pushed":
it moved by more than 30 mm, was never lifted by more than 15 mm, and does not lie on the disc.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from curation_bench.flying import FPS, Sky, fly
from curation_bench.pilots import PICK, PUSH

import demodeck
from collector.robots.sim_so101.joints import ACTION_KEYS
from training.intervals import clopper_pearson

STATE, SCENE, ACTION = "observation.state", "observation.environment_state", "action"
FIRST_FLOWN, FIRST_JUDGED = 9_000_000, 7000
LIMIT_S = 10.0
MOVED_M, LIFTED_M = 0.030, 0.015


class Watched(Sky):
    """The sky, with the scene's state written down whenever the arm is looked at."""

    def begin(self, seed: int) -> None:
        super().begin(seed)
        self.scenes: list[np.ndarray] = []

    def observe(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        self.scenes.append(np.array(self.robot.task.environment_state(), np.float32))
        return super().observe()


def record(sky: Watched, root: Path, n_flights: int) -> None:
    """Fly each task `n_flights` times, and write one set."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    def vector(names: Any) -> dict[str, Any]:
        return {"dtype": "float32", "shape": (len(names),), "names": list(names)}

    scene = sky.robot.task.environment_state_names
    features = {STATE: vector(ACTION_KEYS), SCENE: vector(scene), ACTION: vector(ACTION_KEYS)}
    dataset = LeRobotDataset.create(
        "bench/tasks", FPS, root=root, features=features, robot_type="sim_so101", use_videos=False
    )
    seed = FIRST_FLOWN
    for task in [PICK, PUSH] * n_flights:
        while True:
            seed += 1
            flown = fly(sky, seed, task)
            if flown.success:
                break
        for state, scene_now, action in zip(flown.state, sky.scenes, flown.action):
            columns = {STATE: state, SCENE: scene_now, ACTION: action}
            dataset.add_frame(
                {key: values.astype(np.float32) for key, values in columns.items()} | {"task": task}
            )
        dataset.save_episode()
    dataset.finalize()


def outcome(sky: Watched, pilot: Any, seed: int) -> str:
    """Fly a seed; returns `placed`, `pushed` or `neither`."""
    sky.begin(seed)
    pilot.reset(seed)
    sky.observe()
    for _ in range(round(LIMIT_S * FPS)):
        seen = sky.robot.get_observation()
        pilot.observe({**seen, "environment_state": sky.scenes[-1]})
        sky.robot.send_action(pilot.get_action())
        sky.observe()
        if sky.robot.task.success():
            return "placed"
    way = np.array(sky.scenes)[:, :3]
    moved = float(np.linalg.norm(way[-1, :2] - way[0, :2]))
    lifted = float((way[:, 2] - way[0, 2]).max())
    return "pushed" if moved > MOVED_M and lifted < LIFTED_M else "neither"


def main() -> None:
    """Record, train, fly and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flights", type=int, default=80)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="bench_tasks_"))
    sky = Watched()
    record(sky, out / "data", given.flights)
    flags = [f"--dataset.root={out / 'data'}", "--policy.type=bc", f"--steps={given.steps}", "--seed=1"]
    if code := demodeck.main(["train", *flags, "--num_threads=1", f"--output_dir={out / 'bc'}"]):
        raise SystemExit(code)
    from collector.teleoperators.policy import Policy, PolicyConfig

    print("| told | placed | pushed | neither | as told, exact 95 % |")
    print("|---|---|---|---|---|")
    for task, wanted in ((PICK, "placed"), (PUSH, "pushed")):
        pilot = Policy(PolicyConfig(path=str(out / "bc"), task=task, device="cpu"))
        pilot.fit_to(sky.robot)
        pilot.connect()
        seeds = range(FIRST_JUDGED, FIRST_JUDGED + given.episodes)
        ended = [outcome(sky, pilot, seed) for seed in seeds]
        counts = {kind: ended.count(kind) for kind in ("placed", "pushed", "neither")}
        low, high = clopper_pearson(counts[wanted], len(ended))
        row = " | ".join(str(count) for count in counts.values())
        print(f"| {task} | {row} | {low:.0%} to {high:.0%} |", flush=True)


if __name__ == "__main__":
    main()
