"""Safety between pilot and robot: what is asked for is eased, limited or held, and every change is counted.

It runs in the control process and knows nothing of the screen. What it lets through is what the robot is sent, so
every change is visible in `executed_action`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.errors import DeviceError, UsageError

ON_FAULT = ("robot", "hold", "release")


@dataclass
class SafetyFlags:
    """Limits on what the robot is asked to do, in its own units (degrees; gripper 0 to 100)."""

    # Lowest and highest value by joint, such as '{elbow_flex: [-90, 60]}'
    limits: dict[str, list[float]] = field(default_factory=dict)
    # Fastest change of any joint [units/s]
    max_speed: float | None = None
    # Largest change of any joint from one tick to the next [units]
    max_step: float | None = None
    # Box that the gripper stays in, [x0, y0, z0, x1, y1, z1] [m] from the base; SO-100 and SO-101 only
    workspace_m: list[float] | None = None
    # The robot is held where the pilot's input is older than this [s]
    stale_s: float = 0.5
    # How fast the robot comes nearer to where the leader arm stands, at the start and after a hold [units/s]; 0: leaps
    align_speed: float = 60.0
    # Pose to go to before the robot is let go, such as '{shoulder_lift: -100, elbow_flex: 95}', and how fast
    rest: dict[str, float] = field(default_factory=dict)
    rest_speed: float = 30.0
    # Motors after a fault: robot (as its own disable_torque_on_disconnect says), hold or release
    on_fault: str = "robot"
    # The robot is halted where a motor gets hotter than this [degrees C]; said 10 degrees before
    max_temperature_c: float = 70.0

    def check(self, joints: list[str]) -> None:
        """Raise `UsageError` where a flag makes no sense for a robot with these action keys."""
        known = {name.removesuffix(".pos"): name for name in joints}
        for flag, given in (("limits", self.limits), ("rest", self.rest)):
            for joint in given:
                if joint not in known and joint not in joints:
                    raise UsageError(
                        f"--safety.{flag} names '{joint}', which this robot has not: it has {', '.join(known)}"
                    )
        for joint, limit in self.limits.items():
            if len(limit) != 2 or not limit[0] < limit[1]:
                raise UsageError(
                    f"--safety.limits: '{joint}' needs [low, high] with low below high, not {limit}"
                )
        for flag in ("max_speed", "max_step", "stale_s", "rest_speed", "max_temperature_c"):
            value = getattr(self, flag)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"--safety.{flag}={value}: must be above 0")
        if not (math.isfinite(self.align_speed) and self.align_speed >= 0):
            raise UsageError(f"--safety.align_speed={self.align_speed}: must be 0 (off) or above")
        box = self.workspace_m
        if box is not None and (len(box) != 6 or any(a >= b for a, b in zip(box[:3], box[3:]))):
            raise UsageError(
                f"--safety.workspace_m={box}: give [x0, y0, z0, x1, y1, z1], the low corner first"
            )
        if self.on_fault not in ON_FAULT:
            raise UsageError(f"--safety.on_fault={self.on_fault}: choose among {', '.join(ON_FAULT)}")


class Guard:
    """Turns what the pilot asks for into what the robot is sent, tick by tick.

    Args:
        flags: The limits.
        names: The robot's action keys.
        fps: Control rate [Hz].

    Attributes:
        changed: Of the present flight, ticks by why the command was not what was asked for: `eased`, `limits`,
            `max_speed`, `max_step`, `workspace`, `stale`, `clutch`.
        clutched: Whether the robot is held while the person moves the leader.
        asked: What the pilot asked for at the last tick; None before the first.
        measured: Where the robot was at the last tick, by action key; None before the first.
        limits: Whether any limit is set.

    Raises:
        UsageError: If the flags do not fit the robot.
    """

    def __init__(self, flags: SafetyFlags, names: list[str], fps: float) -> None:
        flags.check(names)
        self._flags, self._names, self._period_s = flags, names, 1.0 / fps
        suffixed = {name.removesuffix(".pos"): name for name in names}
        self._limits = {suffixed.get(joint, joint): limit for joint, limit in flags.limits.items()}
        self._workspace = None if flags.workspace_m is None else _Workspace(flags.workspace_m, names)
        self._last: dict[str, float] | None = None
        self._easing = False
        self.changed: Counter[str] = Counter()
        self.clutched = False
        self.asked: Mapping[str, Any] | None = None
        self.measured: dict[str, float] | None = None
        given = (flags.limits, flags.max_speed, flags.max_step, flags.workspace_m)
        self.limits = any(value not in (None, {}) for value in given)

    def begin(self) -> None:
        """A flight begins: count anew."""
        self.changed = Counter()

    def ease(self, from_command: bool = False) -> None:
        """Go to what is asked for at `align_speed` until it is reached; what was asked for before is forgotten.

        Args:
            from_command: Start from what the robot was last sent, as when another pilot goes on with a robot that
                moves; otherwise from where it is measured next.
        """
        self._last, self.asked = self._last if from_command else None, None
        self._easing = self._flags.align_speed > 0

    @property
    def aligned(self) -> bool:
        """Whether the robot has reached what the pilot asks for."""
        return not self._easing

    def command(
        self, asked: Mapping[str, Any], measured: Mapping[str, Any], input_age_s: float = 0.0
    ) -> dict[str, Any]:
        """Return what the robot shall be sent.

        Args:
            asked: The pilot's action by key, in the robot's units.
            measured: Where the robot measures itself to be, by action key; may lack some.
            input_age_s: How old the pilot's input is [s].

        Raises:
            DeviceError: If a value is no finite number.
        """
        asked_before, self.asked, self.measured = self.asked or asked, asked, dict(measured)
        for name in self._names:
            if name in asked and not math.isfinite(asked[name]):
                raise DeviceError(
                    f"the pilot asks '{name}' to go to {asked[name]}: check the teleoperator or its policy"
                )
        before = self._last or {name: float(measured[name]) for name in self._names if name in measured}
        goal = dict(asked)
        if not before:
            self._easing = False  # a robot that is commanded in other terms than it is measured in
        elif self.clutched or input_age_s > self._flags.stale_s:
            self._count("clutch" if self.clutched else "stale")
            goal |= before
            self._last, self._easing = before, self._flags.align_speed > 0
            return goal
        self._change(goal, "limits", self._within_limits(goal))
        if self._easing:
            near = self._nearer(goal, before, asked_before)
            self._easing = near != goal
            self._change(goal, "eased", near)
        for flag, scale in (("max_speed", self._period_s), ("max_step", 1.0)):
            most = getattr(self._flags, flag)
            if most is not None:
                self._change(goal, flag, self._towards(goal, before, most * scale))
        if self._workspace is not None:
            self._change(goal, "workspace", self._workspace.inside(goal, before))
        self._last = {name: goal[name] for name in self._names if name in goal} if before else None
        return goal

    def _change(self, goal: dict[str, Any], why: str, limited: dict[str, Any]) -> None:
        if limited != goal:
            self._count(why)
            goal |= limited

    def _count(self, why: str) -> None:
        self.changed[why] += 1

    def _within_limits(self, goal: dict[str, Any]) -> dict[str, Any]:
        return goal | {
            name: min(max(goal[name], low), high)
            for name, (low, high) in self._limits.items()
            if name in goal
        }

    def _nearer(
        self, goal: dict[str, Any], before: dict[str, float], asked_before: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a step from `before` to the goal at `align_speed`, and as much faster as the pilot moves away from it.

        Without the latter a robot would never catch up with a hand that keeps moving.
        """
        step = self._flags.align_speed * self._period_s
        steps = {}
        for name, value in before.items():
            away = (goal[name] - asked_before.get(name, goal[name])) * (1 if goal[name] > value else -1)
            steps[name] = step + max(away, 0.0)
        return goal | {
            name: min(max(goal[name], value - steps[name]), value + steps[name])
            for name, value in before.items()
        }

    def _towards(self, goal: dict[str, Any], before: dict[str, float], step: float) -> dict[str, Any]:
        return goal | {
            name: min(max(goal[name], value - step), value + step)
            for name, value in before.items()
            if name in goal
        }


class _Workspace:
    """A box for the gripper of an arm whose kinematics are known."""

    def __init__(self, box_m: list[float], names: list[str]) -> None:
        from collector.robots.sim_so101.joints import ACTION_KEYS

        if list(names) != list(ACTION_KEYS):
            raise UsageError(
                f"--safety.workspace_m needs an arm with the joints of the SO-100 or SO-101: {', '.join(ACTION_KEYS)}"
            )
        from collector.robots.sim_so101.reach import Reach

        self._reach, self._box_m = Reach(), box_m

    def inside(self, goal: dict[str, Any], before: dict[str, float]) -> dict[str, Any]:
        """Return the goal where it is inside, or leads back towards it; else what was sent before."""
        outside_m, was_m = self._outside_m(goal), self._outside_m(before)
        return goal if outside_m == 0 or outside_m < was_m else goal | before

    def _outside_m(self, joints: Mapping[str, Any]) -> float:
        """Return how far out of the box the grip is [m]."""
        import numpy as np

        from collector.robots.sim_so101.joints import ACTION_KEYS, to_radians

        place_m, _ = self._reach.grip(to_radians(np.array([float(joints[key]) for key in ACTION_KEYS])))
        return sum(
            max(low - at, at - high, 0.0) for at, low, high in zip(place_m, self._box_m, self._box_m[3:])
        )
