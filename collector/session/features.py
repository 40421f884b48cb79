"""From a robot to the columns of its dataset, and from a tick to a row of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.dataset.schema import features_for
from collector.errors import MismatchError
from collector.robots.protocols import Simulated
from collector.session.fly import Tick

IMAGES = "observation.images."


@dataclass(frozen=True)
class Recording:
    """What is recorded of one robot: its columns, and where each comes from.

    Attributes:
        features: lerobot feature dictionaries by column name, without lerobot's own default columns.
        state_names: Scalar observation keys, in the order of `observation.state`.
        action_names: Action keys, in the order of `action`.
        camera_names: Camera keys, in the order of their columns.
    """

    features: dict[str, dict[str, Any]]
    state_names: list[str]
    action_names: list[str]
    camera_names: list[str]

    @classmethod
    def of(cls, robot: Any) -> Recording:
        """Derive the columns from a lerobot `Robot`, which need not be connected.

        Raises:
            MismatchError: If the robot has no scalar observation, no action, or a camera that is not RGB.
        """
        state_names = [k for k, v in robot.observation_features.items() if not isinstance(v, tuple)]
        action_names = list(robot.action_features)
        cameras = {k: v for k, v in robot.observation_features.items() if isinstance(v, tuple)}
        if not state_names or not action_names:
            raise MismatchError(
                f"robot '{robot.name}' has {len(state_names)} joint observations and {len(action_names)} "
                "actions: at least one of each is needed to record"
            )
        for name, shape in cameras.items():
            if len(shape) != 3 or shape[2] != 3:
                # lerobot's robots name the depth of camera 'wrist' 'wrist_depth'.
                depth = len(shape) == 2 or shape[2:] == (1,)
                advice = "set the camera's use_depth to false" if depth else "set the camera to RGB"
                raise MismatchError(
                    f"camera '{name}' gives {'depth ' if depth else ''}pictures of shape {tuple(shape)}: only "
                    f"RGB, (height, width, 3), is recorded: {advice}"
                )
        task = robot.task if isinstance(robot, Simulated) else None
        features = features_for(
            state_names,
            action_names,
            {name: shape[:2] for name, shape in cameras.items()},
            environment_state_names=[] if task is None else task.environment_state_names,
            outcome=task is not None,
        )
        return cls(features, state_names, action_names, list(cameras))

    def columns(self, tick: Tick) -> dict[str, Any]:
        """Return the row of one tick: every column that is not a video."""
        row: dict[str, Any] = {
            "action": np.array([tick.asked[name] for name in self.action_names], np.float32),
            "observation.state": np.array([tick.observation[n] for n in self.state_names], np.float32),
            "executed_action": np.array([tick.sent[name] for name in self.action_names], np.float32),
            "intervention": tick.intervention,
            "next.done": tick.done,
        }
        for clock, moment_s in tick.clock_s.items():
            row[f"clock.{clock}"] = moment_s
        if "observation.environment_state" in self.features:
            row["observation.environment_state"] = tick.environment_state
            row["next.reward"], row["next.success"] = tick.reward, tick.success
        return row

    def images(self, tick: Tick) -> dict[str, np.ndarray]:
        """Return the pictures of one tick by column name, uint8, (height, width, 3)."""
        return {IMAGES + name: tick.observation[name] for name in self.camera_names}


def check_pilot_fits(robot: Any, pilot: Any) -> None:
    """Refuse a pilot whose actions are not the robot's.

    Raises:
        MismatchError: Naming what the pilot gives and the robot takes.
    """
    gives, takes = set(pilot.action_features), set(robot.action_features)
    # lerobot's keyboard and some plugins describe their action as one array: only names can be compared.
    if gives and all("." in name for name in gives) and not takes <= gives:
        raise MismatchError(
            f"teleoperator '{pilot.name}' gives {sorted(gives)}, but robot '{robot.name}' takes "
            f"{sorted(takes)}: choose a teleoperator made for this robot"
        )
