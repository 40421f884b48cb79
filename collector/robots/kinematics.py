"""An arm's differential kinematics: from where its joints are towards where its tool shall be, a tick at a time.

The step is the quadratic program of mink's `solve_ik` (inverse kinematics by Gauss-Newton steps with damping),
with the joints' ranges and speeds as its limits, so that at an end stop and in a singular pose the tool lags
behind instead of a joint leaping.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import DeviceError, MismatchError
from collector.robots.graphics import import_mujoco

# Cost of a radian against that of a metre: a lean is cheap, a miss is dear (arms of five joints must lean).
ORIENTATION_COST = 0.03
# Levenberg-Marquardt damping, in proportion to the error, and that of the joints' speed: the first keeps a pose
# that cannot be reached from pulling hard, the second bounds the joints' speed where the arm is stretched out.
ERROR_DAMPING = 1e-2
JOINT_DAMPING = 1e-5
# A step that does not bring the tool nearer is shortened to these shares, and then not made: stretched out, an arm
# would otherwise chatter to and fro about a place that it cannot reach.
_SHARES = (1.0, 0.5, 0.2)


class Arm:
    """The kinematics of one arm; every call says anew where its joints are.

    Attributes:
        joints: The joints that may move, in the caller's order.
        ranges: Their ranges [rad, or m for sliding joints], float64, (n_joints, 2); infinite where the model
            has none.
        hinged: Which of them turn (the others slide), bool, (n_joints,).
    """

    def __init__(self, model_file: Path, frame: str, joints: Sequence[str]) -> None:
        """Load the arm.

        Args:
            model_file: An MJCF or URDF.
            frame: A site, or a body, of the model: the tool, whose z axis points away from the wrist.
            joints: Names of the joints that may move; the others stay at the model's reference.

        Raises:
            DeviceError: If the file cannot be read.
            MismatchError: If the model lacks the frame or a joint, with those that it has.
        """
        model = _bare_model(model_file)
        import mink

        self._mink, self._model = mink, model
        self._configuration = mink.Configuration(model)
        kind = self._kind_of(frame)
        have = [model.joint(i).name for i in range(model.njnt)]
        for joint in joints:
            if joint not in have:
                raise MismatchError(
                    f"{model_file} has no joint '{joint}': it has {', '.join(have)}; name the robot's joints in it "
                    "as the robot does"
                )
        self.joints = tuple(joints)
        numbers = [have.index(joint) for joint in joints]
        limited = model.jnt_limited[numbers].astype(bool)
        self.ranges = np.where(limited[:, None], model.jnt_range[numbers], [-np.inf, np.inf])
        self.hinged = model.jnt_type[numbers] == import_mujoco().mjtJoint.mjJNT_HINGE
        self._addresses = model.jnt_qposadr[numbers]
        self._dofs = model.jnt_dofadr[numbers]
        self._first = numbers[0]
        self._reference = self._configuration.q.copy()
        self._task = mink.FrameTask(
            frame, kind, position_cost=1.0, orientation_cost=ORIENTATION_COST, lm_damping=ERROR_DAMPING
        )
        self._still = {name: 0.0 for name in have if name and name not in joints}
        self._fixed_limits = [mink.ConfigurationLimit(model)]
        self._speed_limit: tuple[float, Any] | None = None
        self._placed = b""  # where the joints of the configuration are

    def pose(self, angles: np.ndarray) -> Any:
        """Return the tool's pose in the base frame, a `mink.SE3` [m].

        Args:
            angles: Joint positions [rad, m], (n_joints,).
        """
        self._place(angles)
        return self._configuration.get_transform_frame_to_world(self._task.frame_name, self._task.frame_type)

    def heading(self, angles: np.ndarray) -> tuple[float, float]:
        """Return the horizontal direction (x, y) in which the arm reaches out, of length 1.

        It goes from the axis of the first joint to the tool; straight above that axis it is the base's x axis.
        """
        place, foot = self.pose(angles).translation(), self._configuration.data.xanchor[self._first]
        x, y = float(place[0] - foot[0]), float(place[1] - foot[1])
        length = math.hypot(x, y)
        return (x / length, y / length) if length > 0.01 else (1.0, 0.0)

    def towards(self, angles: np.ndarray, goal: Any, dt_s: float, speed: float) -> np.ndarray:
        """Return where the joints shall be one tick later, so that the tool comes nearer to `goal`.

        Args:
            angles: Where they are [rad, m], (n_joints,).
            goal: The tool's pose wanted, a `mink.SE3`.
            dt_s: Time to the next tick [s].
            speed: No joint moves faster than this [rad/s, m/s].

        Returns:
            Joint positions [rad, m], (n_joints,), each within `speed * dt_s` of `angles`; one that is out of its
            range comes back at that speed.
        """
        inside = np.clip(angles, self.ranges[:, 0], self.ranges[:, 1])
        self._task.set_target(goal)
        missed = self._missed(inside)
        limits = [*self._fixed_limits, self._at_most(speed)]
        try:
            velocity = self._mink.solve_ik(
                self._configuration, [self._task], dt_s, solver="daqp", damping=JOINT_DAMPING, limits=limits
            )
        except self._mink.MinkError:  # no solution within the limits: stay
            velocity = np.zeros(self._model.nv)
        moved = inside
        for share in _SHARES:
            tried = inside + velocity[self._dofs] * (dt_s * share)
            if self._missed(tried) < missed:
                moved = tried
                break
        longest = speed * dt_s
        return angles + np.clip(moved - angles, -longest, longest)

    def _missed(self, angles: np.ndarray) -> float:
        """Return by how much the tool misses the goal, squared and weighed as in the program's objective."""
        self._place(angles)
        error = self._task.compute_error(self._configuration) * self._task.cost
        return float(error @ error)

    def _place(self, angles: np.ndarray) -> None:
        placed = angles.tobytes()
        if placed == self._placed:
            return
        self._placed = placed
        q = self._reference.copy()
        q[self._addresses] = angles
        self._configuration.update(q)

    def _at_most(self, speed: float) -> Any:
        if self._speed_limit is None or self._speed_limit[0] != speed:
            speeds = {**self._still, **dict.fromkeys(self.joints, speed)}
            self._speed_limit = (speed, self._mink.VelocityLimit(self._model, speeds))
        return self._speed_limit[1]

    def _kind_of(self, frame: str) -> str:
        sites = [self._model.site(i).name for i in range(self._model.nsite)]
        bodies = [self._model.body(i).name for i in range(self._model.nbody)]
        if frame in sites:
            return "site"
        if frame in bodies:
            return "body"
        raise MismatchError(
            f"the model has neither a site nor a body '{frame}': it has the sites {', '.join(filter(None, sites))} "
            f"and the bodies {', '.join(bodies[1:])}"
        )


def _bare_model(model_file: Path) -> Any:
    """Return the model without its shapes, which are not needed and take most of the time to load.

    A model that takes its masses from its shapes keeps them.
    """
    mjspec = import_mujoco().MjSpec
    if model_file.suffix.lower() not in (
        ".xml",
        ".urdf",
    ):  # MuJoCo would write a log file into the present folder
        raise DeviceError(
            f"{model_file} is no arm that MuJoCo can read: an MJCF ends in .xml, a URDF in .urdf"
        )
    try:
        spec = mjspec.from_file(str(model_file))
        for shape in [*spec.geoms, *spec.meshes]:
            spec.delete(shape)
        try:
            return spec.compile()
        except ValueError:
            return mjspec.from_file(str(model_file)).compile()
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise DeviceError(f"{model_file} is no arm that MuJoCo can read: {reason[:200]}") from error
