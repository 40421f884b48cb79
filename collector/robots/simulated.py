"""What our simulated robots share: the flags of their cameras, and what a robot without hardware need not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lerobot.robots.robot import Robot

from collector.errors import DeviceError, UsageError

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

    Attributes:
        realtime: Whether physics follows the wall clock.
        cameras: The cameras by name.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.config = config
        self.realtime: bool = config.realtime
        self.cameras = {name: SimCamera(name, config.width, config.height) for name in config.cameras}

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
