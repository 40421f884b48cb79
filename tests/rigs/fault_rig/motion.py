"""Where the arm is at each tick: smooth, and such that the tick can be read back from the joints."""

from __future__ import annotations

import math

import numpy as np

JOINTS = tuple(f"joint_{i}.pos" for i in range(1, 7))
LEAD_DEG = 5.0  # the pilot asks for this much more than the arm measures: a hold is told from a flight
_CYCLE = 20_000  # ticks after which the positions repeat


def positions(tick: int) -> dict[str, float]:
    """Return the joint positions [deg] of a tick by joint name."""
    slow = 2 * math.pi * tick / _CYCLE
    values = [90 * math.sin(slow), 90 * math.cos(slow)]
    values += [30 * math.sin(2 * math.pi * tick / period) for period in (101, 157, 211, 307)]
    return dict(zip(JOINTS, values))


def ticks_of(states: np.ndarray) -> np.ndarray:
    """Return the tick, int64, (n,), of each row of joint positions, (n, 6)."""
    slow = np.arctan2(states[:, 0].astype(float), states[:, 1].astype(float))
    return np.round(slow / (2 * np.pi) * _CYCLE).astype(np.int64) % _CYCLE
