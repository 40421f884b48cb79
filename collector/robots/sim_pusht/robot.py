"""lerobot's `Robot` over gym-pusht's scene: where the agent is, where it is to go, and a clock of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.robots.sim_pusht.config import SimPushTConfig
from collector.robots.sim_pusht.scene import NOMINAL_STEP_S, PushTScene
from collector.robots.sim_pusht.task import PushTTask
from collector.robots.simulated import SimulatedRobot, check_period

STATE_KEYS = ("agent_x", "agent_y")
ACTION_KEYS = ("target_x", "target_y")
# Where a target may lie on either axis [px].
TARGET_LIMITS_PX = (0.0, 512.0)


class SimPushT(SimulatedRobot):
    """PushT in simulation, with names and units of the people's recordings of it; its clock as `SimulatedRobot`'s.

    Attributes:
        task: The task in the scene.
        measured_by: The observation that measures each action.
    """

    config_class = SimPushTConfig
    name = "sim_pusht"
    action_keys = ACTION_KEYS
    measured_by = dict(zip(ACTION_KEYS, STATE_KEYS))

    def __init__(self, config: SimPushTConfig) -> None:
        super().__init__(config)
        self.task = PushTTask()
        self._scene: PushTScene | None = None
        self._target = (0.0, 0.0)
        self._time_s = 0.0
        self.set_control_period(0.1)

    @property
    def observation_features(self) -> dict[str, type | tuple[int, ...]]:
        return self._features(STATE_KEYS)

    @property
    def is_connected(self) -> bool:
        return self._scene is not None

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Build the scene and place it as seed 0 does.

        Raises:
            DeviceError: If gym-pusht is not installed.
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._scene = PushTScene(self.config.width, self.config.height)
        self.task.bind(self._scene)
        self.reset(0)

    @check_if_not_connected
    def disconnect(self) -> None:
        """Forget the scene.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._scene = None

    def set_control_period(self, dt_s: float) -> None:
        """Set how much simulated time one `send_action` takes in lock-step; exactly, at any rate.

        Args:
            dt_s: The control period [s], 0.001 to 1.

        Raises:
            DeviceError: If the period is out of range.
        """
        check_period(self.name, dt_s)
        # Whole steps near gym-pusht's own: 11.1 ms at 30 Hz, exactly its own at 10, 20, 25 and 50 Hz.
        self._steps = max(1, round(dt_s / NOMINAL_STEP_S))
        self._control_period_s = dt_s

    @property
    def _step_s(self) -> float:
        return self._control_period_s / self._steps

    @check_if_not_connected
    def reset(self, seed: int) -> None:
        """Place agent and block as gym-pusht's `reset(seed=seed)`; the same seed, the same scene.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        assert self._scene is not None
        self._scene.reset(seed)
        self._begin()

    @check_if_not_connected
    def place(self, state: np.ndarray, environment_state: np.ndarray) -> None:
        """Place agent and block, at rest, as a recording's first frame saw them.

        Args:
            state: `observation.state`: the agent's position [px], (2,).
            environment_state: `observation.environment_state`: the block's keypoints [px], (16,).

        Raises:
            DeviceNotConnectedError: If it is not connected.
            MismatchError: If it is no scene of PushT.
        """
        assert self._scene is not None
        self._scene.place(state, environment_state)
        self._begin()

    @property
    def sim_time_s(self) -> float:
        """Simulated seconds since the last reset."""
        return self._time_s

    @check_if_not_connected
    def get_observation(self) -> dict[str, Any]:
        """Return where the agent is, and the picture.

        Returns:
            `agent_x` and `agent_y` [px], float; the camera by name, uint8, (height, width, 3), RGB.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        assert self._scene is not None
        self._catch_up()
        observation: dict[str, Any] = dict(zip(STATE_KEYS, self._scene.agent()))
        self._stamp_pictures()
        for name in self.cameras:
            observation[name] = self._scene.draw()
        return observation

    @check_if_not_connected
    def send_action(self, action: dict[str, Any]) -> dict[str, float]:
        """Give the agent its target, and in lock-step let one control period pass.

        Args:
            action: `target_x` and `target_y` [px]; one left out keeps its value.

        Returns:
            Both as sent: clipped to the window.

        Raises:
            DeviceNotConnectedError: If it is not connected.
            MismatchError: If the action names something else.
            DeviceError: If a value is not finite.
        """
        x, y = np.clip(self._asked(action, self._target), *TARGET_LIMITS_PX).tolist()
        self._catch_up()
        self._target = (x, y)
        if not self.realtime:
            self._advance(self._steps)
        return dict(zip(ACTION_KEYS, self._target))

    def _begin(self) -> None:
        """Let the clock start anew, and the agent stay where it was placed."""
        assert self._scene is not None
        self._target = self._scene.agent()
        self._time_s = 0.0
        self._begin_clock()

    def _advance(self, steps: int) -> None:
        assert self._scene is not None
        self._scene.advance(self._target, steps, self._step_s)
        self._time_s += steps * self._step_s
