"""Real arm classes in the simulator's place: lerobot's SO-101 follower and leader, on simulated servos."""

import os
import pty
import select
import subprocess
import sys
import time

import numpy as np
import pytest
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


def test_keys_of_a_terminal_end_flights_and_the_session(rig, command_env, tmp_path):
    _, _, flags = rig
    flags |= {"dataset.num_episodes": 5, "dataset.episode_time_s": 60, "dataset.reset_time_s": 60}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, os.path.abspath("demodeck.py"), *command(flags)],  # noqa: PTH100
        env=command_env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    screen = ""

    def read_until(words, timeout_s=40):
        nonlocal screen
        deadline = time.monotonic() + timeout_s
        while words not in screen:
            assert time.monotonic() < deadline, screen
            if select.select([master], [], [], 0.1)[0]:
                try:
                    screen += os.read(master, 4096).decode()
                except OSError:
                    break
        assert words in screen, screen
        screen = screen.partition(words)[2]

    try:
        read_until("keys: right")
        time.sleep(0.5)
        os.write(master, b"\x1b[C")
        read_until("put the scene back")
        os.write(master, b"\x1b[D")
        read_until("'discard' refused: no flight is running")
        os.write(master, b"\x1b[C")
        time.sleep(0.5)
        os.write(master, b"\x1b[D")
        read_until("thrown away")
        os.write(master, b"n")
        time.sleep(0.5)
        os.write(master, b"q")
        read_until("2 flights")
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
    assert Dataset.open(tmp_path / "set").num_episodes == 2


def test_an_arm_that_is_not_there_says_so(rig, demodeck, tmp_path):
    _, _, flags = rig
    code, _, err = demodeck(*command(flags | {"teleop.port": "/dev/nothing-here"}))
    assert code == 4
    assert "teleoperator 'leader " in err
    assert "/dev/nothing-here" in err
    assert "demodeck doctor" in err
    assert "Traceback" not in err
    assert not (tmp_path / "set").exists(), "the same command must work once the cable is in"
