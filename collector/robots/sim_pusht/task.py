"""The task: push the T onto its target, judged as gym-pusht judges."""

from __future__ import annotations

import numpy as np

from collector.robots.sim_pusht.scene import PushTScene


class PushTTask:
    """The block belongs on the target; source of measure and limit: gym-pusht 0.1.8.

    Attributes:
        instruction: The task in words, as stored in the dataset.
        environment_state_names: Names of `environment_state()`'s entries [px].
        time_limit_s: Simulated seconds after which an attempt has failed: 300 actions at 10 Hz.
    """

    instruction = "Push the T-shaped block onto the T-shaped target."
    environment_state_names = [f"keypoint_{i}_{axis}" for i in range(8) for axis in "xy"]
    time_limit_s = 30.0

    def __init__(self) -> None:
        self._scene: PushTScene

    def bind(self, scene: PushTScene) -> None:
        """Take the scene that this task judges."""
        self._scene = scene

    def environment_state(self) -> np.ndarray:
        """Return the block's keypoints [px], float32, (16,)."""
        return self._scene.keypoints()

    def reward(self) -> float:
        """Return the covered share of the target over what counts as done, at most 1."""
        return min(self._scene.coverage() / self._scene.success_threshold, 1.0)

    def success(self) -> bool:
        """Return whether more than 95 % of the target is covered."""
        return self._scene.coverage() > self._scene.success_threshold
