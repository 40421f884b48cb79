"""What the pilots by hand have in common: from wishes to actions, and when to begin anew."""

from __future__ import annotations

import time
from typing import Any

from lerobot.utils.decorators import check_if_not_connected

from collector.errors import DeviceError
from collector.robots.protocols import Simulated
from collector.teleoperators.motion.config import SteeringConfig
from collector.teleoperators.motion.fit import Steered, choose_mode, make_motion
from collector.teleoperators.motion.wish import Motion, Wish
from collector.teleoperators.software import SoftwarePilot

# Who was not asked for longer than this was not flying [s]: a hold, a pause, another device that was gone.
PAUSE_S = 1.0
# Where nobody says how long a period is, what passed is taken, but no more than this [s]: a stall is no leap.
LONGEST_PERIOD_S = 0.1


class SteeredPilot(SoftwarePilot):
    """Base of the pilots that a person steers by rates: how fast to move which way.

    The targets begin at the first observation after `reset`, then only wishes move them; a robot that is found
    elsewhere after a pause is followed, and one that stays behind draws them back.
    """

    def __init__(self, config: SteeringConfig) -> None:
        super().__init__(config)
        self.config = config
        self._robot = Steered.from_config(config)
        self._mode = choose_mode(config, self._robot)
        self._motion: Motion | None = None
        self._is_simulated = self._fresh = False
        self._period_s: float | None = None
        self._asked_s = self._seen_s = float("-inf")

    @property
    def mode(self) -> str:
        """The mode that is flown: `ee`, `joint` or `plane`."""
        return self._mode

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(self._robot.keys, float)

    def fit_to(self, robot: Any) -> None:
        """Take the keys, units and mode of a lerobot `Robot`, which need not be connected.

        Raises:
            MismatchError: If it cannot be steered in the mode asked for.
        """
        self._robot = Steered.of(robot, self.config.side)
        self._mode = choose_mode(self.config, self._robot)
        self._is_simulated = isinstance(robot, Simulated)
        self._motion = None

    def set_control_period(self, dt_s: float) -> None:
        """Set how much time passes from one `get_action` to the next [s]; else the wall clock says it."""
        self._period_s = dt_s

    def reset(self, seed: int) -> None:
        """Begin an episode: where the robot is observed next. The seed does not matter.

        A real arm that still is where it was left is not: its targets would sag by what gravity bends it.
        """
        self._seen_s = float("-inf")
        self._fresh = self._is_simulated

    def observe(self, observation: dict[str, Any]) -> None:
        """See where the robot is.

        Raises:
            DeviceError: If a joint is missing.
        """
        measured = {}
        for key, seen_as in self._robot.measured_by.items():
            if seen_as not in observation:
                raise DeviceError(
                    f"{self.name} cannot see '{seen_as}': name this robot's joints by --teleop.joints=[...]"
                )
            measured[key] = float(observation[seen_as])
        motion = self._ready()
        now_s = time.monotonic()
        paused = now_s - self._seen_s > PAUSE_S
        if self._fresh or not motion.targets or (paused and motion.off(measured) > 1.0):
            motion.start(measured)
        else:
            motion.leash(measured)
        self._seen_s, self._fresh = now_s, False

    @check_if_not_connected
    def get_action(self) -> dict[str, float]:
        """Return the targets of this tick.

        Returns:
            One value a joint, in the robot's units (`<joint>.pos` in degrees, the gripper 0..100).

        Raises:
            ConnectionError: If the device is gone.
            DeviceNotConnectedError: If it is not connected.
            DeviceError: If nobody said where the robot is.
        """
        motion = self._ready()
        dt_s = self._period()
        wish = self._wish(dt_s)
        if not motion.targets:
            if not self.config.start:
                raise DeviceError(
                    f"nobody showed {self.name} where the robot is, and from a guess it would leap: fly with "
                    "'demodeck record' or 'demodeck teleop', or say where it begins by --teleop.start=[...], one "
                    "number a joint"
                )
            motion.start(dict(zip(self._robot.keys, self.config.start)))
        return motion.step(wish, dt_s)

    def _wish(self, dt_s: float) -> Wish:
        """Return what the person asks for now.

        Raises:
            ConnectionError: If the device is gone.
        """
        raise NotImplementedError

    def _ready(self) -> Motion:
        if self._motion is None:
            self._motion = make_motion(self.config, self._robot, self._mode)
        return self._motion

    def _period(self) -> float:
        now_s = time.monotonic()
        passed_s = min(LONGEST_PERIOD_S, now_s - self._asked_s)
        self._asked_s = now_s
        return self._period_s or passed_s
