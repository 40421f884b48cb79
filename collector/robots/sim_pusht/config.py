"""Flags of the simulated PushT."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.robots.config import RobotConfig

from collector.robots.simulated import check_cameras

CAMERA_NAMES = ("image",)


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
        check_cameras("sim_pusht", CAMERA_NAMES, self)
