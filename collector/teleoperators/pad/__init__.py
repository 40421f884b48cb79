"""Any gamepad that SDL knows flies any arm: lerobot's `Teleoperator` under the name `pad`."""

from collector.teleoperators.pad.config import PadConfig
from collector.teleoperators.pad.pilot import Pad

__all__ = ["Pad", "PadConfig"]
