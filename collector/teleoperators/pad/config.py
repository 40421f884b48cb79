"""Flags of the pad."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot.teleoperators.config import TeleoperatorConfig

from collector.teleoperators.motion.config import SteeringConfig


@TeleoperatorConfig.register_subclass("pad")
@dataclass(kw_only=True)
class PadConfig(SteeringConfig):
    """Any gamepad that SDL knows (`--teleop.type=pad`).

    Raises:
        UsageError: If a value is out of range or unknown.
    """

    # Which pad: empty for the first one, or its number, its GUID, or a part of its name ('demodeck devices pad').
    device: str = ""
    # What its controls do: an edited copy of what 'demodeck devices pad --show-mapping' prints; empty for that.
    mapping: str = ""
