"""PushT, a disc that pushes a T onto its target, by gym-pusht: lerobot's `Robot` under the name `sim_pusht`."""

from collector.robots.sim_pusht.config import SimPushTConfig
from collector.robots.sim_pusht.robot import SimPushT

__all__ = ["SimPushT", "SimPushTConfig"]
