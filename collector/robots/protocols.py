"""What a simulated robot offers beyond lerobot's `Robot`: seeded scenes, a task, and its own clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Task(Protocol):
    """What is to be done in the scene, and how well it is done.

    Attributes:
        instruction: The task in words, as stored in the dataset.
        environment_state_names: Names of the privileged state's entries, with units where they have one.
        time_limit_s: Simulated seconds after which an attempt has failed.
    """

    instruction: str
    environment_state_names: list[str]
    time_limit_s: float

    def environment_state(self) -> np.ndarray:
        """Return the privileged scene state, float32, (len(environment_state_names),)."""
        ...

    def reward(self) -> float:
        """Return the reward of the present state."""
        ...

    def success(self) -> bool:
        """Return whether the task is done in the present state."""
        ...


@runtime_checkable
class Simulated(Protocol):
    """A lerobot `Robot` that is a simulation.

    Attributes:
        realtime: True where physics follows the wall clock; False in lock-step, where each `send_action`
            advances it by one control period and nothing else does.
        sim_time_s: Simulated seconds since the last reset.
        task: The task in the scene.
    """

    realtime: bool
    sim_time_s: float
    task: Task

    def set_control_period(self, dt_s: float) -> None:
        """Set how much simulated time one `send_action` takes in lock-step [s]."""
        ...

    def reset(self, seed: int) -> None:
        """Place the robot and the scene for the episode with this seed; the same seed, the same scene."""
        ...


def measured(robot: Any, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a robot measures of the things that its actions set, by action key; what it does not is left out.

    Args:
        robot: A lerobot `Robot`. Where its observation names them otherwise, its `measured_by` says how.
        observation: Its observation.
    """
    names = getattr(robot, "measured_by", {})
    found = {name: names.get(name, name) for name in robot.action_features}
    return {name: observation[seen] for name, seen in found.items() if seen in observation}
