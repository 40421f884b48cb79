"""The pilot `blind`: several policies, one a flight, so that who judges a flight does not know which one flew it.

Each scene is flown once by every policy, in an order drawn anew for each scene: what tires or warms up during the day
strikes all alike (randomised complete blocks; Fisher 1935, "The Design of Experiments", chapter IV). The order follows
from a secret that nothing shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import MismatchError, UsageError
from collector.teleoperators.policy import Policy, PolicyConfig
from collector.teleoperators.software import SoftwarePilot


@TeleoperatorConfig.register_subclass("blind")
@dataclass(kw_only=True)
class BlindConfig(TeleoperatorConfig):
    """Settings of `--teleop.type=blind`, as `demodeck eval --policies=[A,B]` gives them."""

    # Folders of checkpoints, or names on the Hub
    paths: list[str] = field(default_factory=list)
    # What the order is drawn from
    secret: str = ""
    # Device that runs the networks; default: the ones they were trained on where present
    device: str | None = None
    # Packages that register policies beyond lerobot's own
    packages: list[str] = field(default_factory=lambda: ["training.policies"])
    # What to do, in words, where they were trained on several tasks; default: what the robot says
    task: str = ""


def place_of(seed: int, n_policies: int, secret: str) -> tuple[int, int]:
    """Return which scene the flight of a seed flies, from 0, and which of the policies flies it.

    Args:
        seed: The flight's, from 0; every `n_policies` seeds in a row are one scene.
        n_policies: How many there are.
        secret: What the order is drawn from.
    """
    scene, turn = divmod(seed, n_policies)
    order = list(range(n_policies))
    random.Random(f"{secret}:{scene}").shuffle(order)
    return scene, order[turn]


class Blind(SoftwarePilot):
    """Several policies behind lerobot's teleoperator interface; the seed says which one flies."""

    config_class = BlindConfig
    name = "blind"

    def __init__(self, config: BlindConfig) -> None:
        """Find the checkpoints; the networks are loaded by `connect`.

        Raises:
            UsageError: If no policy is named.
            DataError: If a path holds no policy.
            HubError: If the Hub cannot give one.
            MismatchError: If they were trained at different rates, or for different actions.
        """
        super().__init__(config)
        if not config.paths:
            raise UsageError("which policies? give --teleop.paths=[PATH,PATH]")
        self.config = config
        shared = {"device": config.device, "packages": config.packages, "task": config.task}
        self.policies = [Policy(PolicyConfig(path=path, **shared)) for path in config.paths]  # type: ignore[arg-type]
        self._now = self.policies[0]
        for what, values in (
            ("control rate [Hz]", [policy.fps for policy in self.policies]),
            ("actions", [sorted(policy.action_features) for policy in self.policies]),
        ):
            if any(value != values[0] for value in values):
                told = "; ".join(f"{path}: {value}" for path, value in zip(config.paths, values, strict=True))
                raise MismatchError(f"the policies differ in their {what} ({told}): compare what flies alike")

    @property
    def fps(self) -> int | None:
        """Control rate that the policies were trained at [Hz], where their checkpoints say."""
        return self._now.fps

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras that any of them sees."""
        return list(dict.fromkeys(camera for policy in self.policies for camera in policy.cameras))

    @property
    def action_features(self) -> dict[str, type]:
        """Names of the actions."""
        return self._now.action_features

    def briefing(self, seed: int) -> str:
        """Return how the scene is to be placed for the flight of a seed."""
        scene, turn = divmod(seed, len(self.policies))
        if turn == 0:
            again = "; remember how" if len(self.policies) > 1 else ""
            return f"scene {scene + 1}: place it anew{again}"
        return f"scene {scene + 1} again (flight {turn + 1} of {len(self.policies)}): as it was before"

    def fit_to(self, robot: Any) -> None:
        """Take the robot that is to be flown. Raises as `Policy.fit_to`."""
        for policy in self.policies:
            policy.fit_to(robot)

    @property
    def is_connected(self) -> bool:
        """Whether the networks are loaded."""
        return all(policy.is_connected for policy in self.policies)

    def connect(self, calibrate: bool = True) -> None:
        """Load the networks. Raises as `Policy.connect`."""
        for policy in self.policies:
            policy.connect(calibrate)

    def disconnect(self) -> None:
        """Free the networks."""
        for policy in self.policies:
            policy.disconnect()

    def reset(self, seed: int) -> None:
        """Begin an episode, flown by the policy whose turn it is.

        Raises:
            DeviceError: If `connect` was not called.
        """
        scene, which = place_of(seed, len(self.policies), self.config.secret)
        self._now = self.policies[which]
        self._now.reset(scene)

    def set_control_period(self, dt_s: float) -> None:
        """Tell all of them how long a tick is [s]."""
        for policy in self.policies:
            policy.set_control_period(dt_s)

    def observe(self, observation: dict[str, Any]) -> None:
        """Show the robot's observation to the policy that flies. Raises as `Policy.observe`."""
        self._now.observe(observation)

    def get_action(self) -> dict[str, Any]:
        """Return its action, in the robot's units. Raises as `Policy.get_action`."""
        return self._now.get_action()
