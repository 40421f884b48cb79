"""Joint mode: each axis drives one joint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.teleoperators.motion.gripper import Gripper
from collector.teleoperators.motion.wish import Wish


class JointMotion:
    """Drives joints one by one, between their ends.

    The axes are `joint1`, `joint2` ... in the order of the driven joints.
    """

    def __init__(
        self,
        keys: Sequence[str],
        driven: Sequence[str],
        gripper: Gripper | None,
        speed: float,
        ranges: Mapping[str, tuple[float, float]],
        far: float,
        leash: float,
    ) -> None:
        """Set up the mode.

        Args:
            keys: All action keys, in the robot's order.
            driven: Those that the axes drive; the gripper's is not among them.
            gripper: The gripper, or None.
            speed: How fast a joint moves [units/s].
            ranges: The ends of the joints whose ends are known, by action key, in the robot's units.
            far: A robot farther than this from a target is not where it was left [units].
            leash: A target never is farther than this from where the robot is [units].
        """
        self._keys, self._gripper, self._speed, self._ranges = list(keys), gripper, speed, ranges
        self._far, self._leash = far, leash
        self.driven = list(driven)
        self.axes = tuple(f"joint{n + 1}" for n in range(len(self.driven)))
        self.targets: dict[str, float] = {}
        self._at: dict[str, float] = {}  # where the joints were seen; empty where nobody looks

    def start(self, measured: Mapping[str, float]) -> None:
        """Begin from where the robot is."""
        self.targets = {key: float(measured[key]) for key in self._keys}
        self._at = {}

    def step(self, wish: Wish, dt_s: float) -> dict[str, float]:
        """Return the targets `dt_s` seconds later."""
        longest = self._speed * dt_s
        for axis, key in zip(self.axes, self.driven):
            value = self.targets[key]
            low, high = self._ranges.get(key, (float("-inf"), float("inf")))
            # One that is out of its range already may only come back.
            goal = value + wish.rates.get(axis, 0.0) * longest
            goal = min(max(goal, min(low, value)), max(high, value))
            at = self._at.get(key, goal)
            goal = min(max(goal, at - self._leash), at + self._leash)
            self.targets[key] = value + min(max(goal - value, -longest), longest)
        if self._gripper is not None:
            self.targets[self._gripper.key] = self._gripper.step(self.targets[self._gripper.key], wish, dt_s)
        return dict(self.targets)

    def off(self, measured: Mapping[str, float]) -> float:
        """Return the largest distance of a joint from its target, in shares of what is far."""
        return max((abs(measured[key] - self.targets[key]) for key in self.driven), default=0.0) / self._far

    def leash(self, measured: Mapping[str, float]) -> None:
        """See where the joints are, so that `step` draws back targets which they do not follow."""
        self._at = {key: float(measured[key]) for key in self.driven}
