"""What pilots without hardware have in common: nothing to calibrate, nothing to feel."""

from __future__ import annotations

from typing import Any

from lerobot.teleoperators.teleoperator import Teleoperator


class SoftwarePilot(Teleoperator):
    """Base of the pilots that are programs: a script, a policy, one that holds still."""

    @property
    def feedback_features(self) -> dict[str, type]:
        """None: a program feels nothing."""
        return {}

    @property
    def is_calibrated(self) -> bool:
        """Always: there is nothing to calibrate."""
        return True

    def calibrate(self) -> None:
        """Do nothing."""

    def configure(self) -> None:
        """Do nothing."""

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Do nothing."""
