"""What pilots without hardware have in common: nothing to calibrate, nothing to feel."""

from __future__ import annotations

from typing import Any

from lerobot.teleoperators.teleoperator import Teleoperator

from collector.errors import DeviceError


def shown_nothing(name: str) -> DeviceError:
    """Return the error of a pilot that acts on observations and was given none."""
    return DeviceError(
        f"the pilot '{name}' acts on what the robot sees, and was shown nothing (lerobot-record shows its "
        "teleoperators nothing): fly it by 'demodeck record', or call observe() before get_action()"
    )


class SoftwarePilot(Teleoperator):
    """Base of the pilots that are programs: a script, a policy, one that holds still.

    Attributes:
        flies_by_itself: No person steers: between flights the robot must stand still.
    """

    flies_by_itself = True

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
