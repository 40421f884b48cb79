"""End-effector mode: the tool moves and turns along the axes of a frame, and the joints follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from collector.robots.kinematics import Arm
from collector.teleoperators.motion.gripper import Gripper
from collector.teleoperators.motion.wish import EE_AXES, Wish

# How far the wished pose may run ahead of where the joints can bring the tool. A longer lead makes the arm pull at
# its end stops, and slide along them to where nobody asked it to go.
LEAD_M = 0.005
LEAD_RAD = 0.1


class EndEffectorMotion:
    """Integrates a twist of the tool, and follows it by differential inverse kinematics.

    What is integrated are the targets, never the measured joints, so the arm's sag and lag do not add up.
    """

    axes: tuple[str, ...] = EE_AXES

    def __init__(
        self,
        keys: Sequence[str],
        driven: Sequence[str],
        arm: Arm,
        gripper: Gripper | None,
        *,
        frame: str,
        speed_m_s: float,
        turn_rad_s: float,
        joint_rad_s: float,
        far_rad: float,
        leash_rad: float,
    ) -> None:
        """Set up the mode.

        Args:
            keys: All action keys, in the robot's order.
            driven: Those of the arm's joints, in the order of `arm`.
            arm: The kinematics.
            gripper: The gripper, or None.
            frame: The frame whose axes the tool moves along; see `FRAMES`.
            speed_m_s: How fast the tool moves [m/s].
            turn_rad_s: How fast it turns [rad/s].
            joint_rad_s: No joint's target moves faster than this [rad/s].
            far_rad: A joint farther than this from its target is not where it was left [rad].
            leash_rad: A target never is farther than this from where its joint is [rad].
        """
        self._keys, self._arm, self._gripper, self._frame = list(keys), arm, gripper, frame
        self._speed, self._turn, self._joint_speed = speed_m_s, turn_rad_s, joint_rad_s
        self._far, self._leash = far_rad, leash_rad
        self.driven = list(driven)
        self._scale = np.where(arm.hinged, np.pi / 180, 1.0)  # lerobot's degrees
        self._angles = np.zeros(len(self.driven))
        self._at: np.ndarray | None = None  # where the joints were seen; None where nobody looks
        self._wished: Any = None  # the tool's pose asked for while it moves; None while it rests
        self.targets: dict[str, float] = {}

    def start(self, measured: Mapping[str, float]) -> None:
        """Begin from where the robot is."""
        self.targets = {key: float(measured[key]) for key in self._keys}
        self._angles, self._at, self._wished = self._of(measured), None, None

    def step(self, wish: Wish, dt_s: float) -> dict[str, float]:
        """Return the targets `dt_s` seconds later."""
        rates = np.array([wish.rates.get(axis, 0.0) for axis in EE_AXES])
        angles: np.ndarray = self._angles
        if not rates.any():
            self._wished = None  # at rest the tool stays where it got to
        else:
            here = self._arm.pose(angles)
            self._advance(here, rates, wish.frame or self._frame, dt_s)
            angles = self._arm.towards(angles, self._wished, dt_s, self._joint_speed)
        if self._at is not None and np.abs(angles - self._at).max() > self._leash:
            drawn = np.clip(angles, self._at - self._leash, self._at + self._leash)
            longest = self._joint_speed * dt_s
            angles = self._angles + np.clip(drawn - self._angles, -longest, longest)
            self._wished = None
        if angles is not self._angles:
            self._angles = angles
            self.targets.update(zip(self.driven, (angles / self._scale).tolist()))
        if self._gripper is not None:
            self.targets[self._gripper.key] = self._gripper.step(self.targets[self._gripper.key], wish, dt_s)
        return dict(self.targets)

    def off(self, measured: Mapping[str, float]) -> float:
        """Return the largest distance of a joint from its target, in shares of what is far."""
        return float(np.abs(self._of(measured) - self._angles).max() / self._far)

    def leash(self, measured: Mapping[str, float]) -> None:
        """See where the joints are, so that `step` draws back targets which they do not follow."""
        self._at = self._of(measured)

    def _of(self, measured: Mapping[str, float]) -> np.ndarray:
        return np.array([float(measured[key]) for key in self.driven]) * self._scale

    def _advance(self, here: Any, rates: np.ndarray, frame: str, dt_s: float) -> None:
        """Move the wished pose on by one tick, no farther ahead of the tool's than the lead."""
        wished = here if self._wished is None else self._wished
        moves, turns = self._axes(here, frame)
        place, at = wished.translation(), here.translation()
        # Each axis for itself: where one is blocked the others go on, and the tool does not slide off sideways.
        for rate, axis in zip(rates[:3], moves.T):
            if rate:
                ahead = place + rate * self._speed * dt_s * axis
                if math.dist(ahead, at) <= max(LEAD_M + self._speed * dt_s, math.dist(place, at)):
                    place = ahead
        pose, rotation = type(here), type(here.rotation())
        turned = wished.rotation()
        if rates[3:].any():
            turned = rotation.exp(turns @ rates[3:] * (self._turn * dt_s)) @ turned
        # An arm of few joints cannot keep its tool's direction everywhere: what it cannot keep it forgets.
        lean = (turned @ here.rotation().inverse()).log()
        angle = math.hypot(*lean)
        if angle > LEAD_RAD:
            turned = rotation.exp(lean * (LEAD_RAD / angle)) @ here.rotation()
        self._wished = pose.from_rotation_and_translation(turned, place)

    def _axes(self, here: Any, frame: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the axes of moves and of turns in the base frame, as columns, each (3, 3)."""
        tool = here.rotation().as_matrix()
        if frame == "tool":
            return tool, tool
        if frame == "base":
            return np.eye(3), np.eye(3)
        x, y = self._arm.heading(self._angles)
        return np.eye(3), np.array([[0.0, -y, tool[0, 2]], [0.0, x, tool[1, 2]], [1.0, 0.0, tool[2, 2]]])
