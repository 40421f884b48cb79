"""The task: put the red cube on the blue disc."""

from __future__ import annotations

from typing import Any

import numpy as np

CUBE_HALF_M = 0.0125
TARGET_XY_M = np.array([0.22, 0.0])
TARGET_RADIUS_M = 0.03
# Where the cube may lie at the start, as seen from the base: what the arm reaches with the gripper upright.
CUBE_DISTANCE_M = (0.19, 0.29)
CUBE_BEARING_RAD = (-0.7, 0.7)
CUBE_CLEARANCE_M = 0.065
# Standing on the table: this near to lying flat, and this slow.
RESTING_HEIGHT_M = 0.0025
RESTING_SPEED_M_S = 0.03
RELEASED_GRIPPER_RAD = 0.45


class PickPlaceTask:
    """The cube belongs on the disc, resting and released.

    Attributes:
        instruction: The task in words, as stored in the dataset.
        environment_state_names: Names and units of `environment_state()`'s entries. A cube's yaw is only
            defined modulo a quarter turn, so it appears by the sine and cosine of its fourfold.
        time_limit_s: Simulated seconds after which an attempt has failed.
    """

    instruction = "Pick up the red cube and place it on the blue disc."
    environment_state_names = ["cube.x_m", "cube.y_m", "cube.z_m", "cube.sin_4yaw", "cube.cos_4yaw"]
    time_limit_s = 12.0

    def __init__(self) -> None:
        self._data: Any = None
        self._start_distance_m = 1.0

    def bind(self, model: Any, data: Any) -> None:
        """Take the `mujoco.MjModel` and `mujoco.MjData` whose scene this task judges."""
        joint = model.joint("cube")
        self._data = data
        self._pose = slice(joint.qposadr[0], joint.qposadr[0] + 7)
        self._twist = slice(joint.dofadr[0], joint.dofadr[0] + 6)
        self._gripper = model.joint("gripper").qposadr[0]

    def place_cube(self, rng: np.random.Generator) -> None:
        """Put the cube flat on the table at a random reachable place, turned at random, off the disc."""
        while True:
            distance_m, bearing_rad = rng.uniform(*CUBE_DISTANCE_M), rng.uniform(*CUBE_BEARING_RAD)
            xy_m = distance_m * np.array([np.cos(bearing_rad), np.sin(bearing_rad)])
            if np.linalg.norm(xy_m - TARGET_XY_M) > CUBE_CLEARANCE_M:
                break
        half_yaw = rng.uniform(-np.pi / 4, np.pi / 4) / 2
        self._data.qpos[self._pose] = [*xy_m, CUBE_HALF_M, np.cos(half_yaw), 0.0, 0.0, np.sin(half_yaw)]
        self._start_distance_m = self._distance_m()

    def environment_state(self) -> np.ndarray:
        """Return the cube's position in the base frame [m], sin 4yaw and cos 4yaw, float32, (5,)."""
        x, y, z, qw, qx, qy, qz = self._data.qpos[self._pose]
        yaw = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))
        return np.array([x, y, z, np.sin(4 * yaw), np.cos(4 * yaw)], np.float32)

    def reward(self) -> float:
        """Return 1 where the task is done, else half the share of the cube's way to the disc, 0 to 0.5."""
        if self.success():
            return 1.0
        return 0.5 * float(np.clip(1 - self._distance_m() / self._start_distance_m, 0.0, 1.0))

    def success(self) -> bool:
        """Return whether the cube's centre is over the disc, the cube at rest there and the gripper open."""
        height_m = self._data.qpos[self._pose][2] - CUBE_HALF_M
        return bool(
            self._distance_m() < TARGET_RADIUS_M
            and abs(height_m) < RESTING_HEIGHT_M
            and np.linalg.norm(self._data.qvel[self._twist][:3]) < RESTING_SPEED_M_S
            and self._data.qpos[self._gripper] > RELEASED_GRIPPER_RAD
        )

    def _distance_m(self) -> float:
        """Return how far the cube's centre is from the disc's, on the table [m]."""
        return float(np.linalg.norm(self._data.qpos[self._pose][:2] - TARGET_XY_M))
