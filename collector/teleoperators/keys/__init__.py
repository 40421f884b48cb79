"""A plain terminal's keyboard flies any arm, over SSH too: lerobot's `Teleoperator` under the name `keys`."""

from collector.teleoperators.keys.config import KeysConfig
from collector.teleoperators.keys.pilot import Keys

__all__ = ["Keys", "KeysConfig"]
