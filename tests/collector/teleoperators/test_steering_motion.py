"""From wishes to targets, whatever is wished."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.robots.sim_so101.joints import ACTION_KEYS, CONTROL_RANGES
from collector.teleoperators.motion.config import SteeringConfig
from collector.teleoperators.motion.fit import Steered, make_motion
from collector.teleoperators.motion.wish import EE_AXES, FRAMES, Wish

CONFIG = SteeringConfig(gripper_speed=2.0)
SO101 = Steered.from_config(CONFIG)
rates = st.sampled_from([-1.0, -0.3, 0.0, 0.0, 0.4, 1.0])
wishes = st.builds(
    Wish,
    rates=st.dictionaries(st.sampled_from(EE_AXES), rates, max_size=3),
    closed=st.none() | st.floats(0, 1),
    closing=st.floats(-1, 1),
    frame=st.none() | st.sampled_from(FRAMES),
)
# A real arm may stand a little outside the ranges of its model.
poses = st.tuples(*(st.floats(low - 8, high + 8) for low, high in CONTROL_RANGES[:5]), st.floats(0, 100))


@functools.cache
def motion(mode):
    return make_motion(CONFIG, SO101, mode)


@settings(deadline=None, max_examples=60)
@given(
    poses, st.lists(st.tuples(wishes, st.integers(1, 12)), max_size=6), st.sampled_from([0.005, 1 / 30, 0.1])
)
def test_no_target_leaps_or_leaves_its_range_from_any_pose_by_any_wish(pose, flight, dt_s):
    ee = motion("ee")
    ee.start(dict(zip(ACTION_KEYS, pose)))
    before = np.array(pose)
    low, high = np.minimum(CONTROL_RANGES[:, 0], before), np.maximum(CONTROL_RANGES[:, 1], before)
    for wish, ticks in flight:
        for _ in range(ticks):
            after = np.array(list(ee.step(wish, dt_s).values()))
            assert np.isfinite(after).all()
            assert np.abs(after - before)[:5].max() <= CONFIG.fastest_joint_deg_s * dt_s + 1e-6
            assert abs(after - before)[5] <= 200 * dt_s + 1e-6
            assert (after >= low - 0.1).all() and (after <= high + 0.1).all()
            if not wish.moves:
                assert (after[:5] == before[:5]).all()
            before = after


@settings(deadline=None, max_examples=30)
@given(poses, st.sampled_from(["ee", "joint"]))
def test_nothing_moves_that_is_not_asked_to(pose, mode):
    steering = motion(mode)
    steering.start(dict(zip(ACTION_KEYS, pose)))
    steering.leash(dict(zip(ACTION_KEYS, pose)))
    for _ in range(3):
        assert list(steering.step(Wish(), 0.1).values()) == list(pose)


@given(st.floats(0, 100), st.floats(0, 1), st.floats(0.001, 0.1))
def test_the_gripper_goes_where_it_is_told_and_no_faster_than_it_may(start, closed, dt_s):
    steering = motion("joint")
    pose = dict.fromkeys(ACTION_KEYS, 0.0) | {"gripper.pos": start}
    steering.start(pose)
    goal = 100 * (1 - closed)
    value = steering.step(Wish(closed=closed), dt_s)["gripper.pos"]
    assert abs(value - goal) == pytest.approx(max(0.0, abs(start - goal) - 200 * dt_s), abs=1e-6)
