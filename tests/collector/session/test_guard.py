"""The guard never lets a robot leap, leave its limits or follow what is stale, and counts what it changed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101.joints import ACTION_KEYS, to_radians
from collector.session.guard import Guard, SafetyFlags

NAMES = ["a.pos", "b.pos"]
FPS = 50
angles = st.floats(-180, 180)
poses = st.fixed_dictionaries(dict.fromkeys(NAMES, angles))


def largest_step(commands, start):
    steps = [abs(b[n] - a[n]) for a, b in zip([start, *commands], commands) for n in NAMES]
    return max(steps)


@given(poses, st.lists(poses, min_size=1, max_size=40))
def test_an_eased_robot_never_leaps_and_arrives(start, asked):
    guard = Guard(SafetyFlags(align_speed=60), NAMES, FPS)
    guard.ease()
    step = 60 / FPS
    before, asked_before = start, asked[0]
    for goal in [*asked, *[asked[-1]] * math.ceil(360 / step)]:
        easing = not guard.aligned
        command = guard.command(goal, start)
        for name in NAMES:
            own = abs(goal[name] - asked_before[name])  # the pilot's own motion
            assert not easing or abs(command[name] - before[name]) <= step + own + 1e-9
            assert not easing or abs(goal[name] - command[name]) <= abs(goal[name] - before[name]) + 1e-9
        assert easing or command == goal
        before, asked_before = command, goal
    assert guard.aligned
    assert before == asked[-1]
    assert guard.changed.keys() <= {"eased"}


@given(st.floats(-90, 90), st.floats(1, 2000))
def test_an_eased_robot_catches_up_with_a_hand_that_keeps_moving(start, speed):
    guard = Guard(SafetyFlags(align_speed=60), ["a.pos"], FPS)
    guard.ease()
    measured = {"a.pos": start}
    for tick in range(math.ceil(400 / (60 / FPS))):
        guard.command({"a.pos": 90 * math.sin(speed / 90 * tick / FPS)}, measured)
    assert guard.aligned


@given(poses, poses, poses, poses)
def test_another_pilot_goes_on_from_what_was_sent_however_far_off_it_stands(start, sent, measured, asked):
    guard = Guard(SafetyFlags(align_speed=60), NAMES, FPS)
    guard.command(sent, start)
    guard.ease(from_command=True)
    command = guard.command(asked, measured)
    assert largest_step([command], sent) <= 60 / FPS + 1e-9


@given(poses, st.lists(poses, min_size=1, max_size=30), st.floats(0.1, 20), st.floats(1, 500))
def test_no_step_is_larger_than_allowed(start, asked, step, speed):
    guard = Guard(SafetyFlags(max_step=step, max_speed=speed), NAMES, FPS)
    commands = [guard.command(goal, start) for goal in asked]
    assert largest_step(commands, start) <= min(step, speed / FPS) + 1e-9


@given(st.lists(poses, min_size=1, max_size=30))
def test_joints_stay_within_their_limits_and_changes_are_counted(asked):
    guard = Guard(SafetyFlags(limits={"a": [-10, 20]}), NAMES, FPS)
    commands = [guard.command(goal, asked[0]) for goal in asked]
    assert all(-10 <= command["a.pos"] <= 20 for command in commands)
    assert all(command["b.pos"] == goal["b.pos"] for command, goal in zip(commands, asked))
    assert guard.changed["limits"] == sum(not -10 <= goal["a.pos"] <= 20 for goal in asked)
    guard.begin()
    assert not guard.changed


def test_stale_input_and_a_clutch_hold_the_robot_and_then_it_comes_back_slowly():
    here, there = dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 50.0)
    guard = Guard(SafetyFlags(stale_s=0.2, align_speed=60), NAMES, FPS)
    assert guard.command(here, here) == here
    assert guard.command(there, here, input_age_s=0.3) == here
    guard.clutched = True
    assert guard.command(there, here) == here
    guard.clutched = False
    assert guard.command(there, here) == dict.fromkeys(NAMES, 60 / FPS)
    assert guard.changed == {"stale": 1, "clutch": 1, "eased": 1}


def test_without_limits_nothing_is_changed():
    guard = Guard(SafetyFlags(), NAMES, FPS)
    wild = {"a.pos": 170.0, "b.pos": -170.0}
    assert guard.command(wild, dict.fromkeys(NAMES, 0.0)) == wild
    assert not guard.changed


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(DeviceError, match=r"'b\.pos'"):
        Guard(SafetyFlags(), NAMES, FPS).command({"a.pos": 0.0, "b.pos": value}, {})


def test_the_grip_stays_in_its_box_and_may_come_back_into_it():
    from collector.robots.sim_so101.reach import Reach

    reach = Reach()

    def height_m(command):
        return reach.grip(to_radians(np.array([command[key] for key in ACTION_KEYS])))[0][2]

    home = dict(zip(ACTION_KEYS, (0.0, -43.0, 31.0, 83.0, 0.0, 40.0)))
    floor_m = height_m(home) - 0.02
    guard = Guard(SafetyFlags(workspace_m=[-1, -1, floor_m, 1, 1, 1]), list(ACTION_KEYS), FPS)
    lowest = height_m(home)
    for tick in range(60):
        command = guard.command(home | {"shoulder_lift.pos": -43.0 + tick}, home)
        lowest = min(lowest, height_m(command))
    assert guard.changed["workspace"] > 20
    assert lowest >= floor_m
    assert guard.command(home, home) == home


@pytest.mark.parametrize(
    "flags, said",
    [
        ({"limits": {"c": [0, 1]}}, "'c', which this robot has not: it has a, b"),
        ({"limits": {"a": [1, 0]}}, r"needs \[low, high\]"),
        ({"rest": {"gripper": 0}}, "gripper"),
        ({"max_speed": 0}, "max_speed=0: must be above 0"),
        ({"align_speed": -1}, "align_speed"),
        ({"workspace_m": [0, 0, 0, 1, 1]}, "low corner first"),
        ({"workspace_m": [0, 0, 0, 1, 1, 1]}, "SO-100 or SO-101"),
        ({"on_fault": "drop"}, "robot, hold, release"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, said):
    with pytest.raises(UsageError, match=said):
        Guard(SafetyFlags(**flags), NAMES, FPS)
