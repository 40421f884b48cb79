"""Our simulated robots as worlds: in lock-step, without cameras, seen by their joints and the scene's privileged state.

Actions are those of the robot, such as target joint positions; a policy learnt here flies the same robot by its
frame rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from collector.errors import MismatchError, UsageError
from training.irl.worlds import Start


class RobotWorld:
    """A simulated robot of `collector.robots`, several copies of it; attributes as `World`.

    Attributes:
        fps: Control rate [Hz].
        action_names: The robot's action keys.
        state_names: Of the first part of an observation.
        environment_names: Of the rest, the scene's privileged state.
        can_place: Whether a flight can begin at an observation, and not by a seed alone.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        fps: float,
        low: np.ndarray,
        high: np.ndarray,
        n_copies: int = 1,
        seconds: float | None = None,
    ) -> None:
        """Connect the copies.

        Args:
            make: Makes a robot that is a simulation in lock-step, such as `sim_so101` with `realtime=False` and no
                cameras.
            fps: Control rate [Hz]; low rates make flights short for the learner.
            low: Least of each action, in the robot's units, (action_dim,).
            high: Greatest of each.
            n_copies: How many.
            seconds: Length of a flight [s]; None takes the task's time limit.

        Raises:
            UsageError: If the robot is no simulation in lock-step.
            MismatchError: If the box has not one entry for each action.
        """
        self._robots = [make() for _ in range(n_copies)]
        first = self._robots[0]
        if getattr(first, "realtime", True):
            raise UsageError(
                f"{first.name} is no simulation in lock-step: learn on sim_so101 or sim_pusht with realtime=False"
            )
        for robot in self._robots:
            robot.connect()
            robot.set_control_period(1 / fps)
        self.name, self.n_copies, self.fps = first.name, n_copies, fps
        self.action_names = tuple(first.action_features)
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        if not len(self.low) == len(self.high) == len(self.action_names):
            raise MismatchError(
                f"{self.name} has {len(self.action_names)} actions ({', '.join(self.action_names)}), the box "
                f"{len(self.low)}: give demonstrations of that robot"
            )
        self.state_names = [name for name, kind in first.observation_features.items() if kind is float]
        self.environment_names = list(first.task.environment_state_names)
        self.observation_dim = len(self.state_names) + len(self.environment_names)
        self.can_place = hasattr(first, "place")
        self.frames = round((first.task.time_limit_s if seconds is None else seconds) * fps)

    def reset(self, starts: Sequence[Start]) -> np.ndarray:
        """As `World`.

        Raises:
            UsageError: If an observation is given and the robot cannot be placed where it was seen.
        """
        self._flying = self._robots[: len(starts)]
        for robot, start in zip(self._flying, starts):
            if not isinstance(start, np.ndarray):
                robot.reset(int(start))
            elif self.can_place:
                robot.place(*np.split(start, [len(self.state_names)]))
            else:
                raise UsageError(f"{self.name} begins by seeds only: take demonstrations that name theirs")
        return self._observe()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `World`; a flight does not end by itself: after a success the reward goes on."""
        for robot, asked in zip(self._flying, action):
            robot.send_action(dict(zip(self.action_names, asked.tolist())))
        return self._observe(), np.zeros(len(self._flying), bool)

    def _observe(self) -> np.ndarray:
        seen = []
        for robot in self._flying:
            observation = robot.get_observation()
            state = [observation[name] for name in self.state_names]
            seen.append(np.concatenate([state, robot.task.environment_state()]))
        return np.array(seen, np.float32)

    def success(self) -> np.ndarray:
        """Return whether the task is done in each copy now, bool, (n,)."""
        return np.array([robot.task.success() for robot in self._flying])

    def reward(self) -> np.ndarray:
        """Return the task's own reward in each copy now, float64, (n,): to judge by, never to learn from."""
        return np.array([robot.task.reward() for robot in self._flying])
