"""The rig of a session: robot and pilot, made, fitted to each other, connected, rebuilt when gone, and let go."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from collector.robots.protocols import Simulated, measured
from collector.session.devices import connect, make_pilot, make_robot
from collector.session.features import check_pilot_fits
from collector.session.fly import is_lock_step
from collector.session.guard import Guard, SafetyFlags
from collector.session.motors import MotorWatch
from collector.session.safety import hold, release
from collector.teleoperators.protocols import Fitting
from collector.teleoperators.takeover import Takeover

_TORQUE_FLAG = "disable_torque_on_disconnect"  # of lerobot's arms
_CONTINUES_S = 0.25  # a robot that was commanded so lately still stands where the pilot wants it


class Rig:
    """A robot and its pilot.

    Args:
        robot: Config of the lerobot `Robot`.
        teleop: Config of the lerobot `Teleoperator`.
        safety: Limits.
        fps: Control rate [Hz].
        takeover: Config of the teleoperator by which a person takes over; None: nobody can.

    Attributes:
        robot: The lerobot `Robot`.
        pilot: The lerobot `Teleoperator`.
        guard: Stands between them.
        motors: Looks at the robot's motors; None before `connect`.
        simulated: Whether the robot is a simulation.
        lock_step: Whether only its commands advance the simulation's time.

    Raises:
        DeviceError: If one of them cannot be made.
        MismatchError: If they do not fit each other.
        UsageError: If the safety flags do not fit the robot.
    """

    def __init__(
        self, robot: Any, teleop: Any, safety: SafetyFlags, fps: float, takeover: Any = None
    ) -> None:
        self._robot_config, self._teleop_config, self._takeover_config = robot, teleop, takeover
        self._safety, self._fps = safety, fps
        self.robot = make_robot(robot)
        self.pilot = self._make_pilot()
        self.simulated = isinstance(self.robot, Simulated)
        self.lock_step = is_lock_step(self.robot)
        names = [name for name, kind in self.robot.action_features.items() if kind in (float, int)]
        self.guard = Guard(safety, names, fps)
        self.motors: MotorWatch | None = None
        self._gone = False  # whether the robot went and is not back
        self._asked_s = -1e9  # when the robot was last asked for something

    def connect(self) -> None:
        """Connect both.

        Raises:
            DeviceError: If one does not answer.
        """
        # The teleoperator first, so that the robot is never left powered and idle while it starts.
        connect(self.pilot, "teleoperator")
        connect(self.robot, "robot")
        self.motors = MotorWatch(self.robot, self._safety.max_temperature_c)

    def rebuild(self, what: str) -> None:
        """Make and connect anew a device that was gone: drivers seldom take a pulled cable well.

        Args:
            what: `robot` or `teleoperator`.

        Raises:
            DeviceError: If it does not answer yet.
        """
        if what == "robot":
            # Its servos keep the last goal meanwhile: an arm must not drop for a camera's sake.
            self._let_go(self.robot, "hold" if self._safety.on_fault == "robot" else self._safety.on_fault)
            self._gone = True
            self.robot = make_robot(self._robot_config)
            connect(self.robot, "robot", tries=1)
            self.motors, self._gone = MotorWatch(self.robot, self._safety.max_temperature_c), False
        else:
            release(self.pilot)
            self.pilot = self._make_pilot()
            connect(self.pilot, "teleoperator", tries=1)

    def continues(self) -> bool:
        """Return whether the robot was flown until just now; else it may stand elsewhere than the pilot."""
        return time.perf_counter() - self._asked_s < _CONTINUES_S

    def spare(self) -> None:
        """Note that the robot was asked for something in this tick."""
        self._asked_s = time.perf_counter()

    def hold(self) -> str | None:
        """Ask the robot to stay where it is; return None, or in words why it could not be asked."""
        self._asked_s = -1e9
        if self._gone:
            return None  # it was asked when it went
        return hold(self.robot, self.guard.measured)

    def rest(self, stop: Callable[[], bool] = lambda: False) -> str | None:
        """Take the robot slowly to its rest pose, where one is given; return None, or in words what was in the way.

        Args:
            stop: Asked at every tick; the robot stays where it is as soon as it is true.
        """
        rest = {name.removesuffix(".pos"): value for name, value in self._safety.rest.items()}
        if not rest:
            return None
        step = self._safety.rest_speed / self._fps
        try:
            at = measured(self.robot, self.robot.get_observation())
            goal = at | {
                name: rest[name.removesuffix(".pos")] for name in at if name.removesuffix(".pos") in rest
            }
            while at != goal:
                if stop():
                    return "it was stopped"
                at = {name: value + min(max(goal[name] - value, -step), step) for name, value in at.items()}
                self.robot.send_action(at)
                time.sleep(0 if self.lock_step else 1 / self._fps)
        except Exception as error:
            return " ".join(str(error).split()) or type(error).__name__
        return None

    def release(self, failed: bool) -> None:
        """Let go of both; after a failure the motors are held or released as `--safety.on_fault` says."""
        self._let_go(self.robot, self._safety.on_fault if failed else "robot")
        release(self.pilot)

    def _let_go(self, robot: Any, motors: str) -> None:
        arms = (robot, *(getattr(robot, f"{side}_arm", None) for side in ("left", "right")))
        configs = [config for arm in arms if hasattr(config := getattr(arm, "config", None), _TORQUE_FLAG)]
        before = [getattr(config, _TORQUE_FLAG) for config in configs]
        if motors != "robot":
            for config in configs:
                setattr(config, _TORQUE_FLAG, motors == "release")
        release(robot)
        for config, value in zip(configs, before):
            setattr(config, _TORQUE_FLAG, value)

    def _make_pilot(self) -> Any:
        pilot = make_pilot(self._teleop_config)
        if self._takeover_config is not None:
            pilot = Takeover(pilot, make_pilot(self._takeover_config))
        if isinstance(pilot, Fitting):
            pilot.fit_to(self.robot)
        check_pilot_fits(self.robot, pilot)
        return pilot
