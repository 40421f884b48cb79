"""The simulated PushT as lerobot's `Robot` and as a `Simulated` one, against gym-pusht itself and against people's
recordings."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from lerobot.robots.utils import make_robot_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError
from rigs.pusht_human import ABSENT, PUSHT_HUMAN, REASON

from collector.dataset.reader import Dataset
from collector.errors import DeviceError, MismatchError, UsageError
from collector.robots import simulated
from collector.robots.protocols import Simulated, Task
from collector.robots.sim_pusht import SimPushT, SimPushTConfig
from collector.session.safety import hold

pytest.importorskip("gym_pusht", reason="needs gym-pusht, which install.sh installs")
GOAL = {"target_x": 300.0, "target_y": 180.0}


@pytest.fixture
def robot():
    robot = make_robot_from_config(SimPushTConfig(realtime=False, cameras=[]))
    robot.connect()
    yield robot
    if robot.is_connected:
        robot.disconnect()


def agent(robot):
    return np.array(list(robot.get_observation().values()))


def scene_of(robot):
    return np.concatenate([agent(robot), robot.task.environment_state()])


def circling(tick):
    return {"target_x": 256 + 150 * np.sin(tick / 5), "target_y": 256 + 150 * np.cos(tick / 7)}


def test_it_is_what_lerobot_and_we_expect(robot):
    assert type(robot) is SimPushT
    assert robot.name == robot.robot_type == robot.config.type == "sim_pusht"
    assert isinstance(robot, Simulated)
    assert isinstance(robot.task, Task)
    assert robot.is_calibrated
    robot.calibrate()
    robot.configure()


def test_features_match_what_is_returned(robot):
    observation = robot.get_observation()
    assert list(observation) == list(robot.observation_features) == ["agent_x", "agent_y"]
    sent = robot.send_action(GOAL)
    assert list(sent) == list(robot.action_features) == ["target_x", "target_y"]
    assert all(type(value) is float for value in (*observation.values(), *sent.values()))
    state = robot.task.environment_state()
    assert (state.dtype, state.shape) == (np.float32, (len(robot.task.environment_state_names),))


def test_connecting_and_disconnecting_twice(robot):
    with pytest.raises(DeviceAlreadyConnectedError):
        robot.connect()
    robot.disconnect()
    for call in (
        robot.disconnect,
        robot.get_observation,
        lambda: robot.send_action(GOAL),
        lambda: robot.reset(0),
        lambda: robot.place(np.zeros(2), np.zeros(16)),
    ):
        with pytest.raises(DeviceNotConnectedError):
            call()
    robot.connect()
    robot.get_observation()


def test_the_same_seed_gives_the_same_scene_and_flight(robot):
    def flight(seed):
        robot.reset(seed)
        seen = [scene_of(robot)]
        for tick in range(30):
            robot.send_action(circling(tick))
            seen.append(scene_of(robot))
        return np.array(seen)

    first = flight(3)
    flight(4)
    assert np.array_equal(flight(3), first)
    assert not np.array_equal(flight(4)[0], first[0])


def test_scene_physics_reward_and_success_are_gym_pushts_own(robot):
    from gym_pusht.envs.pusht import PushTEnv

    env = PushTEnv(obs_type="environment_state_agent_pos")
    for seed in (0, 7):
        theirs, _ = env.reset(seed=seed)
        robot.reset(seed)
        for tick in range(60):
            assert agent(robot).tolist() == theirs["agent_pos"].tolist()
            ours = robot.task.environment_state()
            assert np.array_equal(ours, theirs["environment_state"].astype(np.float32))
            theirs, reward, _, _, info = env.step(np.array(list(circling(tick).values())))
            robot.send_action(circling(tick))
            assert robot.task.reward() == pytest.approx(reward, abs=1e-12)
            assert robot.task.success() == info["is_success"]


@pytest.mark.parametrize("fps", [1, 7, 10, 30, 60, 1000])
def test_an_action_takes_one_control_period_at_any_rate(robot, fps):
    robot.set_control_period(1 / fps)
    robot.reset(1)
    for tick in range(1, 4):
        robot.send_action(GOAL)
        robot.get_observation()
        assert robot.sim_time_s == pytest.approx(tick / fps)
    for _ in range(3 * fps):
        robot.send_action(GOAL)
    assert agent(robot) == pytest.approx([300.0, 180.0], abs=0.5)
    robot.reset(1)
    assert robot.sim_time_s == 0


@pytest.mark.parametrize("period_s", [0.0, -0.1, 2.0, float("nan")])
def test_impossible_rates_are_refused(robot, period_s):
    with pytest.raises(DeviceError, match="1 to 1000 Hz"):
        robot.set_control_period(period_s)


def test_targets_are_clipped_to_the_window_and_said_so(robot):
    sent = robot.send_action({"target_x": -50.0, "target_y": 9999})
    assert sent == {"target_x": 0.0, "target_y": 512.0}


def test_a_target_left_out_keeps_its_value(robot):
    robot.send_action(GOAL)
    assert robot.send_action({"target_x": 10.0}) == {"target_x": 10.0, "target_y": 180.0}


def test_wrong_names_and_values_are_refused_and_nothing_moves(robot):
    before = scene_of(robot)
    with pytest.raises(MismatchError, match=r"'shoulder_pan.pos'.*target_x, target_y"):
        robot.send_action({"shoulder_pan.pos": 1.0})
    for value in (float("nan"), float("inf")):
        with pytest.raises(DeviceError, match="'target_y' is not a finite number"):
            robot.send_action({"target_x": 1.0, "target_y": value})
    assert np.array_equal(scene_of(robot), before)
    assert robot.sim_time_s == 0


def test_the_session_can_ask_it_to_hold_still(robot):
    robot.send_action(GOAL)
    assert hold(robot) is None
    for _ in range(20):
        robot.send_action({})
    still = agent(robot)
    robot.send_action({})
    assert agent(robot) == pytest.approx(still, abs=1e-3)


def test_pictures_are_what_was_asked_for():
    with SimPushT(SimPushTConfig(realtime=False, width=64, height=48)) as robot:
        picture = robot.get_observation()["image"]
        assert (picture.dtype, picture.shape) == (np.uint8, robot.observation_features["image"])
        assert picture.shape == (48, 64, 3)
        robot.send_action(GOAL)
        assert not np.array_equal(robot.get_observation()["image"], picture)
        assert robot.cameras["image"].latest_timestamp is None


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"cameras": ["front"]}, "no camera 'front'"),
        ({"cameras": ["image"] * 2}, "twice"),
        ({"width": 4}, "16"),
    ],
)
def test_wrong_flags_say_what_is_allowed(flags, says):
    with pytest.raises(UsageError, match=says):
        SimPushTConfig(**flags)


def test_real_time_follows_the_wall_clock_and_leaps_over_no_pause(monkeypatch):
    clock = types.SimpleNamespace(perf_counter=lambda: clock.now, now=100.0)
    monkeypatch.setattr(simulated, "time", clock)
    with SimPushT(SimPushTConfig(cameras=["image"])) as robot:
        robot.send_action(GOAL)
        assert robot.sim_time_s == 0
        clock.now += 0.25
        robot.get_observation()
        assert robot.sim_time_s == pytest.approx(0.25, abs=0.011)
        assert robot.cameras["image"].latest_timestamp == pytest.approx(clock.now, abs=0.011)
        clock.now += 60
        robot.get_observation()
        assert robot.sim_time_s == pytest.approx(0.25 + simulated.LONGEST_LEAP_S, abs=0.022)


def test_a_scene_seen_is_placed_again(robot):
    robot.reset(5)
    seen = scene_of(robot)
    robot.reset(6)
    robot.place(seen[:2], seen[2:])
    assert scene_of(robot) == pytest.approx(seen, abs=1e-3)
    assert robot.sim_time_s == 0


def test_what_is_no_scene_of_pusht_is_refused(robot):
    state, keypoints = agent(robot), robot.task.environment_state()
    with pytest.raises(MismatchError, match="not 6 and 5"):
        robot.place(np.zeros(6), np.zeros(5))
    with pytest.raises(MismatchError, match="not one of this T"):
        robot.place(state, keypoints * 1.1)
    with pytest.raises(MismatchError, match="not one of this T"):
        robot.place(state * np.nan, keypoints)


def test_without_gym_pusht_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gym_pusht.envs.pusht", None)
    with pytest.raises(DeviceError, match="pip install --no-deps gym-pusht"):
        SimPushT(SimPushTConfig(cameras=[])).connect()


def test_a_pymunk_too_new_for_gym_pusht_is_said_so(monkeypatch):
    monkeypatch.setattr("pymunk.version", "7.1.0")
    with pytest.raises(DeviceError, match=r"pymunk 7.1.0 is too new.*pymunk<7"):
        SimPushT(SimPushTConfig(cameras=[])).connect()


@pytest.mark.skipif(ABSENT, reason=REASON)
def test_pictures_are_those_of_the_people_s_recordings(robot):
    people = Dataset.open(PUSHT_HUMAN)
    first = people.episode(0)
    frames = people.frames(0, "observation.image")
    with SimPushT(SimPushTConfig(realtime=False)) as robot:
        robot.place(first["observation.state"][0], first["observation.environment_state"][0])
        for _, theirs, action in zip(range(20), frames, first["action"]):
            ours = robot.get_observation()["image"]
            # What is left is the video's compression.
            assert np.abs(ours.astype(int) - theirs).mean() < 2
            robot.send_action(dict(zip(robot.action_features, action)))
    frames.close()
