"""lerobot's `Robot` over the MuJoCo model: joints in lerobot's units, pictures, a clock of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.robots.graphics import choose_backend, import_mujoco
from collector.robots.sim_so101.cameras import SceneCameras
from collector.robots.sim_so101.config import SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS, CONTROL_RANGES, JOINTS, to_radians, to_units
from collector.robots.sim_so101.task import PickPlaceTask
from collector.robots.simulated import SimulatedRobot, check_period

SCENE = Path(__file__).parent / "assets" / "scene.xml"
# The step at which friction grasps were tuned; a control period is cut into whole steps near it.
NOMINAL_STEP_S = 0.005
# Arm raised over the table, gripper down and half open [rad], and how much a person's start differs.
HOME_RAD = np.array([0.0, -0.75, 0.55, 1.45, 0.05, 0.6])
HOME_SPREAD_RAD = np.array([0.03, 0.03, 0.03, 0.03, 0.03, 0.05])
SETTLE_S = 0.2


class SimSO101(SimulatedRobot):
    """The SO-101 in simulation, with names and units of lerobot's `so101_follower`; its clock as `SimulatedRobot`'s.

    Attributes:
        task: The task in the scene.
    """

    config_class = SimSO101Config
    name = "sim_so101"
    action_keys = ACTION_KEYS

    def __init__(self, config: SimSO101Config) -> None:
        super().__init__(config)
        self.task = PickPlaceTask()
        self._model: Any = None
        self._data: Any = None
        self._renderer: SceneCameras | None = None
        self._control_period_s = 1 / 30
        self._goal_rad = HOME_RAD
        self._step_rad = np.zeros(len(JOINTS))
        self._steps = 0
        self._cut_period()

    @property
    def observation_features(self) -> dict[str, type | tuple[int, ...]]:
        return self._features(ACTION_KEYS)

    @property
    def is_connected(self) -> bool:
        return self._model is not None

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Load the model, open the cameras and place the scene of seed 0.

        Raises:
            DeviceError: If cameras are asked for and there is no OpenGL to draw with.
            DeviceAlreadyConnectedError: If it is connected.
        """
        if self.cameras:
            choose_backend()
        mujoco = self._mujoco = import_mujoco()
        model = mujoco.MjModel.from_xml_path(str(SCENE))
        if self.cameras:
            self._renderer = SceneCameras(model, list(self.cameras), self.config.width, self.config.height)
        self._model, self._data = model, mujoco.MjData(model)
        self._joint_address = np.array([model.joint(joint).qposadr[0] for joint in JOINTS])
        self.task.bind(model, self._data)
        self._cut_period()
        self.reset(0)

    @check_if_not_connected
    def disconnect(self) -> None:
        """Free the model and the graphics memory.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = self._model = self._data = None

    def set_control_period(self, dt_s: float) -> None:
        """Set how much simulated time one `send_action` takes in lock-step; exactly, at any rate.

        Args:
            dt_s: The control period [s], 0.001 to 1.

        Raises:
            DeviceError: If the period is out of range.
        """
        check_period(self.name, dt_s)
        self._control_period_s = dt_s
        self._cut_period()

    @check_if_not_connected
    def reset(self, seed: int) -> None:
        """Place the arm near its home, at rest, and the cube at random; the same seed, the same scene."""
        rng = np.random.default_rng([seed, 0x50101])
        self._mujoco.mj_resetData(self._model, self._data)
        start_rad = HOME_RAD + HOME_SPREAD_RAD * rng.uniform(-1, 1, len(JOINTS))
        self._data.qpos[self._joint_address] = self._data.ctrl[:] = self._goal_rad = start_rad
        self._steps_to_goal = 0
        self.task.place_cube(rng)
        # The servos sag until they carry the arm; that is over before the episode begins.
        self._advance(round(SETTLE_S / self._model.opt.timestep))
        self._data.time = 0.0
        self._begin_clock()

    @property
    def sim_time_s(self) -> float:
        """Simulated seconds since the last reset."""
        return float(self._data.time) if self._data is not None else 0.0

    @check_if_not_connected
    def get_observation(self) -> dict[str, Any]:
        """Return the joints' positions and the cameras' pictures.

        Returns:
            `<joint>.pos` in degrees (gripper 0..100), float; each camera by name, uint8, (height, width, 3),
            RGB.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._catch_up()
        positions = to_units(self._data.qpos[self._joint_address])
        observation: dict[str, Any] = dict(zip(ACTION_KEYS, positions.tolist()))
        if self._renderer is not None:
            self._stamp_pictures()
            # A step leaves the poses as they were before it.
            self._mujoco.mj_kinematics(self._model, self._data)
            self._mujoco.mj_camlight(self._model, self._data)
            observation.update(self._renderer.draw(self._data))
        return observation

    @check_if_not_connected
    def send_action(self, action: dict[str, Any]) -> dict[str, float]:
        """Give the servos their goals, and in lock-step let one control period pass.

        A servo does not leap to its goal but moves there evenly over the control period; at low rates leaps
        would throw what is in the gripper.

        Args:
            action: `<joint>.pos` in degrees (gripper 0..100); a joint left out keeps its goal.

        Returns:
            The goals of all six joints as sent: clipped to the servos' ranges.

        Raises:
            DeviceNotConnectedError: If it is not connected.
            MismatchError: If the action names a joint that the SO-101 has not.
            DeviceError: If a value is not finite.
        """
        goals = self._asked(action, to_units(self._goal_rad).tolist())
        sent = np.clip(goals, CONTROL_RANGES[:, 0], CONTROL_RANGES[:, 1])
        self._catch_up()
        self._goal_rad = to_radians(sent)
        self._step_rad = (self._goal_rad - self._data.ctrl) / self._steps
        self._steps_to_goal = self._steps
        if not self.realtime:
            self._advance(self._steps)
        return dict(zip(ACTION_KEYS, sent.tolist()))

    def _cut_period(self) -> None:
        """Cut the control period into whole steps near the nominal one: 5.6 ms at 60 Hz, 5.1 ms at 15 Hz."""
        self._steps = max(1, round(self._control_period_s / NOMINAL_STEP_S))
        if self._model is not None:
            self._model.opt.timestep = self._control_period_s / self._steps

    @property
    def _step_s(self) -> float:
        return float(self._model.opt.timestep)

    def _advance(self, steps: int) -> None:
        """Step physics while the servos' set points move evenly to their goals, over one control period."""
        for _ in range(steps):
            if self._steps_to_goal:
                self._steps_to_goal -= 1
                self._data.ctrl[:] = self._goal_rad - self._steps_to_goal * self._step_rad
            self._mujoco.mj_step(self._model, self._data)
