"""The SO-101 arm in MuJoCo, with a cube to put on a disc: lerobot's `Robot` under the name `sim_so101`."""

from collector.robots.sim_so101.config import SimSO101Config
from collector.robots.sim_so101.robot import SimSO101

__all__ = ["SimSO101", "SimSO101Config"]
