"""Inverse kinematics of the SO-101: joint angles that bring the grip to a place, pointing down, at a yaw.

The arm has five joints before the gripper: three take the grip to its place, one points it down, one turns
it. Where it cannot point straight down (far away) it leans outwards rather than missing the place.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from collector.robots.graphics import import_mujoco
from collector.robots.sim_so101.joints import CONTROL_RANGES_RAD, JOINTS

ARM = Path(__file__).parent / "assets" / "so101.xml"
# Cost of a radian against that of a metre: a lean is cheap, a miss is dear.
ORIENTATION_COST = 0.03
# The iteration ends when no joint moves more than this [rad], or after this many steps.
TOLERANCE_RAD = 2e-3
MAX_STEPS = 12


@cache
def _bare_model() -> Any:
    """Return the arm without its geometry (compiled in a millisecond), as a `mujoco.MjModel`."""
    spec = import_mujoco().MjSpec.from_file(str(ARM))
    for geom in list(spec.geoms):
        spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)
    return spec.compile()


class Reach:
    """Solves the arm's inverse kinematics by mink, each time from where it was asked to start."""

    def __init__(self) -> None:
        model = _bare_model()
        import mink

        self._mink = mink
        self._configuration = mink.Configuration(model)
        self._grip = mink.FrameTask(
            "gripperframe", "site", position_cost=1.0, orientation_cost=ORIENTATION_COST, lm_damping=1e-3
        )
        self._limits = [mink.ConfigurationLimit(model)]
        self._site = model.site("gripperframe").id
        # The model's joints stand in the order of `JOINTS`; its ranges are those of the servos but for the
        # roll.
        assert [model.joint(i).name for i in range(model.njnt)] == list(JOINTS)

    def grip(self, angles_rad: np.ndarray) -> tuple[np.ndarray, float]:
        """Return where the grip is.

        Args:
            angles_rad: Joint angles [rad], (6,), in the order of `JOINTS`.

        Returns:
            Its place in the base frame [m], (3,), and the yaw of the line from jaw to jaw [rad].
        """
        self._configuration.update(np.asarray(angles_rad, float))
        data = self._configuration.data
        across = data.site_xmat[self._site].reshape(3, 3)[:, 0]
        return data.site_xpos[self._site].copy(), float(np.arctan2(across[1], across[0]))

    def solve(self, place_m: np.ndarray, yaw_rad: float, start_rad: np.ndarray) -> np.ndarray:
        """Return joint angles that bring the grip to a place.

        Args:
            place_m: Where the grip shall be, in the base frame [m], (3,).
            yaw_rad: Yaw of the line from jaw to jaw [rad].
            start_rad: Angles to start from [rad], (6,); the gripper's is kept.

        Returns:
            Joint angles within their ranges [rad], (6,); for a place out of reach, some that stretch towards it.
        """
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        down = np.array([[cos, sin, 0.0], [sin, -cos, 0.0], [0.0, 0.0, -1.0]])
        goal = self._mink.SE3.from_rotation_and_translation(
            self._mink.SO3.from_matrix(down), np.asarray(place_m)
        )
        self._grip.set_target(goal)
        self._configuration.update(np.clip(start_rad, CONTROL_RANGES_RAD[:, 0], CONTROL_RANGES_RAD[:, 1]))
        for _ in range(MAX_STEPS):
            velocity = self._mink.solve_ik(
                self._configuration, [self._grip], 1.0, solver="daqp", damping=1e-5, limits=self._limits
            )
            velocity[5] = 0.0
            self._configuration.integrate_inplace(velocity, 1.0)
            if np.abs(velocity).max() < TOLERANCE_RAD:
                break
        return self._configuration.q.copy()
