"""The simulated SO-101 as lerobot's `Robot`, and as a `Simulated` one."""

from __future__ import annotations

import types

import numpy as np
import pytest
from lerobot.robots.utils import make_robot_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError

from collector.errors import DeviceError, MismatchError, UsageError
from collector.robots import simulated
from collector.robots.protocols import Simulated, Task
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.robots.sim_so101.joints import (
    ACTION_KEYS,
    CONTROL_RANGES,
    CONTROL_RANGES_RAD,
    to_radians,
    to_units,
)

GOAL = dict(zip(ACTION_KEYS, (20.0, -30.0, 20.0, 60.0, 10.0, 50.0)))


@pytest.fixture
def robot():
    robot = make_robot_from_config(SimSO101Config(realtime=False, cameras=[]))
    robot.connect()
    yield robot
    if robot.is_connected:
        robot.disconnect()


def joints(observation):
    return np.array([observation[key] for key in ACTION_KEYS])


def test_it_is_what_lerobot_and_we_expect(robot):
    assert type(robot) is SimSO101
    assert robot.name == robot.robot_type == robot.config.type == "sim_so101"
    assert isinstance(robot, Simulated)
    assert isinstance(robot.task, Task)
    assert robot.is_calibrated


def test_names_and_units_are_those_of_the_real_arm():
    from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig

    real = SO101Follower(SO101FollowerConfig(port="/dev/null"))
    ours = SimSO101(SimSO101Config(cameras=[]))
    assert ours.action_features == real.action_features
    assert ours.observation_features == real.observation_features


def test_features_match_what_is_returned(robot):
    observation = robot.get_observation()
    assert list(observation) == list(robot.observation_features)
    assert all(type(value) is float for value in observation.values())
    sent = robot.send_action(GOAL)
    assert list(sent) == list(robot.action_features)
    assert all(type(value) is float for value in sent.values())


def test_connecting_and_disconnecting_twice(robot):
    with pytest.raises(DeviceAlreadyConnectedError):
        robot.connect()
    robot.disconnect()
    for call in (
        robot.disconnect,
        robot.get_observation,
        lambda: robot.send_action(GOAL),
        lambda: robot.reset(0),
    ):
        with pytest.raises(DeviceNotConnectedError):
            call()
    robot.connect()
    assert robot.is_connected
    robot.get_observation()


def test_features_are_known_before_connecting():
    robot = SimSO101(SimSO101Config(cameras=["wrist"], width=64, height=48))
    assert robot.observation_features["wrist"] == (48, 64, 3)
    assert len(robot.cameras) == 1
    assert robot.sim_time_s == 0.0
    assert robot.task.time_limit_s > 0


def test_the_same_seed_gives_the_same_flight(robot):
    def fly(seed):
        robot.reset(seed)
        rows = []
        for k in range(30):
            robot.send_action({**GOAL, "shoulder_pan.pos": float(k)})
            rows.append(np.r_[joints(robot.get_observation()), robot.task.environment_state()])
        return np.array(rows)

    first = fly(7)
    assert not np.array_equal(fly(8), first)
    np.testing.assert_array_equal(fly(7), first)


def test_the_arm_goes_where_it_is_sent(robot):
    robot.reset(0)
    for _ in range(60):
        robot.send_action(GOAL)
    np.testing.assert_allclose(joints(robot.get_observation()), list(GOAL.values()), atol=1.0)


def test_what_is_sent_is_clipped_and_returned(robot):
    sent = robot.send_action(dict.fromkeys(ACTION_KEYS, 1000.0))
    np.testing.assert_allclose(list(sent.values()), CONTROL_RANGES[:, 1])
    assert sent["gripper.pos"] == 100.0
    sent = robot.send_action(dict.fromkeys(ACTION_KEYS, -1000.0))
    assert sent["gripper.pos"] == 0.0
    np.testing.assert_allclose(list(sent.values()), CONTROL_RANGES[:, 0], atol=1e-9)


def test_a_joint_left_out_keeps_its_goal(robot):
    robot.send_action(GOAL)
    sent = robot.send_action({"elbow_flex.pos": 5.0})
    assert sent == pytest.approx({**GOAL, "elbow_flex.pos": 5.0})


def test_actions_that_cannot_be_sent_are_refused(robot):
    with pytest.raises(MismatchError, match=r"'left_wheel\.vel'.*shoulder_pan\.pos"):
        robot.send_action({"left_wheel.vel": 1.0})
    with pytest.raises(DeviceError, match=r"'wrist_roll\.pos' is not a finite number"):
        robot.send_action({**GOAL, "wrist_roll.pos": float("nan")})
    assert np.isfinite(joints(robot.get_observation())).all()


@pytest.mark.parametrize("fps", [7, 10, 15, 24, 28.6, 30, 50, 60, 144])
def test_lock_step_takes_exactly_one_control_period(robot, fps):
    robot.set_control_period(1 / fps)
    robot.reset(0)
    for _ in range(20):
        robot.get_observation()
        robot.send_action(GOAL)
    assert robot.sim_time_s == pytest.approx(20 / fps, abs=1e-9)


def test_a_control_period_out_of_range_is_refused(robot):
    with pytest.raises(DeviceError, match="1 to 1000 Hz"):
        robot.set_control_period(0.0)


def test_real_time_follows_the_clock_but_does_not_leap(monkeypatch):
    clock = types.SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(simulated, "time", types.SimpleNamespace(perf_counter=lambda: clock.now_s))
    with SimSO101(SimSO101Config(realtime=True, cameras=[])) as robot:
        robot.reset(0)
        clock.now_s += 0.1
        robot.get_observation()
        assert robot.sim_time_s == pytest.approx(0.1, abs=0.006)
        # A goal sent takes effect from then on, and takes no time by itself.
        robot.send_action(GOAL)
        assert robot.sim_time_s == pytest.approx(0.1, abs=0.006)
        clock.now_s += 0.2
        moved = joints(robot.get_observation())
        assert robot.sim_time_s == pytest.approx(0.3, abs=0.006)
        assert moved[0] > 5
        clock.now_s += 60
        robot.get_observation()
        assert robot.sim_time_s == pytest.approx(0.3 + simulated.LONGEST_LEAP_S, abs=0.011)


def test_units_go_there_and_back():
    angles = np.random.default_rng(0).uniform(*CONTROL_RANGES_RAD.T, (50, 6))
    np.testing.assert_allclose(to_radians(to_units(angles)), angles, atol=1e-12)
    np.testing.assert_allclose(to_units(CONTROL_RANGES_RAD.T)[:, 5], [0.0, 100.0])
    np.testing.assert_allclose(to_units(np.full(6, np.pi / 2))[:5], 90.0)


def test_the_control_ranges_are_the_models(robot):
    np.testing.assert_array_equal(robot._model.actuator_ctrlrange, CONTROL_RANGES_RAD)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"cameras": ["side"]}, "no camera 'side': choose among front, wrist"),
        ({"cameras": ["front", "front"]}, "twice"),
        ({"width": 8}, "width=8: pictures may be 16 to 2048 pixels"),
        ({"height": 5000}, "height=5000"),
    ],
)
def test_wrong_flags_say_what_is_allowed(flags, message):
    with pytest.raises(UsageError, match=message):
        SimSO101Config(**flags)
