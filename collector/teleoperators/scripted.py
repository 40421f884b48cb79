"""A script that picks the cube up and puts it on the disc, as a person would: the demo's and the tests'
pilot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.utils import TeleopEvents
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101.joints import ACTION_KEYS, to_radians, to_units
from collector.robots.sim_so101.reach import Reach
from collector.teleoperators.flaws import FLAWS, STALL_S, Disturbance, check_flaws, flaw_of
from collector.teleoperators.pick_place import Flight, Style
from collector.teleoperators.software import SoftwarePilot, shown_nothing


@TeleoperatorConfig.register_subclass("scripted")
@dataclass(kw_only=True)
class ScriptedConfig(TeleoperatorConfig):
    """The scripted pilot (`--teleop.type=scripted`).

    Raises:
        UsageError: If a value is out of range or a flaw is unknown.
    """

    # How fast it flies; 1 takes about 5 s a flight.
    speed: float = 1.0
    # Control rate [Hz], where nobody calls `set_control_period`.
    fps: int = 30
    # Share of the episodes that go wrong on purpose, and how.
    flaw_rate: float = 0.0
    flaws: list[str] = field(default_factory=lambda: list(FLAWS))

    def __post_init__(self) -> None:
        check_flaws(self.flaw_rate, self.flaws)
        if not 0.5 <= self.speed <= 2.0:
            raise UsageError(f"--teleop.speed={self.speed} is out of range: choose 0.5 to 2")
        if not 5 <= self.fps <= 200:
            raise UsageError(f"--teleop.fps={self.fps}: choose 5 to 200")


class Scripted(SoftwarePilot):
    """Flies the SO-101 by what it observes: joints and the cube's pose, as `environment_state`.

    Call `reset(seed)` when an episode begins, then `observe` and `get_action` once a control period;
    `get_teleop_events` says when the script is over.
    """

    config_class = ScriptedConfig
    name = "scripted"

    def __init__(self, config: ScriptedConfig) -> None:
        super().__init__(config)
        self.config = config
        self._period_s = 1 / config.fps
        self._reach: Reach | None = None
        self._flight: Flight | None = None
        self.reset(0)

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(ACTION_KEYS, float)

    @property
    def is_connected(self) -> bool:
        return self._reach is not None

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Load the arm's kinematics.

        Raises:
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._reach = Reach()

    @check_if_not_connected
    def disconnect(self) -> None:
        """Forget the flight.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._flight = self._reach = None

    def set_control_period(self, dt_s: float) -> None:
        """Set how much time passes from one `get_action` to the next [s]."""
        self._period_s = dt_s

    def flaw_of(self, seed: int) -> str | None:
        """Return the flaw that the episode with this seed has on purpose, or None."""
        return flaw_of(seed, self.config.flaw_rate, self.config.flaws)

    def reset(self, seed: int) -> None:
        """Begin an episode; the same seed and the same observations give the same actions."""
        rng = np.random.default_rng([seed, 0x5C21])
        self._flaw = self.flaw_of(seed)
        self._style = Style.draw(rng, self.config.speed, self._flaw)
        self._flaw_rng = np.random.default_rng([seed, 0xF1A, 1])
        self._moment = self._flaw_rng.uniform(0.25, 0.7)
        self._stall_s = self._flaw_rng.uniform(*STALL_S)
        self._flight = None
        self._disturbance: Disturbance | None = None
        self._now_s = 0.0
        self._stalled_s = 0.0
        self._action: np.ndarray | None = None

    def observe(self, observation: dict[str, Any]) -> None:
        """Take this tick's observation.

        Args:
            observation: The six joints' positions, and `environment_state` as the task of `sim_so101` gives
                it.

        Raises:
            DeviceError: If the cube's pose or a joint is missing.
        """
        missing = [key for key in (*ACTION_KEYS, "environment_state") if key not in observation]
        if missing:
            raise DeviceError(
                f"the scripted pilot must see '{missing[0]}', which this robot does not show: "
                "it flies --robot.type=sim_so101 only"
            )
        self._joints = to_radians(np.array([observation[key] for key in ACTION_KEYS]))
        self._scene = np.asarray(observation["environment_state"], float)

    @check_if_not_connected
    def get_action(self) -> dict[str, float]:
        """Return the joints' goals for this tick.

        Returns:
            `<joint>.pos` in degrees (gripper 0..100).

        Raises:
            DeviceNotConnectedError: If it is not connected.
            DeviceError: If nothing was observed yet.
        """
        if self._flight is None:
            self._take_off()
        assert self._flight is not None and self._disturbance is not None
        if self._stalling():
            self._stalled_s += self._period_s
        else:
            self._now_s += self._period_s
            self._action = to_units(self._flight.goal(self._now_s, self._joints, self._scene))
        assert self._action is not None
        asked = self._disturbance.apply(self._action, self._now_s)
        return dict(zip(ACTION_KEYS, asked.tolist()))

    def get_teleop_events(self) -> dict[TeleopEvents, bool]:
        """Return lerobot's events: `TERMINATE_EPISODE` once the script is over."""
        over = self._flight is not None and self._now_s >= self._end_s()
        return {
            TeleopEvents.IS_INTERVENTION: False,
            TeleopEvents.TERMINATE_EPISODE: over,
            TeleopEvents.SUCCESS: False,
            TeleopEvents.RERECORD_EPISODE: False,
        }

    def _take_off(self) -> None:
        if not hasattr(self, "_joints"):
            raise shown_nothing(self.name)
        assert self._reach is not None
        self._flight = Flight(self._style, self._reach, self._joints, self._scene)
        self._action = to_units(self._joints)
        self._disturbance = Disturbance(self._flaw, self._flaw_rng, self._moment * self._flight.expected_s)

    def _stalling(self) -> bool:
        assert self._flight is not None
        begun = self._flaw == "stall" and self._now_s >= self._moment * self._flight.expected_s
        return begun and self._stalled_s < self._stall_s

    def _end_s(self) -> float:
        assert self._flight is not None
        if self._flaw == "early_stop":
            return min(self._flight.end_s, self._moment * self._flight.expected_s)
        return self._flight.end_s
