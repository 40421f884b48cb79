"""Dead zones and curves of sticks and triggers."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector.teleoperators.pad.shaping import shape, shape_stick

positions = st.floats(-1, 1)
dead_zones = st.floats(0, 0.9)
curves = st.floats(0, 1)


@given(positions, positions, dead_zones, curves)
def test_a_stick_keeps_its_direction_and_stays_in_the_unit_circle(x, y, dead_zone, curve):
    shaped = shape_stick(x, y, dead_zone, curve)
    length = math.hypot(*shaped)
    assert length <= 1 + 1e-9
    if math.hypot(x, y) <= dead_zone:
        assert shaped == (0, 0)
    else:
        assert shaped[0] * y == pytest.approx(shaped[1] * x, abs=1e-9)
        assert shaped[0] * x >= 0 and shaped[1] * y >= 0


@given(st.floats(0, 2 * math.pi), dead_zones, curves)
def test_the_rest_is_round_and_the_rim_is_full(angle, dead_zone, curve):
    direction = (math.cos(angle), math.sin(angle))
    inside = [part * dead_zone * 0.999 for part in direction]
    assert shape_stick(*inside, dead_zone, curve) == (0, 0)
    assert math.hypot(*shape_stick(*direction, dead_zone, curve)) == pytest.approx(1, abs=1e-6)
    just_outside = [part * (dead_zone + 1e-4) for part in direction]
    assert math.hypot(*shape_stick(*just_outside, dead_zone, curve)) < 0.01  # it starts from nothing, no step


@given(st.floats(0, 1), st.floats(0, 1), dead_zones, curves)
def test_more_is_never_less(first, second, dead_zone, curve):
    low, high = sorted((first, second))
    assert shape(low, dead_zone, curve) <= shape(high, dead_zone, curve) + 1e-12


@given(st.floats(0.01, 0.99), dead_zones, st.floats(0, 0.99))
def test_a_curve_makes_the_middle_finer_and_leaves_the_ends(value, dead_zone, curve):
    assume(value > dead_zone + 1e-6)
    assert (
        shape(value, dead_zone, 1.0) <= shape(value, dead_zone, curve) <= shape(value, dead_zone, 0.0) + 1e-12
    )
    assert shape(1.0, dead_zone, curve) == pytest.approx(1)
    assert shape(0.0, dead_zone, curve) == 0


def test_a_straight_response_is_the_share_of_the_travel():
    assert shape(0.55, 0.1, 0.0) == pytest.approx(0.5)
    assert shape_stick(0.0, -0.55, 0.1, 0.0) == pytest.approx((0, -0.5))
