"""The task: where the cube begins, what its state says, and what counts as done."""

from __future__ import annotations

import numpy as np
import pytest

from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.robots.sim_so101.task import CUBE_CLEARANCE_M, CUBE_DISTANCE_M, CUBE_HALF_M, TARGET_XY_M


@pytest.fixture(scope="module")
def robot():
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        yield robot


def put(robot, xyz_m, yaw=0.0):
    robot.reset(0)
    address = robot._model.joint("cube").qposadr[0]
    robot._data.qpos[address : address + 7] = [*xyz_m, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]


def settle(robot, ticks=30, **joints):
    for _ in range(ticks):
        robot.send_action({f"{name}.pos": value for name, value in joints.items()})


def test_cubes_begin_within_reach_apart_from_the_disc_and_everywhere(robot):
    states = []
    for seed in range(100):
        robot.reset(seed)
        states.append(robot.task.environment_state())
        assert not robot.task.success()
    states = np.array(states)
    assert states.dtype == np.float32
    assert states.shape == (100, len(robot.task.environment_state_names))
    distance_m = np.hypot(states[:, 0], states[:, 1])
    slack_m = 0.001
    assert (
        CUBE_DISTANCE_M[0] - slack_m
        < distance_m.min()
        < 0.21
        < 0.27
        < distance_m.max()
        < CUBE_DISTANCE_M[1] + slack_m
    )
    assert (np.linalg.norm(states[:, :2] - TARGET_XY_M, axis=1) > CUBE_CLEARANCE_M - slack_m).all()
    np.testing.assert_allclose(states[:, 2], CUBE_HALF_M, atol=0.001)
    np.testing.assert_allclose(np.hypot(states[:, 3], states[:, 4]), 1.0, atol=1e-5)
    quarters = np.histogram(np.arctan2(states[:, 3], states[:, 4]), 4, (-np.pi, np.pi))[0]
    assert quarters.min() > 10


def test_the_cubes_yaw_is_known_modulo_a_quarter_turn(robot):
    seen = []
    for yaw in (0.3, 0.3 + np.pi / 2, 0.3 - np.pi / 2, 0.3 + np.pi):
        put(robot, [0.25, 0.1, CUBE_HALF_M], yaw)
        seen.append(robot.task.environment_state())
    np.testing.assert_allclose(seen, np.tile(seen[0], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(seen[0][3:], [np.sin(1.2), np.cos(1.2)], atol=1e-6)


def test_done_is_on_the_disc_resting_and_released(robot):
    on_disc = [*TARGET_XY_M, CUBE_HALF_M]
    put(robot, on_disc)
    settle(robot, gripper=80)
    assert robot.task.success()
    assert robot.task.reward() == 1.0
    settle(robot, gripper=5)
    assert not robot.task.success(), "the gripper is closed"
    put(robot, [TARGET_XY_M[0] + 0.035, 0.0, CUBE_HALF_M])
    settle(robot, gripper=80)
    assert not robot.task.success(), "beside the disc"
    put(robot, [*TARGET_XY_M, 0.06])
    settle(robot, ticks=1, gripper=80)
    assert not robot.task.success(), "in the air"
    settle(robot, gripper=80)
    assert robot.task.success()


def test_reward_grows_towards_the_disc(robot):
    robot.reset(3)
    start_m = robot.task.environment_state()[:2]
    rewards = []
    for share in (0.0, 0.3, 0.6):
        xy_m = start_m + share * (TARGET_XY_M - start_m)
        address = robot._model.joint("cube").qposadr[0]
        robot._data.qpos[address : address + 2] = xy_m
        rewards.append(robot.task.reward())
    np.testing.assert_allclose(rewards, [0.0, 0.15, 0.3], atol=0.01)


def test_nothing_holds_the_cube_but_friction(robot):
    assert robot._model.neq == 0
    robot.reset(0)
    cube = robot._model.geom("cube")
    assert robot._model.geom("disc").contype == robot._model.geom("disc").conaffinity == 0
    assert cube.contype == cube.conaffinity == 1
    assert set(robot.action_features) == set(ACTION_KEYS)
