"""A pilot that does nothing: it keeps the robot where it first saw it. What any policy must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101.joints import JOINTS
from collector.teleoperators.software import SoftwarePilot, shown_nothing


@TeleoperatorConfig.register_subclass("hold")
@dataclass(kw_only=True)
class HoldConfig(TeleoperatorConfig):
    """The pilot that holds still (`--teleop.type=hold`).

    Raises:
        UsageError: If there is no joint to hold.
    """

    # The joints to hold, as the robot names them (without `.pos`); default: all that the robot has.
    joints: list[str] | None = None

    def __post_init__(self) -> None:
        if self.joints == []:
            raise UsageError("--teleop.joints=[] leaves nothing to hold: name at least one joint")


class Hold(SoftwarePilot):
    """Asks for the joint positions of the episode's first observation, for ever; it never ends an episode."""

    config_class = HoldConfig
    name = "hold"

    def __init__(self, config: HoldConfig) -> None:
        super().__init__(config)
        self.config = config
        # By action, what is observed of it; an SO-101's until the robot is known.
        self._held = {key: key for key in (f"{joint}.pos" for joint in config.joints or JOINTS)}
        self._connected = False
        self._first: dict[str, float] | None = None

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(self._held, float)

    @property
    def is_connected(self) -> bool:
        return self._connected

    def fit_to(self, robot: Any) -> None:
        """Hold what the robot can be told, unless its joints were named."""
        if self.config.joints is None:
            names = getattr(robot, "measured_by", {})
            self._held = {key: names.get(key, key) for key in robot.action_features}

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Begin.

        Raises:
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._connected = True

    @check_if_not_connected
    def disconnect(self) -> None:
        """End.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._connected = False
        self._first = None

    def reset(self, seed: int) -> None:
        """Begin an episode: hold what is observed next. The seed does not matter."""
        self._first = None

    def observe(self, observation: dict[str, Any]) -> None:
        """Remember the joints of the episode's first observation.

        Raises:
            DeviceError: If the robot has not one of the joints.
        """
        if self._first is not None:
            return
        for seen in self._held.values():
            if seen not in observation:
                raise DeviceError(
                    f"hold cannot see '{seen}': name this robot's joints by --teleop.joints=[...]"
                )
        self._first = {key: float(observation[seen]) for key, seen in self._held.items()}

    @check_if_not_connected
    def get_action(self) -> dict[str, float]:
        """Return the held positions, in the robot's units.

        Raises:
            DeviceNotConnectedError: If it is not connected.
            DeviceError: If nothing was observed yet.
        """
        if self._first is None:
            raise shown_nothing(self.name)
        return dict(self._first)
