"""What a person asks for at one tick, whatever they hold in their hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Wish:
    """What is asked for at one tick.

    Attributes:
        rates: How fast to move along each axis of the mode, -1 (full speed back) to 1 (full speed ahead), times the
            gear; an axis that is absent rests.
        closed: How far the gripper shall be closed, 0 (open) to 1 (closed); None leaves it to `closing`.
        closing: How fast the gripper shall close, -1 (open at full speed) to 1.
        frame: Along whose axes the tool moves, where it is not the configured one; see `FRAMES`.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    closed: float | None = None
    closing: float = 0.0
    frame: str | None = None

    @property
    def moves(self) -> bool:
        """Whether any axis is asked to move."""
        return any(rate != 0.0 for rate in self.rates.values())


# The axes of the modes, beside the joints of `joint`: metres along and turns about the axes of a frame, and the
# two numbers of a plane.
EE_AXES = ("x", "y", "z", "turn_x", "turn_y", "turn_z")
PLANE_AXES = ("x", "y")
MODES = ("ee", "joint", "plane")
# `base`: x forwards, y left, z up, as the robot's base stands. `tool`: the tool's own, z away from the wrist.
# `arm`: moves along the base's axes; turns about the tool's pointing direction (turn_z), up and down (turn_y, about
# the horizontal axis across the arm) and left and right (turn_x, about the vertical).
FRAMES = ("arm", "base", "tool")


class Motion(Protocol):
    """A mode: from wishes to targets in the robot's units.

    Attributes:
        axes: The names of the axes that a wish may use.
        targets: The present target of every action key; empty before `start`.
    """

    axes: tuple[str, ...]
    targets: dict[str, float]

    def start(self, measured: Mapping[str, float]) -> None:
        """Begin from where the robot is, by action key, in the robot's units."""
        ...

    def step(self, wish: Wish, dt_s: float) -> dict[str, float]:
        """Return the targets `dt_s` seconds later; none moves farther than its speed allows."""
        ...

    def off(self, measured: Mapping[str, float]) -> float:
        """Return how far the robot is from its targets, 1 being as far as may be without starting anew."""
        ...

    def leash(self, measured: Mapping[str, float]) -> None:
        """See where the robot is, so that `step` draws back targets which it does not follow."""
        ...
