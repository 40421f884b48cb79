"""Real arm classes in the simulator's place: lerobot's SO-101 follower and leader, on simulated servos."""

import time

import numpy as np
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from rigs.terminal import Terminal
from servo_bus import JOINTS, ServoBus

from collector.dataset.reader import Dataset


@pytest.fixture
def rig(tmp_path):
    """Flags of a leader and a follower on their own buses; the leader's joints can be turned by hand."""
    leader, follower = ServoBus(), ServoBus()
    for bus, name in ((leader, "leader"), (follower, "follower")):
        bus.write_calibration(tmp_path / "calibration", name)
    flags = {
        "robot.type": "so101_follower",
        "robot.port": follower.path,
        "robot.id": "follower",
        "robot.calibration_dir": tmp_path / "calibration",
        "teleop.type": "so101_leader",
        "teleop.port": leader.path,
        "teleop.id": "leader",
        "teleop.calibration_dir": tmp_path / "calibration",
        "dataset.repo_id": "lab/arm",
        "dataset.single_task": "wave",
        "dataset.push_to_hub": "false",
        "dataset.root": tmp_path / "set",
        "dataset.fps": 30,
    }
    yield leader, follower, flags
    leader.close()
    follower.close()


def command(flags):
    return ["record", *(f"--{name}={value}" for name, value in flags.items())]


def test_a_lerobot_record_command_line_flies_the_follower_by_the_leader(rig, demodeck, tmp_path):
    leader, follower, flags = rig
    leader.turn(1, 2300)
    flags |= {"dataset.num_episodes": 2, "dataset.episode_time_s": 1, "dataset.reset_time_s": 0.3}
    code, _, err = demodeck(*command(flags))
    assert code == 0, err
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.lengths().tolist() == [30, 30], "1 s at 30 Hz is 30 ticks, whatever the clock did"
    assert dataset.info["robot_type"] == "so_follower"  # lerobot's own name for both SO arms
    assert dataset.features["action"]["names"] == [f"{joint}.pos" for joint in JOINTS]
    assert "next.success" not in dataset.features
    columns = dataset.columns(["action", "executed_action", "observation.state", "clock.tick"])
    pan_deg = columns["action"][:, 0]
    assert np.ptp(pan_deg) == 0
    assert abs(pan_deg[0]) > 10
    np.testing.assert_allclose(columns["executed_action"], columns["action"])
    np.testing.assert_allclose(columns["observation.state"][5:30, 0], pan_deg[5:30], atol=0.1)
    assert follower.goals() >= 60
    clock_s = dataset.episode(0, ["clock.tick"])["clock.tick"]
    assert (np.diff(clock_s) > 0).all()


@pytest.mark.slow
def test_twenty_flights_are_what_the_leader_was_turned_to(rig, demodeck, tmp_path):
    leader, _, flags = rig
    flags |= {"dataset.num_episodes": 20, "dataset.episode_time_s": 1.5, "dataset.reset_time_s": 0}
    leader.turn(1, 850)
    leader.drift(1, 2)
    code, _, err = demodeck(*command(flags))
    assert code == 0, err
    turned = range(850, leader.position(1) + 1, 2)
    assert turned[-1] < 3200, "the end of the joint's range"
    opened = LeRobotDataset("lab/arm", root=tmp_path / "set", video_backend="pyav")
    assert opened.meta.total_episodes == 20
    assert opened.meta.episodes["length"] == [45] * 20
    columns = Dataset.open(tmp_path / "set").columns(["action", "executed_action", "episode_index"])
    steps = columns["action"][:, 0] * 4095 / 360 + 2000  # the range's middle is 2000
    np.testing.assert_allclose(steps, np.round(steps), atol=0.01)
    assert set(np.round(steps).astype(int)) <= set(turned), "nothing between is made up"
    assert (np.diff(steps) > -0.01).all(), "in the order in which it was turned"
    moved = [np.ptp(steps[columns["episode_index"] == episode]) for episode in range(20)]
    assert min(moved) >= 2 * 44, "a turn a tick"
    np.testing.assert_allclose(columns["executed_action"], columns["action"], atol=0.1)


@pytest.fixture
def terminal(command_env):
    """Run `demodeck ...` in a terminal."""
    opened = []

    def run(*args):
        opened.append(Terminal(args, command_env))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def flights(folder):
    """Return the names of the flights that are recorded, or wait to be saved."""
    return {path.name for path in (folder / "set" / ".journal").glob("*")}


def fly(follower, ticks=20, more_than=None):
    """Wait until the follower was sent so many more goals, after another flight than those in a folder has begun."""
    deadline = time.monotonic() + 240
    while more_than is not None and not flights(more_than[0]) - more_than[1]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = follower.goals()
    while follower.goals() < before + ticks:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_keys_of_a_terminal_end_flights_and_the_session(rig, terminal, tmp_path):
    _, follower, flags = rig
    flags |= {"dataset.num_episodes": 5, "dataset.episode_time_s": 60, "dataset.reset_time_s": 60}
    session = terminal(*command(flags))
    session.wait_for("keys: right")
    fly(follower)
    session.type(b"\x1b[C")
    session.wait_for("put the scene back")
    session.type(b"\x1b[D")
    session.wait_for("'discard' refused: no flight is running")
    before = flights(tmp_path)
    session.type(b"\x1b[C")
    fly(follower, more_than=(tmp_path, before))
    session.type(b"\x1b[D")
    session.wait_for("thrown away")
    session.wait_for("put the scene back")
    fly(follower, 3)
    before = flights(tmp_path)
    session.type(b"\x1b[C")
    fly(follower, more_than=(tmp_path, before))
    session.type(b"-")
    session.wait_for("episode 1 saved.*no success")
    session.type(b"q")
    session.wait_for("2 flights")
    assert session.process.wait(240) == 0
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.episodes["success"].to_pylist() == [None, False]


def test_the_emergency_stop_holds_the_robot_until_it_is_freed(rig, terminal, tmp_path):
    leader, follower, flags = rig
    flags |= {"dataset.num_episodes": 1, "dataset.episode_time_s": 60, "dataset.reset_time_s": 0}
    session = terminal(*command(flags))
    session.wait_for("keys: right")
    fly(follower)
    session.type(b" ")
    session.wait_for("HALTED")  # said when it has been asked to stay where it is
    halted = follower.goals()
    leader.turn(1, 2900)
    session.type(b"+")
    session.wait_for("'succeed' refused: the robot is halted")
    assert follower.goals() == halted, "nothing is asked of it, whatever the leader does"
    session.type(b"\x1b[C")
    session.wait_for("paused")
    session.type(b"\x1b[C")
    session.wait_for("goes slowly to where the leader stands")
    fly(follower, 90)
    session.type(b"+")
    session.wait_for("2 flights")
    assert session.process.wait(240) == 0
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.episodes["interrupted"].to_pylist() == [True, False]
    assert dataset.episodes["success"].to_pylist() == [None, True]


def test_an_arm_that_is_not_there_says_so(rig, demodeck, tmp_path):
    _, _, flags = rig
    code, _, err = demodeck(*command(flags | {"teleop.port": "/dev/nothing-here"}))
    assert code == 4
    assert "teleoperator 'leader " in err
    assert "/dev/nothing-here" in err
    assert "demodeck doctor" in err
    assert "Traceback" not in err
    assert not (tmp_path / "set").exists(), "the same command must work once the cable is in"
