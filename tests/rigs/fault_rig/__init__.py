"""A lerobot plugin: a simulated arm, cameras and a pilot that fail when they are told to, and keep a log.

Use it in `demodeck record` or `lerobot-record` alike, with `tests` on the Python path:

    --robot.discover_packages_path=rigs.fault_rig --robot.type=rig_arm --teleop.type=rig_pilot
"""

from rigs.fault_rig.arm import RigArm, RigArmConfig
from rigs.fault_rig.camera import RigCamera
from rigs.fault_rig.pilot import RigPilot, RigPilotConfig

__all__ = ["RigArm", "RigArmConfig", "RigCamera", "RigPilot", "RigPilotConfig"]
