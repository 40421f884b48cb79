"""Which mode fits a robot, and that mode set up for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import MismatchError
from collector.robots import sim_so101
from collector.teleoperators.motion.config import SO101_JOINTS, SteeringConfig
from collector.teleoperators.motion.gripper import Gripper
from collector.teleoperators.motion.joint import JointMotion
from collector.teleoperators.motion.plane import PlaneMotion
from collector.teleoperators.motion.wish import Motion

SO101_MODEL = Path(sim_so101.__file__).parent / "assets" / "so101.xml"
SO101_TOOL = "gripperframe"
# A joint farther from its target than `FAR` after a pause is not where it was left (an arm sags by less), and a
# target never runs farther than `LEASH` ahead of a joint that does not follow [degrees, or units of the robot].
FAR, LEASH = 6.0, 25.0
FAR_SHARE, LEASH_SHARE = 0.05, 0.5  # of the plane's width


@dataclass(frozen=True)
class Steered:
    """What is known of the robot that is steered.

    Attributes:
        keys: Its action keys, in its order.
        measured_by: The observation that measures each of them.
        side: What the names of the steered arm's joints begin with, of a robot with two; empty for all.
        degrees: Whether its joints are in degrees.
        name: Its name, for messages; empty where it is not known.
    """

    keys: tuple[str, ...]
    measured_by: dict[str, str] = field(default_factory=dict)
    side: str = ""
    degrees: bool = True
    name: str = ""

    @classmethod
    def of(cls, robot: Any, side: str) -> Steered:
        """Return what is to be known of a lerobot `Robot`, which need not be connected.

        Raises:
            MismatchError: If one of its actions is measured by nothing that it observes, or it has no such side.
        """
        keys = tuple(robot.action_features)
        measured_by = {key: getattr(robot, "measured_by", {}).get(key, key) for key in keys}
        unseen = [key for key in keys if measured_by[key] not in robot.observation_features]
        if unseen or not keys:
            raise MismatchError(
                f"robot '{robot.name}' cannot be steered by hand: nothing that it observes says where "
                f"'{', '.join(unseen) or 'it'}' is; it observes {', '.join(robot.observation_features)}"
            )
        config = getattr(robot, "config", None)
        config = getattr(config, f"{side or 'left'}_arm_config", config)
        steered = cls(
            keys, measured_by, side and f"{side}_", getattr(config, "use_degrees", True), robot.name
        )
        if not steered.own:
            raise MismatchError(
                f"--teleop.side={side}: robot '{robot.name}' has no joint called {side}_...: it takes {', '.join(keys)}"
            )
        return steered

    @property
    def own(self) -> list[str]:
        """The action keys of the steered arm."""
        return [key for key in self.keys if key.startswith(self.side)]

    @property
    def joints(self) -> list[str] | None:
        """The steered joints by their names in the arm's model, or None where they are no joints."""
        if not all(key.endswith(".pos") for key in self.own):
            return None
        return [key.removeprefix(self.side).removesuffix(".pos") for key in self.own]

    @classmethod
    def from_config(cls, config: SteeringConfig) -> Steered:
        """Return what the flags say of a robot that nobody shows."""
        if config.mode == "plane":
            return cls(tuple(config.joints), {key: key for key in config.joints})
        keys = tuple(f"{joint}.pos" for joint in config.joints)
        return cls(keys, {key: key for key in keys}, config.side and f"{config.side}_")


def choose_mode(config: SteeringConfig, robot: Steered) -> str:
    """Return the mode that the flags ask for, or that fits the robot.

    Raises:
        MismatchError: If the robot cannot be steered in the mode asked for.
    """
    joints = robot.joints
    is_so101 = joints is not None and set(joints) == set(SO101_JOINTS)
    if config.mode == "auto":
        if (is_so101 or config.mjcf) and robot.degrees:
            return "ee"
        return "plane" if len(robot.own) == 2 and joints is None else "joint"
    if config.mode == "plane" and len(robot.keys) != 2:
        raise MismatchError(
            f"--teleop.mode=plane steers two numbers, but robot '{robot.name}' takes {len(robot.keys)} "
            f"({', '.join(robot.keys)}): choose --teleop.mode=joint"
        )
    if config.mode == "ee" and not robot.degrees:
        raise MismatchError(
            f"--teleop.mode=ee needs the joints in degrees: set --robot.use_degrees=true on robot '{robot.name}', or "
            "choose --teleop.mode=joint"
        )
    if config.mode == "ee" and joints is None:
        raise MismatchError(
            f"--teleop.mode=ee steers joints (<name>.pos), but robot '{robot.name}' takes {', '.join(robot.keys)}: "
            "choose another mode"
        )
    if config.mode == "ee" and not (is_so101 or config.mjcf):
        raise MismatchError(
            f"--teleop.mode=ee knows the SO-100 and SO-101 only; for robot '{robot.name}' give its MJCF or URDF by "
            "--teleop.mjcf and the tool in it by --teleop.site, or choose --teleop.mode=joint"
        )
    return config.mode


def make_motion(config: SteeringConfig, robot: Steered, mode: str) -> Motion:
    """Return the mode set up for the robot.

    Raises:
        DeviceError: If the arm's model cannot be read.
        MismatchError: If the model is not the robot's.
    """
    low, high = sorted(config.plane_range)
    if mode == "plane":
        span = high - low
        return PlaneMotion(
            robot.keys,
            speed=config.plane_speed,
            ends=(low, high),
            far=FAR_SHARE * span,
            leash=LEASH_SHARE * span,
        )
    gripper_key = f"{robot.side}{config.gripper}.pos"
    gripper = None
    if gripper_key in robot.keys:
        closed, opened = config.gripper_range
        gripper = Gripper(gripper_key, closed, opened, config.gripper_speed)
    driven = [key for key in robot.own if key != gripper_key]
    if mode == "joint":
        ranges = {} if robot.degrees else dict.fromkeys(robot.keys, (-100.0, 100.0))
        return JointMotion(robot.keys, driven, gripper, config.joint_speed, ranges, FAR, LEASH)
    from collector.robots.kinematics import Arm  # loads MuJoCo
    from collector.teleoperators.motion.ee import EndEffectorMotion

    model, tool = (Path(config.mjcf), config.site) if config.mjcf else (SO101_MODEL, SO101_TOOL)
    return EndEffectorMotion(
        robot.keys,
        driven,
        Arm(model, tool, [joint for joint in robot.joints or [] if joint != config.gripper]),
        gripper,
        frame=config.frame,
        speed_m_s=config.speed_m_s,
        turn_rad_s=float(np.radians(config.turn_deg_s)),
        joint_rad_s=float(np.radians(config.fastest_joint_deg_s)),
        far_rad=float(np.radians(FAR)),
        leash_rad=float(np.radians(LEASH)),
    )
