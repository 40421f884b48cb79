"""What the simulated cameras show."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from collector.errors import DeviceError
from collector.robots.graphics import choose_backend, open_context
from collector.robots.sim_so101 import SimSO101, SimSO101Config

try:
    choose_backend()
    open_context(16, 16).free()
except DeviceError as error:
    pytest.skip(f"no OpenGL here: {error}", allow_module_level=True)


def red(picture):
    r, g, b = picture.astype(int).transpose(2, 0, 1)
    return int(((r > 100) & (g < 80) & (b < 80)).sum())


def blue(picture):
    r, _, b = picture.astype(int).transpose(2, 0, 1)
    return int(((b > 120) & (r < 80)).sum())


def yellow(picture):
    r, g, b = picture.astype(int).transpose(2, 0, 1)
    return int(((r > 120) & (g > 90) & (b < 80)).sum())


@pytest.fixture
def robot():
    with SimSO101(SimSO101Config(realtime=False, width=96, height=64)) as robot:
        yield robot


def test_pictures_are_as_the_features_say(robot):
    observation = robot.get_observation()
    assert list(observation) == list(robot.observation_features)
    for name in robot.cameras:
        assert observation[name].shape == robot.observation_features[name] == (64, 96, 3)
        assert observation[name].dtype == np.uint8
        assert observation[name].flags.c_contiguous


@pytest.mark.parametrize("seed", range(4))
def test_the_front_camera_sees_cube_disc_and_arm(robot, seed):
    robot.reset(seed)
    front = robot.get_observation()["front"]
    assert red(front) > 5
    assert blue(front) > 20
    assert yellow(front) > 200


def test_the_wrist_camera_sees_what_the_gripper_is_over(robot):
    robot.reset(1)
    wrist = robot.get_observation()["wrist"]
    assert yellow(wrist) > 20
    assert red(wrist) == 0
    address = robot._model.joint("cube").qposadr[0]
    robot._data.qpos[address : address + 2] = 0.27, 0.0
    assert red(robot.get_observation()["wrist"]) > 20


def test_a_picture_is_not_overwritten_by_the_next_one(robot):
    first = robot.get_observation()["front"]
    kept = first.copy()
    for _ in range(10):
        robot.send_action({"shoulder_pan.pos": 60.0})
    later = robot.get_observation()["front"]
    np.testing.assert_array_equal(first, kept)
    assert np.mean(later != first) > 0.01


def test_looking_changes_nothing():
    def fly(cameras):
        with SimSO101(SimSO101Config(realtime=False, cameras=cameras, width=32, height=32)) as robot:
            robot.reset(5)
            for k in range(40):
                robot.send_action({"shoulder_pan.pos": 2.0 * k, "shoulder_lift.pos": 1.0 * k})
                observation = robot.get_observation()
            return [value for value in observation.values() if isinstance(value, float)]

    assert fly([]) == fly(["front", "wrist"])


def test_no_cameras_means_no_graphics():
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        assert robot.cameras == {}
        assert robot._renderer is None


def _look(seed):
    with SimSO101(SimSO101Config(realtime=False, width=32, height=32)) as robot:
        robot.reset(seed)
        return robot.get_observation()["front"]


def test_several_processes_draw_at_once():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pictures = pool.map(_look, [1, 2], chunksize=1)
    np.testing.assert_array_equal(pictures[0], _look(1))
    assert (pictures[0] != pictures[1]).any()


def test_several_robots_in_one_process():
    first = SimSO101(SimSO101Config(realtime=False, width=32, height=32))
    second = SimSO101(SimSO101Config(realtime=False, width=64, height=48, cameras=["wrist"]))
    with first, second:
        before = first.get_observation()["front"]
        assert second.get_observation()["wrist"].shape == (48, 64, 3)
        np.testing.assert_array_equal(first.get_observation()["front"], before)


def run(code, **environment):
    clean = {key: value for key, value in os.environ.items() if key not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        timeout=400,
    )


def test_mujoco_may_be_imported_before_the_choice():
    done = run(
        "import mujoco\n"
        "from collector.robots.sim_so101 import SimSO101, SimSO101Config\n"
        "robot = SimSO101(SimSO101Config(realtime=False, width=32, height=32)); robot.connect()\n"
        "print(robot.get_observation()['front'].std() > 5)\n"
    )
    # The robot is left connected: the interpreter's exit must not stumble over the open context.
    assert done.stdout.strip() == "True", done.stderr
    assert done.stderr.strip() == ""
