"""The pad flying robots: SDL's own virtual pad in, the simulated arm out."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from lerobot.teleoperators.utils import make_teleoperator_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError

from collector.robots.sim_so101.joints import ACTION_KEYS, to_radians
from collector.teleoperators.motion.fit import SO101_MODEL, SO101_TOOL
from collector.teleoperators.pad import Pad, PadConfig
from collector.teleoperators.protocols import Fitting, Pilot, Steering

FPS = 30


def tool(asked):
    """Return the tool's place [m], (3,), and its axes as columns, (3, 3), by MuJoCo's own kinematics."""
    model = mujoco.MjModel.from_xml_path(str(SO101_MODEL))
    data = mujoco.MjData(model)
    data.qpos[:6] = to_radians(np.array(asked, float))
    mujoco.mj_kinematics(model, data)
    site = data.site(SO101_TOOL)
    return site.xpos.copy(), site.xmat.reshape(3, 3).copy()


def turned_deg(before, after):
    """Return the turn from one orientation to another as axis times angle [degrees], (3,), in the base frame."""
    quaternion, turn = np.zeros(4), np.zeros(3)
    mujoco.mju_mat2Quat(quaternion, (after @ before.T).flatten())
    mujoco.mju_quat2Vel(turn, quaternion, 1.0)
    return np.degrees(turn)


def test_it_is_what_lerobot_and_the_session_expect(pads, arm):
    pads()
    with make_teleoperator_from_config(PadConfig()) as pilot:
        assert type(pilot) is Pad
        assert isinstance(pilot, Pilot) and isinstance(pilot, Steering) and isinstance(pilot, Fitting)
        assert pilot.config.type == pilot.name == "pad"
        assert list(pilot.action_features) == list(arm.action_features)
        assert str(pilot) == "Virtual Pad"
        with pytest.raises(DeviceAlreadyConnectedError):
            pilot.connect()
        pilot.disconnect()
        for call in (pilot.disconnect, pilot.get_action):
            with pytest.raises(DeviceNotConnectedError):
                call()
        assert pilot.session_events() == []
        pilot.cue("saved")
        pilot.connect()


@pytest.mark.parametrize(
    "axes, direction",
    [
        ({"lefty": -1}, (1, 0, 0)),
        ({"leftx": -1}, (0, 1, 0)),
        ({"leftx": 1}, (0, -1, 0)),
        ({"righty": -1}, (0, 0, 1)),
        ({"righty": 1}, (0, 0, -1)),
        ({"lefty": -0.8, "leftx": -0.8}, (0.7071, 0.7071, 0)),
    ],
)
def test_the_sticks_move_the_tool_along_the_base_axes(pads, fly, axes, direction):
    pad = pads()
    pilot, still = fly(0.2)
    assert pilot.mode == "ee"
    assert np.ptp(still, axis=0).max() == 0
    pad.move(**axes)
    _, asked = fly(0.5, pilot)
    (start, axes_before), (end, axes_after) = tool(still[-1]), tool(asked[-1])
    moved = end - start
    assert np.linalg.norm(moved) == pytest.approx(0.25 * 0.4 * 0.5, rel=0.02)  # full speed in the second gear
    assert moved / np.linalg.norm(moved) == pytest.approx(direction, abs=0.03)
    if direction in ((1, 0, 0), (0, 0, -1)):  # higher up, the wrist is at its end stop and the tool leans
        assert np.abs(turned_deg(axes_before, axes_after)).max() < 1
    assert (asked[:, 5] == still[0, 5]).all()


def test_what_is_asked_for_is_where_the_arm_goes(pads, fly, arm):
    pad = pads()
    pilot, _ = fly(0.1)
    pad.move(lefty=-1)
    fly(0.5, pilot)
    pad.move(lefty=0)
    _, asked = fly(0.5, pilot)
    assert list(arm.get_observation().values()) == pytest.approx(asked[-1], abs=2.0)


@pytest.mark.parametrize(
    "controls, axis",
    [("rightx", "tool z"), ("dpdown", "across"), ("dpup", "-across")],
)
def test_the_tool_turns_about_where_it_points_and_across_the_arm(pads, fly, controls, axis):
    pad = pads()
    pilot, still = fly(0.1)
    fly(0.3, pilot)
    if controls == "rightx":
        pad.move(rightx=0.9)
    else:
        pad.press(controls)
    _, asked = fly(0.2, pilot)
    (start, before), (end, after) = tool(still[-1]), tool(asked[-1])
    turn = turned_deg(before, after)
    wanted = {"tool z": before[:, 2], "across": np.array([0, 1, 0]), "-across": np.array([0, -1, 0])}[axis]
    assert np.linalg.norm(turn) > 3
    assert turn / np.linalg.norm(turn) @ wanted > 0.9
    assert end == pytest.approx(start, abs=0.004)


def test_a_held_button_moves_the_tool_along_its_own_axes(pads, fly):
    pad = pads()
    pilot, still = fly(0.1, frame="base")
    pad.move(lefttrigger=1, righty=-1)
    _, asked = fly(0.3, pilot)
    start, before = tool(still[-1])
    moved = tool(asked[-1])[0] - start
    assert moved / np.linalg.norm(moved) @ before[:, 2] > 0.99


def test_no_joint_ever_leaps_wherever_the_sticks_push(pads, fly, arm):
    """Into every end stop, singular pose and edge of reach: the joints keep to their speed and their ranges."""
    pad = pads()
    rng = np.random.default_rng(5)
    pilot, _ = fly(0.1)
    pad.tap("dpright", "dpright")
    everything = []
    for _ in range(12):
        pad.move(**{name: float(rng.choice([-1, 0, 1])) for name in ("leftx", "lefty", "rightx", "righty")})
        everything.append(fly(1.0, pilot)[1])
    asked = np.concatenate(everything)[:, :5]
    assert np.abs(np.diff(asked, axis=0)).max() <= 120 / FPS + 1e-6
    model = mujoco.MjModel.from_xml_path(str(SO101_MODEL))
    ranges = np.degrees(model.jnt_range[:5])
    assert (asked >= ranges[:, 0] - 0.01).all() and (asked <= ranges[:, 1] + 0.01).all()
    assert np.ptp(asked, axis=0).min() > 10  # it did go about


def test_at_the_end_of_its_reach_the_arm_stands_still(pads, fly):
    pad = pads()
    pilot, _ = fly(0.1)
    pad.move(lefty=-1)
    fly(5, pilot)
    _, asked = fly(1, pilot)
    assert np.ptp(asked, axis=0).max() < 0.5
    pad.move(lefty=0.9)
    _, back = fly(0.5, pilot)
    assert tool(back[-1])[0][0] < tool(asked[-1])[0][0] - 0.02


def test_the_gears_scale_the_speed(pads, fly):
    pad = pads()
    pilot, _ = fly(0.1)
    pad.move(leftx=-1)
    lengths = []
    assert pilot.gear == 2
    for buttons in (["dpleft"], ["dpleft"], ["dpright"], ["dpright", "dpright"]):
        for button in buttons:
            pad.tap(button)
        before = fly(1 / FPS, pilot)[1][-1]
        after = fly(6 / FPS, pilot)[1][-1]
        lengths.append(np.linalg.norm(tool(after)[0] - tool(before)[0]))
    assert pilot.gear == 3
    full = 0.25 * 6 / FPS
    assert lengths == pytest.approx([0.15 * full, 0.15 * full, 0.4 * full, full], rel=0.05)


def test_the_gripper_follows_the_trigger_once_it_was_touched_and_at_its_speed(pads, fly):
    pad = pads()
    pilot, still = fly(0.2)
    assert (still[:, 5] == still[0, 5]).all()  # half open, though the trigger says open
    pad.move(righttrigger=0.75)
    _, asked = fly(0.5, pilot)
    assert asked[-1, 5] == pytest.approx((1 - (0.75 - 0.06) / 0.94) * 100, abs=0.1)
    pad.move(righttrigger=1.0)
    _, asked = fly(0.5, pilot)
    assert asked[-1, 5] == pytest.approx(0, abs=1e-6)
    pad.move(righttrigger=0.0)
    _, asked = fly(0.5, pilot)
    assert asked[-1, 5] == pytest.approx(100)
    assert np.diff(asked[:, 5]).max() == pytest.approx(300 / FPS)
    assert np.ptp(asked[:, :5], axis=0).max() == 0


def edited(tmp_path, *edits):
    from collector.teleoperators.pad.mapping import DEFAULT

    text = DEFAULT.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_a_gripper_may_be_driven_by_two_triggers(pads, fly, tmp_path):
    pad = pads()
    mapping = edited(
        tmp_path,
        ('tool = "lefttrigger"', 'tool = ""'),
        ('follow = "righttrigger"\n\n', 'close = "righttrigger"\nopen = "lefttrigger"\n\n'),
    )
    pilot, _ = fly(0.1, mapping=mapping)
    pad.move(righttrigger=0.53)
    _, closing = fly(0.1, pilot)
    assert np.diff(closing[:, 5]) == pytest.approx(-150 / FPS, rel=0.01)
    pad.move(righttrigger=0, lefttrigger=1)
    _, opening = fly(0.1, pilot)
    assert np.diff(opening[:, 5]) == pytest.approx(300 / FPS)
    pad.move(lefttrigger=0)
    assert np.ptp(fly(0.2, pilot)[1][:, 5]) == 0


def test_a_clutch_lets_nothing_move_unless_it_is_held(pads, fly, tmp_path):
    pad = pads()
    pilot, _ = fly(0.1, mapping=edited(tmp_path, ('clutch = ""', 'clutch = "misc1"')))
    pad.move(lefty=-1)
    _, asked = fly(0.3, pilot)
    assert np.ptp(asked, axis=0).max() == 0
    pad.press("misc1")
    _, asked = fly(0.3, pilot)
    assert np.ptp(asked, axis=0).max() > 1
    pad.release("misc1")
    fly(1 / FPS, pilot)
    assert np.ptp(fly(0.2, pilot)[1], axis=0).max() == 0


def test_joint_mode_drives_one_joint_a_control(pads, fly):
    pad = pads()
    pilot, still = fly(0.1, mode="joint")
    pad.move(leftx=1)
    _, asked = fly(0.5, pilot)
    assert asked[-1] - still[-1] == pytest.approx([90 * 0.4 * 0.5, 0, 0, 0, 0, 0])
    pad.move(leftx=0)
    pad.press("rightshoulder")  # joint6, which this arm has not
    pad.press("dpup")
    _, moved = fly(0.5, pilot)
    assert moved[-1] - asked[-1] == pytest.approx([0, 0, 0, -90 * 0.4 * 0.5, 0, 0])


def test_targets_begin_where_the_arm_is_and_do_not_sag(pads, fly, arm):
    pilot = fly(0.3)[0] if pads() else None
    first = arm.get_observation()
    _, asked = fly(1.0, pilot)
    assert np.ptp(asked, axis=0).max() == 0  # the arm bends, its targets do not follow that
    arm.reset(2)
    pilot.reset(2)
    now = arm.get_observation()
    assert now != first
    _, asked = fly(1 / FPS, pilot)
    assert asked[0] == pytest.approx(list(now.values()))


@pytest.mark.parametrize("pushed_deg, goes_on_from_there", [(3.0, False), (20.0, True)])
def test_after_a_hold_it_goes_on_from_where_the_arm_is(pads, fly, clock, pushed_deg, goes_on_from_there):
    """An arm sags by a few degrees, which is no other place."""
    pads()
    pilot, before = fly(0.2)
    clock.now_s += 5
    now = dict(zip(ACTION_KEYS, before[-1].tolist()))
    now["elbow_flex.pos"] += pushed_deg
    pilot.observe(now)
    expected = now["elbow_flex.pos"] if goes_on_from_there else before[-1, 2]
    assert pilot.get_action()["elbow_flex.pos"] == pytest.approx(expected)


def test_targets_do_not_run_away_from_an_arm_that_is_stuck(pads, fly, arm):
    pad = pads()
    pilot, _ = fly(0.1, mode="joint")
    stuck = arm.get_observation()
    pad.move(leftx=1)
    for _ in range(10 * FPS):
        pilot.observe(stuck)
        action = pilot.get_action()
    assert action["shoulder_pan.pos"] - stuck["shoulder_pan.pos"] == pytest.approx(25, abs=1.5)
