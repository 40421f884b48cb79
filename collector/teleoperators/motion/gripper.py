"""The gripper's target, which a trigger's pull sets or two keys drive."""

from __future__ import annotations

from dataclasses import dataclass

from collector.teleoperators.motion.wish import Wish


@dataclass
class Gripper:
    """Moves one gripper's target; it has no part in where the arm goes.

    Attributes:
        key: Its action key.
        low, high: The values of closed and open, in the robot's units (lerobot: 0 and 100).
        speed: Share of that range that it moves in a second at most.
    """

    key: str
    low: float
    high: float
    speed: float

    def step(self, value: float, wish: Wish, dt_s: float) -> float:
        """Return the target `dt_s` seconds later."""
        span = self.high - self.low
        longest = self.speed * abs(span) * dt_s
        if wish.closed is not None:
            goal = self.high - min(1.0, max(0.0, wish.closed)) * span
        elif wish.closing:
            goal = value - max(-1.0, min(1.0, wish.closing)) * span * self.speed * dt_s
        else:
            return value
        goal = min(max(goal, min(self.low, self.high)), max(self.low, self.high))
        return value + min(longest, max(-longest, goal - value))
