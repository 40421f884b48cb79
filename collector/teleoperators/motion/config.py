"""Flags that the pad and the keys share: what is steered, how, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import UsageError
from collector.teleoperators.motion.wish import FRAMES, MODES

SO101_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


@dataclass(kw_only=True)
class SteeringConfig(TeleoperatorConfig):
    """What a person steers, how, and how fast.

    Raises:
        UsageError: If a value is out of range or unknown.
    """

    # auto, ee (the tool in space), joint (one axis a joint), plane (two numbers). auto: ee for the SO-100 and SO-101,
    # and for any arm with --teleop.mjcf; plane where the robot takes two numbers that are no joints; else joint.
    mode: str = "auto"
    # ee: arm (moves along the base's axes, turns as the arm points), base or tool.
    frame: str = "arm"
    # ee: the arm's MJCF or URDF, whose joints are named as the robot's; empty for the SO-100 and SO-101.
    mjcf: str = ""
    # ee: the site or body of that file which is the tool, its z axis pointing away from the wrist.
    site: str = ""
    # Of a robot with two arms, the one that is steered: left or right, as its joints are called left_... and right_...;
    # the other one is held where it is.
    side: str = ""
    # The robot's joints (without .pos), where nobody shows the robot (lerobot-record).
    joints: list[str] = field(default_factory=lambda: list(SO101_JOINTS))
    # Where the robot is when it begins, in its units and the order of its joints, where nobody shows that
    # (lerobot-record); without it nothing is sent, as the arm would leap.
    start: list[float] = field(default_factory=list)
    # The gripper's joint, empty for none, and its values for closed and open.
    gripper: str = "gripper"
    gripper_range: list[float] = field(default_factory=lambda: [0.0, 100.0])
    # Full speeds, in the fastest gear: of the tool [m/s, degrees/s], of a joint in joint mode [units/s], in the
    # plane [units/s], and of the gripper [its whole range a second].
    speed_m_s: float = 0.25
    turn_deg_s: float = 120.0
    joint_speed: float = 90.0
    plane_speed: float = 400.0
    gripper_speed: float = 3.0
    # ee: no joint's target moves faster than this [degrees/s], however the tool is steered.
    fastest_joint_deg_s: float = 120.0
    # plane: lowest and highest value of both numbers.
    plane_range: list[float] = field(default_factory=lambda: [0.0, 512.0])

    def __post_init__(self) -> None:
        _among("mode", self.mode, ("auto", *MODES))
        _among("frame", self.frame, FRAMES)
        _among("side", self.side, ("", "left", "right"))
        for flag in (
            "speed_m_s",
            "turn_deg_s",
            "joint_speed",
            "plane_speed",
            "gripper_speed",
            "fastest_joint_deg_s",
        ):
            value = getattr(self, flag)
            if not 0 < value < 1e4:
                raise UsageError(f"--teleop.{flag}={value}: choose a number above 0")
        for flag in ("gripper_range", "plane_range"):
            ends = getattr(self, flag)
            if len(ends) != 2 or ends[0] == ends[1]:
                raise UsageError(f"--teleop.{flag}={ends}: give two different numbers, such as [0,100]")
        if not self.joints:
            raise UsageError("--teleop.joints=[] leaves nothing to steer: name at least one joint")
        if self.start and len(self.start) != len(self.joints):
            raise UsageError(
                f"--teleop.start has {len(self.start)} numbers for {len(self.joints)} joints: give one a joint, in "
                "the robot's units"
            )
        if self.mjcf and not Path(self.mjcf).is_file():
            raise UsageError(f"--teleop.mjcf={self.mjcf} is no file")
        if self.mjcf and not self.site:
            raise UsageError("--teleop.mjcf needs --teleop.site, the site or body in it that is the tool")


def _among(flag: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(
            f"--teleop.{flag}={value} is unknown: choose among {', '.join(filter(None, allowed))}"
        )
