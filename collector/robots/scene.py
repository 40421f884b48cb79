"""The scene of a recorded flight, and how a simulated robot is brought back into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.errors import DataError
from collector.robots.protocols import Simulated

# How far the privileged state may be from the recorded one, in its own units or as a share of it.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class RecordedScene:
    """What a dataset knows of the moment in which one of its flights began.

    Attributes:
        source: Dataset and episode, for messages.
        state: First `observation.state`, float32, (n,).
        environment_state: First `observation.environment_state`, float32, (n,), or None where there is none.
        seed: Seed from which the same robot was reset, or None where that is not known.
    """

    source: str
    state: np.ndarray
    environment_state: np.ndarray | None
    seed: int | None


def restore(robot: Simulated, scene: RecordedScene) -> None:
    """Bring a simulated robot into a recorded scene.

    A robot that can (`place(state, environment_state)`) is put there as it was seen; another is reset with the
    recorded seed. Where neither is possible it stays where it is.

    Args:
        robot: A connected lerobot `Robot` that is a simulation.
        scene: Where to.

    Raises:
        MismatchError: If the scene is not one of this robot's.
        DataError: If the recorded seed does not give the recorded scene.
    """
    place: Any = getattr(robot, "place", None)
    if place is not None and scene.environment_state is not None:
        place(scene.state, scene.environment_state)
    elif scene.seed is not None:
        robot.reset(scene.seed)
        if scene.environment_state is None:
            return
        found = robot.task.environment_state()
        if found.shape != scene.environment_state.shape or not np.allclose(
            found, scene.environment_state, TOLERANCE, TOLERANCE
        ):
            raise DataError(
                f"{scene.source} names the seed {scene.seed}, which does not give the scene of its first frame: "
                "it was flown in another scene or with another version, and cannot be flown again"
            )
