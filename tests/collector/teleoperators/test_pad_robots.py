"""Robots of every kind flown by a pad: in a plane, by their own model, one of two arms; and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from collector.errors import DeviceError, MismatchError
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.teleoperators.pad import Pad, PadConfig

FPS = 30


class Plane:
    """What of PushT's robot a pilot looks at."""

    name = "plane"
    action_features = {"target_x": float, "target_y": float}
    observation_features = {"agent_x": float, "agent_y": float}
    measured_by = {"target_x": "agent_x", "target_y": "agent_y"}


def test_two_numbers_are_steered_in_the_plane(pads):
    pad = pads()
    pilot = Pad(PadConfig(plane_speed=300))
    pilot.fit_to(Plane())
    assert pilot.mode == "plane"
    with pilot:
        pilot.set_control_period(0.1)
        pilot.reset(0)
        pilot.observe({"agent_x": 100.0, "agent_y": 200.0})
        assert pilot.get_action() == {"target_x": 100, "target_y": 200}
        pad.move(leftx=1)
        action = pilot.get_action()
        assert action == pytest.approx({"target_x": 112, "target_y": 200})
        pad.move(leftx=0, lefty=-1)
        assert pilot.get_action() == pytest.approx({"target_x": 112, "target_y": 188})
        for _ in range(30):  # the edge is the end
            action = pilot.get_action()
        assert action["target_y"] == 0
        pad.move(lefty=0)
        pilot.observe({"agent_x": 100.0, "agent_y": 400.0})  # who does not follow draws the target back
        assert pilot.get_action()["target_y"] == pytest.approx(30)  # at its speed
        for _ in range(10):
            action = pilot.get_action()
        assert action["target_y"] == pytest.approx(400 - 256)


class Other:
    """An arm that is no SO-101."""

    name = "other"
    action_features = {"base.pos": float, "tip.pos": float, "gripper.pos": float}
    observation_features = action_features


def test_a_robot_that_the_mode_does_not_fit_is_refused(pads, arm):
    pilot = Pad(PadConfig())
    pilot.fit_to(Other())
    assert pilot.mode == "joint"
    assert list(pilot.action_features) == list(Other.action_features)
    for robot, mode, words in (
        (Other(), "ee", "--teleop.mjcf"),
        (Other(), "plane", "two numbers"),
        (Plane(), "ee", "another mode"),
    ):
        with pytest.raises(MismatchError, match=words):
            Pad(PadConfig(mode=mode)).fit_to(robot)
    arm.config.use_degrees = False
    with pytest.raises(MismatchError, match=r"--robot.use_degrees=true"):
        Pad(PadConfig(mode="ee")).fit_to(arm)
    pilot.fit_to(arm)
    assert pilot.mode == "joint"


def test_another_arm_flies_by_its_own_model(pads, tmp_path):
    model = tmp_path / "arm.xml"
    model.write_text(
        '<mujoco><worldbody><body name="one"><joint name="base" axis="0 0 1" range="-90 90"/><geom size=".1"/>'
        '<body name="two" pos=".3 0 0"><joint name="tip" axis="0 0 1" range="-150 150"/><geom size=".1"/>'
        '<body name="hand" pos=".2 0 0"/></body></body></worldbody></mujoco>'
    )
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody>")
    pad = pads()
    pilot = Pad(PadConfig(mjcf=str(model), site="hand"))
    pilot.fit_to(Other())
    assert pilot.mode == "ee"
    with pilot:
        pilot.set_control_period(1 / FPS)
        start = {"base.pos": 20.0, "tip.pos": 60.0, "gripper.pos": 50.0}
        pilot.observe(start)
        assert pilot.get_action() == pytest.approx(start)
        pad.move(leftx=-1)
        for _ in range(15):
            end = pilot.get_action()

    def hand(joints):
        base, both = np.radians(joints["base.pos"]), np.radians(joints["base.pos"] + joints["tip.pos"])
        return 0.3 * np.array([np.cos(base), np.sin(base)]) + 0.2 * np.array([np.cos(both), np.sin(both)])

    assert hand(end) - hand(start) == pytest.approx([0, 0.05], abs=0.003)
    for config, words in (
        ({"mjcf": str(model), "site": "nose"}, "neither a site nor a body 'nose'.*hand"),
        ({"mjcf": str(broken), "site": "hand"}, "broken.xml is no arm that MuJoCo can read"),
        ({"mjcf": __file__, "site": "hand"}, "is no arm that MuJoCo can read: an MJCF ends in .xml"),
    ):
        pilot = Pad(PadConfig(**config))
        pilot.fit_to(Other())
        with pytest.raises((MismatchError, DeviceError), match=words):
            pilot.connect()


def test_a_urdf_flies_too(pads, tmp_path):
    model = tmp_path / "arm.urdf"
    links = "".join(
        f'<link name="{name}"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
        "</inertial></link>"
        for name in ("foot", "one", "hand")
    )
    model.write_text(
        f'<robot name="arm">{links}'
        '<joint name="base" type="revolute"><parent link="foot"/><child link="one"/><axis xyz="0 0 1"/>'
        '<limit lower="-2" upper="2" effort="1" velocity="1"/></joint>'
        '<joint name="tip" type="revolute"><parent link="one"/><child link="hand"/><origin xyz="0.3 0 0"/>'
        '<axis xyz="0 0 1"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint></robot>'
    )
    pad = pads()
    pilot = Pad(PadConfig(mjcf=str(model), site="hand"))
    pilot.fit_to(Other())
    with pilot:
        pilot.set_control_period(1 / FPS)
        pilot.observe({"base.pos": 0.0, "tip.pos": 60.0, "gripper.pos": 50.0})
        pad.move(leftx=-1)
        for _ in range(15):
            end = pilot.get_action()
    assert 0.3 * np.sin(np.radians(end["base.pos"])) == pytest.approx(0.05, abs=0.003)


class TwoArms:
    """What of lerobot's bi_so_follower a pilot looks at."""

    name = "two_arms"
    action_features = {f"{side}_{key}": float for side in ("left", "right") for key in ACTION_KEYS}
    observation_features = action_features


@pytest.mark.parametrize("mode", ["auto", "joint"])
def test_one_of_two_arms_is_steered_and_the_other_held(pads, arm, mode):
    pad = pads()
    pilot = Pad(PadConfig(side="right", mode=mode))
    pilot.fit_to(TwoArms())
    assert pilot.mode == {"auto": "ee"}.get(mode, mode)
    home = arm.get_observation()
    with pilot:
        pilot.set_control_period(1 / FPS)
        pilot.observe({f"{side}_{key}": value for side in ("left", "right") for key, value in home.items()})
        pilot.get_action()
        pad.move(leftx=1, righttrigger=1)
        for _ in range(FPS // 2):
            action = pilot.get_action()
    assert list(action) == list(TwoArms.action_features)
    assert {key: action[f"left_{key}"] for key in ACTION_KEYS} == home
    assert action["right_shoulder_pan.pos"] != home["shoulder_pan.pos"]
    assert action["right_gripper.pos"] == pytest.approx(0)
    with pytest.raises(MismatchError, match="no joint called left_"):
        Pad(PadConfig(side="left")).fit_to(arm)
