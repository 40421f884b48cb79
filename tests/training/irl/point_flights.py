"""Flights of a point in the plane, recorded by the project's own writer: some come to (1, 1) and stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from collector.dataset.journal import JournalWriter
from collector.dataset.schema import scalar, vector
from collector.dataset.writer import DatasetWriter

FPS, STEP = 10, 0.12
GOAL, ELSEWHERE = np.array([1.0, 1.0]), np.array([-0.2, 0.9])


def fly(rng: np.random.Generator, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return states and asked positions of one flight from the lower left, float32, (n_frames, 2)."""
    at, states, actions = rng.uniform([-1, -1], [0, -0.5]), [], []
    for _ in range(int(rng.integers(28, 36))):
        way = goal - at
        step = way * min(1.0, STEP / max(float(np.linalg.norm(way)), 1e-9)) + rng.normal(0, 0.02, 2)
        states.append(at)
        actions.append(at + step)
        at = at + step
    return np.array(states, np.float32), np.array(actions, np.float32)


def write(root: Path, n_good: int = 8, n_bad: int = 8, seed: int = 0, discrete: bool = False) -> Path:
    """Write good flights, then others, with the episode's column `success`; discrete actions say whether x grows."""
    rng = np.random.default_rng(seed)
    action_feature = scalar("int64") if discrete else vector(["x", "y"])
    features = {"observation.state": vector(["x", "y"]), "action": action_feature}
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="point")
    for episode in range(n_good + n_bad):
        success = episode < n_good
        states, actions = fly(rng, GOAL if success else ELSEWHERE)
        if discrete:
            actions = (actions[:, :1] > states[:, :1]).astype(np.int64)
        folder = root / ".journal" / f"flight-{episode}"
        journal = JournalWriter(folder, {"task": "go", "seed": episode}, features, FPS)
        for state, action in zip(states, actions):
            journal.add({"observation.state": state, "action": action}, {})
        journal.close({"success": success, "seed": episode})
        writer.save(folder)
    writer.close()
    return root
