"""What a pilot may offer beyond lerobot's `Teleoperator`, where it looks at what the robot sees."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Pilot(Protocol):
    """A lerobot `Teleoperator` that acts on observations: a script or a policy.

    It may also have lerobot's `get_teleop_events() -> dict[TeleopEvents, bool]`, by which it ends its
    episode.
    """

    def reset(self, seed: int) -> None:
        """Begin an episode; the same seed and the same observations give the same actions."""
        ...

    def observe(self, observation: dict[str, Any]) -> None:
        """Take the robot's observation of this tick, before `get_action` is called.

        Args:
            observation: The robot's own keys (`shoulder_pan.pos` ... float; cameras uint8,
                (height, width, 3)) and, where a task knows it, `environment_state`, float32, (n,).
        """
        ...
