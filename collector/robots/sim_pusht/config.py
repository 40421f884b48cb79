"""Flags of the simulated PushT."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.robots.config import RobotConfig

from collector.errors import UsageError

CAMERA_NAMES = ("image",)
SIZE_LIMITS = (16, 2048)


@RobotConfig.register_subclass("sim_pusht")
@dataclass(kw_only=True)
class SimPushTConfig(RobotConfig):
    """PushT by gym-pusht (`--robot.type=sim_pusht`).

    Raises:
        UsageError: If a camera is unknown or named twice, or a picture too small or too large.
    """

    # True: physics follows the wall clock. False (lock-step): each action takes one control period.
    realtime: bool = True
    # [image], the scene from above, or [] for none.
    cameras: list[str] = field(default_factory=lambda: list(CAMERA_NAMES))
    # Size of the pictures [pixels].
    width: int = 96
    height: int = 96

    def __post_init__(self) -> None:
        # lerobot's own check is for cameras that are devices with a rate of their own.
        for name in self.cameras:
            if name not in CAMERA_NAMES:
                raise UsageError(f"sim_pusht has no camera '{name}': choose among {', '.join(CAMERA_NAMES)}")
        if len(set(self.cameras)) < len(self.cameras):
            raise UsageError(f"--robot.cameras={self.cameras} names a camera twice: name each once")
        low, high = SIZE_LIMITS
        for flag, size in (("width", self.width), ("height", self.height)):
            if not low <= size <= high:
                raise UsageError(f"--robot.{flag}={size}: pictures may be {low} to {high} pixels")
