"""What our simulated robots share: their clock, the flags of their cameras, and what needs no hardware to be done."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lerobot.robots.robot import Robot

from collector.errors import DeviceError, MismatchError, UsageError

SIZE_LIMITS = (16, 2048)  # width and height of a picture [pixels]
# After a pause (a debugger, a suspended laptop) real time goes on from there instead of leaping over it.
LONGEST_LEAP_S = 0.5


@dataclass
class SimCamera:
    """What lerobot and a session ask of a camera that is part of a robot.

    Attributes:
        name: The camera's name in the model and in the observation.
        width: Width of its pictures [pixels].
        height: Height of its pictures [pixels].
        latest_timestamp: `time.perf_counter()` at which the scene of its latest picture stood [s]; None in
            lock-step, where pictures are taken at no wall-clock time.
    """

    name: str
    width: int
    height: int
    latest_timestamp: float | None = None


class SimulatedRobot(Robot):
    """Base of the robots that are simulations; their config has `realtime`, `cameras`, `width` and `height`.

    In lock-step (`realtime=False`) each `send_action` advances physics by one control period and nothing else
    does. In real time each call first lets physics catch up with the wall clock; what passed beyond
    `LONGEST_LEAP_S` since the last call is left out, so that simulated time falls behind instead of leaping.

    Attributes:
        realtime: Whether physics follows the wall clock.
        cameras: The cameras by name.
        action_keys: What an action names, in order.
    """

    action_keys: tuple[str, ...]

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.config = config
        self.realtime: bool = config.realtime
        self.cameras = {name: SimCamera(name, config.width, config.height) for name in config.cameras}
        self._caught_up_s = 0.0

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(self.action_keys, float)

    @property
    def is_calibrated(self) -> bool:
        """Always: positions are exact."""
        return True

    def calibrate(self) -> None:
        """Do nothing."""

    def configure(self) -> None:
        """Do nothing: the servos are part of the model."""

    def _features(self, keys: Sequence[str]) -> dict[str, type | tuple[int, ...]]:
        """Return `observation_features`: the scalars' keys, then the pictures."""
        pictures = {name: (camera.height, camera.width, 3) for name, camera in self.cameras.items()}
        return {**dict.fromkeys(keys, float), **pictures}

    def _asked(self, action: Mapping[str, Any], before: Sequence[float]) -> list[float]:
        """Return what an action asks of each of `action_keys`; one left out keeps its value.

        Raises:
            MismatchError: If the action names something else.
            DeviceError: If a value is not finite.
        """
        asked = dict(zip(self.action_keys, before, strict=True))
        for key, value in action.items():
            if key not in asked:
                raise MismatchError(
                    f"the action has '{key}', which {self.name} has not: it has {', '.join(self.action_keys)}"
                )
            if not math.isfinite(value):
                raise DeviceError(
                    f"the action for '{key}' is not a finite number: check the pilot or its policy"
                )
            asked[key] = float(value)
        return list(asked.values())

    # The clock -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _step_s(self) -> float:
        """Simulated time of one step of physics [s]."""

    @abstractmethod
    def _advance(self, steps: int) -> None:
        """Step physics."""

    def _begin_clock(self) -> None:
        """Let the wall clock count from now on."""
        self._caught_up_s = time.perf_counter()

    def _catch_up(self) -> None:
        """In real time, advance physics to the wall clock."""
        if not self.realtime:
            return
        now_s = time.perf_counter()
        self._caught_up_s = max(self._caught_up_s, now_s - LONGEST_LEAP_S)
        steps = int((now_s - self._caught_up_s) / self._step_s)
        self._caught_up_s += steps * self._step_s
        self._advance(steps)

    def _stamp_pictures(self) -> None:
        """Tell the cameras when the scene stood as the pictures that are drawn now show it."""
        for camera in self.cameras.values():
            camera.latest_timestamp = self._caught_up_s if self.realtime else None


def check_cameras(robot: str, known: Sequence[str], config: Any) -> None:
    """Check the cameras that a config asks for; lerobot's own check is for devices with a rate of their own.

    Raises:
        UsageError: If a camera is unknown or named twice, or a picture too small or too large.
    """
    for name in config.cameras:
        if name not in known:
            raise UsageError(f"{robot} has no camera '{name}': choose among {', '.join(known)}")
    if len(set(config.cameras)) < len(config.cameras):
        raise UsageError(f"--robot.cameras={config.cameras} names a camera twice: name each once")
    low, high = SIZE_LIMITS
    for flag in ("width", "height"):
        size = getattr(config, flag)
        if not low <= size <= high:
            raise UsageError(f"--robot.{flag}={size}: pictures may be {low} to {high} pixels")


def check_period(robot: str, dt_s: float) -> None:
    """Check a control period [s].

    Raises:
        DeviceError: If it is out of range.
    """
    if not 0.001 <= dt_s <= 1.0:
        raise DeviceError(f"{robot} cannot be controlled every {dt_s} s: choose 1 to 1000 Hz")
