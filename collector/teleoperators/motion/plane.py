"""Plane mode: two numbers, such as a place in a picture's pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.teleoperators.motion.wish import PLANE_AXES, Wish


class PlaneMotion:
    """Drives a target over a square; `x` is the first action key, `y` the second."""

    axes: tuple[str, ...] = PLANE_AXES

    def __init__(
        self, keys: Sequence[str], *, speed: float, ends: tuple[float, float], far: float, leash: float
    ) -> None:
        """Set up the mode.

        Args:
            keys: The two action keys.
            speed: How fast the target moves [units/s].
            ends: Lowest and highest value of both.
            far: A robot farther than this from its target is not where it was left [units].
            leash: The target never is farther than this from where the robot is [units].
        """
        self._keys, self._speed, self._ends = list(keys), speed, ends
        self._far, self._leash = far, leash
        self.targets: dict[str, float] = {}
        self._at: dict[str, float] = {}  # where the robot was seen; empty where nobody looks

    def start(self, measured: Mapping[str, float]) -> None:
        """Begin from where the robot is."""
        self.targets = {key: float(measured[key]) for key in self._keys}
        self._at = {}

    def step(self, wish: Wish, dt_s: float) -> dict[str, float]:
        """Return the targets `dt_s` seconds later."""
        low, high = self._ends
        longest = self._speed * dt_s
        for axis, key in zip(PLANE_AXES, self._keys):
            value = self.targets[key]
            goal = value + wish.rates.get(axis, 0.0) * longest
            goal = min(max(goal, min(low, value)), max(high, value))
            at = self._at.get(key, goal)
            goal = min(max(goal, at - self._leash), at + self._leash)
            self.targets[key] = value + min(max(goal - value, -longest), longest)
        return dict(self.targets)

    def off(self, measured: Mapping[str, float]) -> float:
        """Return the distance from the target, in shares of what is far."""
        return max(abs(measured[key] - self.targets[key]) for key in self._keys) / self._far

    def leash(self, measured: Mapping[str, float]) -> None:
        """See where the robot is, so that `step` draws back a target which it does not follow."""
        self._at = {key: float(measured[key]) for key in self._keys}
