"""A script flies the simulated arm, a leader on a simulated bus mirrors it, and a person takes over and hands back."""

import time

import numpy as np
import pytest
from rigs.terminal import Terminal
from servo_bus import ServoBus

from collector.dataset.reader import Dataset

FPS = 30
STEPS_PER_DEG = 4096 / 360
pytestmark = pytest.mark.slow


@pytest.fixture
def leader(tmp_path):
    bus = ServoBus()
    bus.write_calibration(tmp_path / "calibration", "leader")
    yield bus
    bus.close()


def wait_for(condition):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_person_takes_over_and_hands_back(leader, command_env, tmp_path):
    flags = {
        "robot.type": "sim_so101", "robot.cameras": "[]", "teleop.type": "scripted",
        "takeover.type": "so101_leader", "takeover.port": leader.path, "takeover.id": "leader",
        "takeover.calibration_dir": tmp_path / "calibration", "dataset.repo_id": "lab/over",
        "dataset.root": tmp_path / "set", "dataset.push_to_hub": "false", "dataset.fps": FPS,
        "dataset.num_episodes": 1, "dataset.episode_time_s": 60,
    }  # fmt: skip
    session = Terminal(["record", *(f"--{name}={value}" for name, value in flags.items())], command_env)
    try:
        session.wait_for("keys: right")
        wait_for(lambda: leader.goals() > 20)  # an attempt of the simulated arm lasts no more than 12 s
        assert leader.get(1, "Torque_Enable") == 1
        session.type(b"o")
        session.wait_for("you fly")
        wait_for(lambda: leader.get(1, "Torque_Enable") == 0)
        mirrored = leader.goals()
        leader.turn(1, leader.position(1) + 300)
        time.sleep(0.3)
        assert leader.goals() == mirrored, "a leader in hand is not driven"
        session.type(b"o")
        session.wait_for("the pilot flies again")
        wait_for(lambda: leader.goals() > mirrored + 10)
        session.type(b"+")
        session.wait_for("1 flights")
        assert session.process.wait(240) == 0
    finally:
        session.close()
    assert leader.get(1, "Torque_Enable") == 0, "it is let go in the end"
    columns = Dataset.open(tmp_path / "set").columns(["intervention", "executed_action", "observation.state"])
    person = columns["intervention"]
    changes = np.flatnonzero(np.diff(person.astype(int)))
    assert len(changes) == 2 and not person[0], "the script, the person, the script"
    leaps = np.abs(np.diff(columns["executed_action"], axis=0))[changes]
    assert leaps[:, :5].max() <= 8, "it goes on from where it is"
    goals = np.array([list(entry.goals.values()) for entry in leader.goal_log()[:mirrored]], float)
    assert np.abs(np.diff(goals[:, :5], axis=0)).max() / STEPS_PER_DEG <= 60 * 0.1 + 0.2


def test_who_takes_over_must_fit_the_robot(demodeck, tmp_path):
    code, _, err = demodeck(
        "record", "--robot.type=sim_so101", "--robot.cameras=[]", "--teleop.type=scripted",
        "--takeover.type=hold", "--takeover.joints=[elbow]", "--dataset.repo_id=lab/x",
        f"--dataset.root={tmp_path / 'set'}",
    )  # fmt: skip
    assert code in (2, 7), err
    assert "elbow" in err
