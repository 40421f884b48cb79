"""A teleoperator that asks for the arm's own path, a little ahead of it, and fails on request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lerobot.teleoperators import Teleoperator, TeleoperatorConfig

from rigs.fault_rig.motion import JOINTS, LEAD_DEG, positions

FAULTS = ("", "unplugged", "raises")  # for good with ConnectionError; once with RuntimeError


_last = -1  # last action of a pilot that a session has made anew
_raised = False  # whether one has


@TeleoperatorConfig.register_subclass("rig_pilot")
@dataclass(kw_only=True)
class RigPilotConfig(TeleoperatorConfig):
    """When the pilot fails."""

    fault: str = ""
    fault_on: Path | None = None  # a file with which the fault begins; without one, at once

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"fault '{self.fault}' is none of {', '.join(FAULTS[1:])}")


class RigPilot(Teleoperator):
    """Action k is the arm's position at tick k and `LEAD_DEG` more on every joint."""

    config_class = RigPilotConfig
    name = "rig_pilot"

    def __init__(self, config: RigPilotConfig) -> None:
        super().__init__(config)
        self.config = config
        self._connected = False
        self._tick = _last

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(JOINTS, float)

    @property
    def feedback_features(self) -> dict[str, type]:
        return {}

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        return True

    def calibrate(self) -> None:
        """Nothing to calibrate."""

    def configure(self) -> None:
        """Nothing to configure."""

    def connect(self, calibrate: bool = True) -> None:
        if self.config.fault == "unplugged" and self._due():
            raise ConnectionError("no such port")
        self._connected = True

    def get_action(self) -> dict[str, Any]:
        global _last, _raised
        _last = self._tick = self._tick + 1
        if self.config.fault == "unplugged" and self._due():
            raise ConnectionError("the leader does not answer: no status packet")
        if self.config.fault == "raises" and self._due() and not _raised:
            _raised = True
            raise RuntimeError("the leader's joint 3 is not a number")
        return {name: value + LEAD_DEG for name, value in positions(self._tick).items()}

    def _due(self) -> bool:
        return self.config.fault_on is None or self.config.fault_on.exists()

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Nothing to feel."""

    def disconnect(self) -> None:
        self._connected = False
