"""Flags of the simulated SO-101."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.robots.config import RobotConfig

from collector.robots.simulated import check_cameras

CAMERA_NAMES = ("front", "wrist")


@RobotConfig.register_subclass("sim_so101")
@dataclass(kw_only=True)
class SimSO101Config(RobotConfig):
    """The SO-101 in MuJoCo (`--robot.type=sim_so101`).

    Raises:
        UsageError: If a camera is unknown or named twice, or a picture too small or too large.
    """

    # True: physics follows the wall clock. False (lock-step): each action takes one control period.
    realtime: bool = True
    # Which of [front,wrist] to draw; [] for none, which needs no graphics library.
    cameras: list[str] = field(default_factory=lambda: list(CAMERA_NAMES))
    # Size of each camera's pictures [pixels].
    width: int = 224
    height: int = 224

    def __post_init__(self) -> None:
        check_cameras("sim_so101", CAMERA_NAMES, self)
