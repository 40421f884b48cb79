"""What is made of a stick's or trigger's raw position: its rest is cut out, and its middle made finer."""

from __future__ import annotations

import math


def shape_stick(x: float, y: float, dead_zone: float, curve: float) -> tuple[float, float]:
    """Return how far a stick is pushed, its direction kept.

    Args:
        x, y: Raw position, -1 to 1 each; the corners of a square stick count as its rim.
        dead_zone: Radius within which it rests, 0 to below 1.
        curve: Share of the cube in the response: 0 is straight, 1 is finest about the middle.

    Returns:
        Both in -1..1, of length 0 to 1; the length grows steadily from 0 at the dead zone to 1 at the rim.
    """
    length = math.hypot(x, y)
    if length <= dead_zone:
        return 0.0, 0.0
    share = shape(min(1.0, length), dead_zone, curve) / length
    return x * share, y * share


def shape(value: float, dead_zone: float, curve: float) -> float:
    """Return how far a trigger is pulled, 0 to 1; see `shape_stick`."""
    if value <= dead_zone:
        return 0.0
    travel = min(1.0, (value - dead_zone) / (1.0 - dead_zone))
    return (1.0 - curve) * travel + curve * travel**3
