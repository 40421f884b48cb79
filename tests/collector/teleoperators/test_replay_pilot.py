"""The pilot that flies a recording again: the same actions in the same scene give the same flight."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lerobot.teleoperators.utils import TeleopEvents, make_teleoperator_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError
from rigs.pusht_human import ABSENT, PUSHT_HUMAN, REASON

from collector.dataset.reader import Dataset
from collector.errors import DataError, DeviceError, MismatchError, UsageError
from collector.robots.scene import RecordedScene, restore
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.teleoperators.protocols import Fitting, Pilot
from collector.teleoperators.replay import Replay, ReplayConfig

FPS = 20
STATE, SCENE = "observation.state", "observation.environment_state"


def record_flags(robot, root, episodes, fps, *more):
    return [
        "record",
        f"--robot.type={robot}",
        "--robot.realtime=false",
        "--robot.cameras=[]",
        "--dataset.repo_id=lab/again",
        "--dataset.no_stamp=true",
        f"--dataset.root={root}",
        f"--dataset.num_episodes={episodes}",
        f"--dataset.fps={fps}",
        "--dataset.push_to_hub=false",
        *more,
    ]


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """Two short flights of the simulated arm, at 20 Hz, from the seeds 7 and 8."""
    import os
    import subprocess
    import sys
    from pathlib import Path

    project = Path(__file__).parents[3]
    root = tmp_path_factory.mktemp("flown") / "set"
    flags = record_flags("sim_so101", root, 2, FPS, "--teleop.type=scripted", "--dataset.episode_time_s=2")
    subprocess.run(
        [sys.executable, str(project / "demodeck.py"), *flags, "--seed=7"],
        env=os.environ | {"PYTHONPATH": str(project), "HF_HOME": str(root.parent)},
        check=True,
        capture_output=True,
        timeout=400,
    )
    return root


@pytest.fixture
def pilot(flown):
    with make_teleoperator_from_config(ReplayConfig(path=str(flown))) as pilot:
        yield pilot


@pytest.fixture
def arm():
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        yield robot


def test_it_is_what_lerobot_and_we_expect(pilot, arm):
    assert type(pilot) is Replay
    assert isinstance(pilot, Pilot)
    assert isinstance(pilot, Fitting)
    assert pilot.config.type == pilot.name == "replay"
    assert list(pilot.action_features) == list(arm.action_features)
    assert pilot.fps == FPS
    with pytest.raises(DeviceAlreadyConnectedError):
        pilot.connect()
    pilot.disconnect()
    for call in (pilot.disconnect, pilot.get_action):
        with pytest.raises(DeviceNotConnectedError):
            call()
    pilot.connect()


def test_it_gives_each_recorded_action_once_and_ends(pilot, flown):
    recorded = Dataset.open(flown).episode(1)["action"]
    pilot.reset(1)
    for row in recorded:
        assert not pilot.get_teleop_events()[TeleopEvents.TERMINATE_EPISODE]
        pilot.observe({})
        assert list(pilot.get_action().values()) == row.tolist()
    assert pilot.get_teleop_events()[TeleopEvents.TERMINATE_EPISODE]
    assert list(pilot.get_action().values()) == recorded[-1].tolist()


def test_the_flights_seed_alone_chooses_the_episode(flown):
    def chosen(**settings):
        pilot = Replay(ReplayConfig(path=str(flown), **settings))
        return [pilot.reset(seed) or pilot.episode for seed in (0, 1, 2, 1, 1)]

    assert chosen() == [0, 1, 0, 1, 1]
    assert chosen(episode=1) == [1] * 5
    assert chosen(episodes=[1, 0, 0]) == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"episode": 2}, "no episode 2 .* 0 to 1"),
        ({"episodes": [0, 5]}, "no episode 5 .* 0 to 1"),
        ({"episode": -1}, "count from 0"),
        ({"episode": 1, "episodes": [0]}, "two ways"),
        ({"path": ""}, "which recording"),
    ],
)
def test_wrong_settings_say_what_is_allowed(flown, settings, says):
    with pytest.raises(UsageError, match=says):
        Replay(ReplayConfig(**{"path": str(flown), **settings}))


def test_a_path_that_is_none_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError):
            Replay(ReplayConfig(path=str(path)))


def test_another_rate_is_refused_unless_it_is_wanted(flown):
    pilot = Replay(ReplayConfig(path=str(flown)))
    pilot.set_control_period(1 / FPS)
    with pytest.raises(MismatchError, match=r"flown at 20 Hz, this flight runs at 30 Hz.* 1.5 times as fast"):
        pilot.set_control_period(1 / 30)
    Replay(ReplayConfig(path=str(flown), any_rate=True)).set_control_period(1 / 30)


class OtherRobot:
    name = "other"

    def __init__(self, names):
        self.action_features = dict.fromkeys(names, float)


class OtherSimulation(OtherRobot):
    realtime, sim_time_s, task = False, 0.0, None

    def set_control_period(self, dt_s):
        pass

    def reset(self, seed):
        pass


def test_actions_of_another_robot_are_refused(flown):
    names = [f"m{i}" for i in range(6)]
    strict, ordered = (Replay(ReplayConfig(path=str(flown), by_position=on)) for on in (False, True))
    with pytest.raises(MismatchError, match=r"takes a, b: choose a recording of this robot$"):
        strict.fit_to(OtherSimulation("ab"))
    with pytest.raises(MismatchError, match="by_position"):
        strict.fit_to(OtherSimulation(names))
    # A real arm's joints are never guessed.
    with pytest.raises(MismatchError, match=r"choose a recording of this robot$"):
        ordered.fit_to(OtherRobot(names))
    ordered.fit_to(OtherSimulation(names))
    assert list(ordered.action_features) == names


def test_a_real_arm_must_be_near_the_start(flown, arm):
    pilot = Replay(ReplayConfig(path=str(flown)))
    pilot.fit_to(OtherRobot(list(arm.action_features)))
    pilot.connect()
    first = dict(zip(pilot.names, Dataset.open(flown).episode(0)["action"][0].tolist()))
    far = first | {"elbow_flex.pos": first["elbow_flex.pos"] + 40}
    with pytest.raises(DeviceError, match=r"'elbow_flex.pos' is 40.0 from where episode 0 begins"):
        pilot.observe(far)
    pilot.observe(first)
    pilot.get_action()
    pilot.observe(far)  # once it flies, the arm may lag as it did


def test_a_seed_that_gives_another_scene_is_refused(pilot, arm):
    pilot.fit_to(arm)
    pilot.reset(0)
    scene = pilot.scene()
    assert scene.seed == 7
    restore(arm, scene)
    assert arm.task.environment_state() == pytest.approx(scene.environment_state, abs=1e-6)
    wrong = RecordedScene(scene.source, scene.state, scene.environment_state, seed=8)
    with pytest.raises(DataError, match="does not give the scene of its first frame"):
        restore(arm, wrong)
    arm.reset(3)
    before = arm.task.environment_state()
    restore(arm, RecordedScene("a real arm's flight", scene.state, None, seed=None))
    assert np.array_equal(arm.task.environment_state(), before)


def test_another_robots_seed_means_nothing(pilot):
    pilot.fit_to(OtherSimulation(pilot.names))
    assert pilot.scene().seed is None


def test_the_simulated_arm_flies_again_as_it_flew(demodeck, flown, tmp_path):
    flags = record_flags("sim_so101", tmp_path / "again", 2, FPS)
    code, _, err = demodeck(*flags, "--teleop.type=replay", f"--teleop.path={flown}")
    assert code == 0, err
    before, after = Dataset.open(flown), Dataset.open(tmp_path / "again")
    for episode in (0, 1):
        then, now = before.episode(episode), after.episode(episode)
        for column in ("action", "executed_action", "next.done", "timestamp"):
            assert np.array_equal(then[column], now[column]), column
        # The recorded action is the flown one rounded to 32 bits.
        for column in (STATE, SCENE, "next.reward"):
            assert np.allclose(then[column], now[column], atol=1e-3), column


def test_a_wrong_rate_is_one_line(demodeck, flown, tmp_path):
    flags = record_flags("sim_so101", tmp_path / "again", 1, 30)
    code, _, err = demodeck(*flags, "--teleop.type=replay", f"--teleop.path={flown}")
    assert code == MismatchError.exit_code
    assert "flown at 20 Hz" in err
    assert "Traceback" not in err


@pytest.mark.skipif(ABSENT, reason=REASON)
def test_people_s_flights_of_pusht_fly_again_as_they_flew(demodeck, tmp_path):
    pytest.importorskip("gym_pusht")
    episodes = [6, 8, 3]
    flags = record_flags("sim_pusht", tmp_path / "again", len(episodes), 10)
    code, _, err = demodeck(
        *flags, "--teleop.type=replay", f"--teleop.path={PUSHT_HUMAN}", f"--teleop.episodes={episodes}"
    )
    assert code == 0, err
    people, ours = Dataset.open(PUSHT_HUMAN), Dataset.open(tmp_path / "again")
    for column in ("action", STATE, SCENE):
        assert ours.features[column]["names"] == people.features[column]["names"]
    assert ours.tasks == people.tasks
    for flight, episode in enumerate(episodes):
        then, now = people.episode(episode), ours.episode(flight)
        for column in ("action", "frame_index", "timestamp"):
            assert np.array_equal(then[column], now[column]), column
        for column in (STATE, SCENE):
            assert np.abs(then[column] - now[column]).max() < 0.5, column
        # Their last reward and their last but one `done` are copies of their neighbours.
        assert np.abs(then["next.reward"] - now["next.reward"])[:-1].max() < 1e-3
        assert np.array_equal(then["next.success"][:-1], now["next.success"][:-1])
        assert now["next.done"].tolist() == [False] * (len(now["next.done"]) - 1) + [True]
        assert then["next.done"][-1]


@pytest.mark.skipif(ABSENT, reason=REASON)
def test_eval_measures_people_s_flights_by_their_best_reward(demodeck, tmp_path):
    pytest.importorskip("gym_pusht")
    code, _, err = demodeck(
        "eval",
        "--robot.type=sim_pusht",
        "--teleop.type=replay",
        f"--teleop.path={PUSHT_HUMAN}",
        "--teleop.episodes=[6,8]",
        "--episodes=2",
        "--seed=0",
        "--workers=1",
        f"--output={tmp_path / 'eval.json'}",
    )
    assert code == 0, err
    result = json.loads((tmp_path / "eval.json").read_text())
    assert (result["fps"], [flight["ticks"] for flight in result["flights"]]) == (10, [69, 80])
    best = [flight["max_reward"] for flight in result["flights"]]
    assert result["mean_max_reward"] == pytest.approx(np.mean(best))
    people = Dataset.open(PUSHT_HUMAN)
    for episode, reward in zip((6, 8), best):
        assert reward >= people.episode(episode)["next.reward"].max() - 1e-3
