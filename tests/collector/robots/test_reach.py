"""Inverse kinematics of the SO-101."""

from __future__ import annotations

import numpy as np

from collector.robots.sim_so101.joints import CONTROL_RANGES_RAD
from collector.robots.sim_so101.reach import Reach


def test_inverse_kinematics_reaches_the_whole_workplace():
    reach = Reach()
    home = np.array([0.0, -0.75, 0.55, 1.45, 0.05, 0.6])
    for bearing in (-0.7, 0.0, 0.7):
        for distance_m in (0.19, 0.24, 0.29):
            for height_m in (0.012, 0.06):
                place_m = np.array([distance_m * np.cos(bearing), distance_m * np.sin(bearing), height_m])
                angles = reach.solve(place_m, bearing + np.pi + 0.5, home)
                there_m, yaw = reach.grip(angles)
                assert np.linalg.norm(there_m - place_m) < 5e-4
                assert abs((yaw - bearing - 0.5) % (2 * np.pi) - np.pi) < 0.01
                assert (angles >= CONTROL_RANGES_RAD[:, 0] - 1e-6).all()
                assert (angles <= CONTROL_RANGES_RAD[:, 1] + 1e-6).all()
                assert angles[5] == home[5]
    # Out of reach it stretches towards the place, within its ranges.
    angles = reach.solve(np.array([0.6, 0.0, 0.1]), np.pi, home)
    assert np.isfinite(angles).all()
    assert (angles >= CONTROL_RANGES_RAD[:, 0] - 1e-6).all()
    assert (angles <= CONTROL_RANGES_RAD[:, 1] + 1e-6).all()
    assert abs(angles[0]) < 0.2
    assert reach.grip(angles)[0][0] > 0.2
