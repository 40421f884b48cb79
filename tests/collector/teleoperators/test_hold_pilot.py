"""The pilot that does nothing."""

from __future__ import annotations

import pytest
from lerobot.teleoperators.utils import make_teleoperator_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.teleoperators.hold import Hold, HoldConfig
from collector.teleoperators.protocols import Fitting, Pilot


@pytest.fixture
def pilot():
    with make_teleoperator_from_config(HoldConfig()) as pilot:
        yield pilot


def test_it_is_what_lerobot_and_we_expect(pilot):
    assert type(pilot) is Hold
    assert isinstance(pilot, Pilot)
    assert pilot.config.type == pilot.name == "hold"
    assert not hasattr(pilot, "get_teleop_events")
    with pytest.raises(DeviceAlreadyConnectedError):
        pilot.connect()
    pilot.disconnect()
    for call in (pilot.disconnect, pilot.get_action):
        with pytest.raises(DeviceNotConnectedError):
            call()
    pilot.connect()


def test_the_arm_stays_where_it_was_first_seen(pilot):
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        assert list(pilot.action_features) == list(robot.action_features)
        for seed in (1, 2):
            robot.reset(seed)
            pilot.reset(seed)
            first = robot.get_observation()
            scene = robot.task.environment_state()
            for _ in range(50):
                pilot.observe(
                    {**robot.get_observation(), "environment_state": robot.task.environment_state()}
                )
                action = pilot.get_action()
                assert action == first
                robot.send_action(action)
            assert robot.get_observation() == pytest.approx(first, abs=0.5)
            assert robot.task.environment_state() == pytest.approx(scene, abs=1e-3)
            assert not robot.task.success()


def test_other_robots_joints_can_be_named():
    with Hold(HoldConfig(joints=["left", "right"])) as pilot:
        pilot.observe({"left.pos": 1, "right.pos": 2.5, "front": None})
        assert pilot.get_action() == {"left.pos": 1.0, "right.pos": 2.5}


def test_it_says_what_it_cannot_see(pilot):
    with pytest.raises(DeviceError, match="was shown nothing"):
        pilot.get_action()
    with pytest.raises(DeviceError, match=r"cannot see 'shoulder_pan\.pos'"):
        pilot.observe({"x": 1.0})
    with pytest.raises(UsageError, match="nothing to hold"):
        HoldConfig(joints=[])


def test_it_holds_what_the_robot_can_be_told_however_that_is_measured(pilot):
    class Cart:
        action_features = {"goal_x": float, "lift.pos": float}
        measured_by = {"goal_x": "x"}

    assert isinstance(pilot, Fitting)
    pilot.fit_to(Cart())
    assert list(pilot.action_features) == ["goal_x", "lift.pos"]
    with pytest.raises(DeviceError, match="cannot see 'x'"):
        pilot.observe({"lift.pos": 1.0})
    pilot.observe({"x": 3.0, "lift.pos": 1.0})
    assert pilot.get_action() == {"goal_x": 3.0, "lift.pos": 1.0}


def test_joints_that_were_named_are_kept(pilot):
    named = Hold(HoldConfig(joints=["left"]))
    named.fit_to(SimSO101(SimSO101Config(cameras=[])))
    assert list(named.action_features) == ["left.pos"]
