"""The SO-101's joints between lerobot's units and the model's.

lerobot's `so101_follower` gives degrees from the middle of each joint's range, as the model's angles do in
radians, and for the gripper 0 (closed) to 100 (open) over its range.
"""

from __future__ import annotations

import numpy as np

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
ACTION_KEYS = tuple(f"{joint}.pos" for joint in JOINTS)
# Control ranges of the model's actuators [rad]; a test holds them to the model.
CONTROL_RANGES_RAD = np.array(
    [
        [-1.91986, 1.91986],
        [-1.74533, 1.74533],
        [-1.69, 1.69],
        [-1.65806, 1.65806],
        [-2.74385, 2.84121],
        [-0.17453, 1.74533],
    ]
)
_GRIPPER_LOW, _GRIPPER_HIGH = CONTROL_RANGES_RAD[5]


def to_units(angles_rad: np.ndarray) -> np.ndarray:
    """Return lerobot's values for the model's angles.

    Args:
        angles_rad: Joint angles [rad], (..., 6), in the order of `JOINTS`.

    Returns:
        Degrees, and the gripper in 0..100, float64, (..., 6).
    """
    values = np.degrees(angles_rad)
    values[..., 5] = (angles_rad[..., 5] - _GRIPPER_LOW) / (_GRIPPER_HIGH - _GRIPPER_LOW) * 100.0
    return values


def to_radians(values: np.ndarray) -> np.ndarray:
    """Return the model's angles [rad], (..., 6), for lerobot's values; the inverse of `to_units`."""
    angles_rad = np.radians(values)
    angles_rad[..., 5] = _GRIPPER_LOW + values[..., 5] / 100.0 * (_GRIPPER_HIGH - _GRIPPER_LOW)
    return angles_rad


# The same limits in lerobot's units, (6, 2).
CONTROL_RANGES = to_units(CONTROL_RANGES_RAD.T).T
