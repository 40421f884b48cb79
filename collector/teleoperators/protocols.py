"""What a pilot may offer beyond lerobot's `Teleoperator`, where it looks at what the robot sees."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from collector.session.state import Event


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


@runtime_checkable
class Steering(Protocol):
    """A lerobot `Teleoperator` with controls for the session: a pad's buttons, a pedal, keys."""

    def session_events(self) -> list[Event]:
        """Return what was asked for since the last call, oldest first, and forget it.

        Called at every tick after `get_action`, and as often between the flights, where `get_action` may not be
        called. Never raises for a device that is gone: `get_action` says so.
        """
        ...

    def cue(self, cue: str) -> None:
        """Let the person feel what happened, where the device can (rumble, a light); returns at once.

        Args:
            cue: A value of `Event` that was taken, `saved`, or `refused`.
        """
        ...


@runtime_checkable
class Briefing(Protocol):
    """A teleoperator that asks something of the person before an episode."""

    def briefing(self, seed: int) -> str:
        """Return in words how the scene is to be placed for the episode of a seed."""
        ...


@runtime_checkable
class Fitting(Protocol):
    """A teleoperator that adapts itself to the robot it is to fly."""

    def fit_to(self, robot: Any) -> None:
        """Take the lerobot `Robot`, which need not be connected; called once, before anything else.

        Raises:
            MismatchError: If this robot cannot be flown so.
        """
        ...
