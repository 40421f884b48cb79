"""A double squeeze is an event; a grasp is none."""

import pytest

from collector.session.squeeze import DoubleSqueeze
from collector.session.state import Event


def played(*steps):
    squeeze, events, now_s = DoubleSqueeze(), [], 0.0
    for value, seconds in steps:
        squeeze.see({"shoulder.pos": 3.0, "gripper.pos": value}, now_s)
        now_s += seconds
        events += squeeze.events()
    return events


@pytest.mark.parametrize(
    "steps, count",
    [
        ([(50, 0.1), (0, 0.2), (50, 0.2), (0, 0.2), (50, 1)], 1),
        ([(0, 0.1), (50, 0.1), (0, 2), (50, 0.1)], 0),  # shut at the start, then a grasp
        ([(50, 0.1), (0, 3), (50, 0.2), (0, 3)], 0),  # two grasps
        ([(50, 0.1), (0, 0.1), (15, 0.1), (0, 0.1)], 0),  # a hand that trembles while it holds
        ([(50, 0.1), (0, 0.1), (50, 0.1), (0, 0.1), (50, 0.1), (0, 0.1), (50, 0.1), (0, 0.1)], 2),
    ],
)
def test_only_shut_open_shut_in_a_second_counts(steps, count):
    assert played(*steps) == [Event.END] * count


def test_an_arm_without_gripper_squeezes_nothing():
    squeeze = DoubleSqueeze()
    squeeze.see({"x": 0.0}, 0.0)
    squeeze.see(None, 0.0)
    assert squeeze.events() == []
