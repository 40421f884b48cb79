"""What goes wrong on the wire of lerobot's own SO-101 arms: the robot is held, the flight kept, flying goes on."""

import contextlib
import json
import re
import threading
import time

import numpy as np
import pytest
from servo_bus import JOINTS, ServoBus

from collector.dataset.reader import Dataset

STEPS_PER_DEG = 4096 / 360
pytestmark = pytest.mark.slow


class Arms:
    """A leader and a follower on their own buses, and a session that flies them."""

    def __init__(self, folder, start):
        self.root, self._start = folder / "set", start
        self.leader, self.follower = ServoBus(), ServoBus()
        self.flags = {"teleop.type": "so101_leader", "robot.type": "so101_follower"}
        for bus, kind, name in ((self.leader, "teleop", "leader"), (self.follower, "robot", "follower")):
            bus.write_calibration(folder / "calibration", name)
            self.flags |= {f"{kind}.port": bus.path, f"{kind}.id": name}
            self.flags[f"{kind}.calibration_dir"] = folder / "calibration"
        self.flags |= {
            "dataset.repo_id": "lab/arm", "dataset.single_task": "wave", "dataset.push_to_hub": "false",
            "dataset.root": self.root, "dataset.fps": 30, "dataset.num_episodes": 1, "dataset.episode_time_s": 4,
            "dataset.reset_time_s": 0, "json": "true",
        }  # fmt: skip
        self._lines: list[str] = []

    def start(self, **flags):
        given = self.flags | {name.replace("__", "."): value for name, value in flags.items()}
        self.process = self._start("record", *(f"--{name}={value}" for name, value in given.items()))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        with contextlib.suppress(ValueError):  # the test ended, and closed it
            for line in self.process.stderr:
                self._lines.append(line)

    @property
    def said(self):
        return "".join(self._lines)

    def await_words(self, words, timeout_s=240):
        deadline = time.monotonic() + timeout_s
        while not re.search(words, self.said):
            assert self.process.poll() is None or re.search(words, self.said), self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def await_flying(self, goals=10):
        before = self.follower.goals()
        deadline = time.monotonic() + 240
        while self.follower.goals() < before + goals:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.01)

    def finish(self):
        """Wait for the end; return the exit code and the summary."""
        code = self.process.wait(timeout=400)
        self._listener.join(240)  # the last words may still be on their way
        out = self.process.stdout.read()
        assert "Traceback" not in self.said
        return code, json.loads(out) if out.strip() else None

    def close(self):
        self.leader.close()
        self.follower.close()


@pytest.fixture
def arms(tmp_path, start_demodeck):
    arms = Arms(tmp_path, start_demodeck)
    yield arms
    arms.close()


def interrupted(root):
    return Dataset.open(root).episodes["interrupted"].to_pylist()


def test_the_follower_never_leaps_to_its_leader(arms):
    arms.follower.speed(2000)
    arms.leader.turn(1, 2900)  # 75 degrees away
    arms.start(dataset__episode_time_s=1)
    code, _ = arms.finish()
    assert code == 0, arms.said
    assert "goes slowly to where the leader stands" in arms.said
    asked = np.array([list(entry.goals.values()) for entry in arms.follower.goal_log()], float)
    first = np.array(list(arms.follower.goal_log()[0].positions.values()), float)
    steps = np.abs(np.diff(np.vstack([first, asked]), axis=0)) / STEPS_PER_DEG
    assert steps.max() <= 60 / 30 + 0.2, "60 degrees a second"
    dataset = Dataset.open(arms.root)
    columns = dataset.columns(["action", "executed_action"])
    np.testing.assert_allclose(columns["executed_action"], columns["action"], atol=0.1)
    assert dataset.episodes["clipped_ticks"].to_pylist() == [0], "it stood there before the flight began"


@pytest.mark.parametrize("which", ["follower", "leader"])
def test_a_cable_pulled_and_put_back_costs_one_flight(arms, which):
    bus = getattr(arms, which)
    bus.after(40, "pull")
    arms.start()
    arms.await_words("is looked for")
    if which == "leader":
        goals = arms.follower.goal_log()
        held = list(goals[-1].goals.values())
        assert np.abs(np.array(held) - list(goals[-1].positions.values())).max() <= 3, (
            "asked to stay where it is"
        )
    bus.plug()
    arms.await_words("is back")
    code, summary = arms.finish()
    assert code == 0, arms.said
    assert interrupted(arms.root) == [True, False], "the first is kept and marked, and does not count"
    assert summary["episodes"] == 2
    assert Dataset.open(arms.root).lengths()[1] == 120


def test_a_cable_that_stays_out_ends_the_session_in_words(arms):
    arms.follower.after(40, "pull")
    arms.start(reconnect_time_s=1)
    code, _ = arms.finish()
    assert code == 4
    assert "robot 'follower" in arms.said
    assert "check its cables" in arms.said
    assert interrupted(arms.root) == [True]


def test_wrong_checksums_cost_no_flight(arms):
    for bus in (arms.follower, arms.leader):
        bus.after(20, "corrupt", 0.02, 0)
    arms.start()
    code, _ = arms.finish()
    assert code == 0, arms.said
    lengths = Dataset.open(arms.root).lengths().tolist()
    assert [n for n, cut in zip(lengths, interrupted(arms.root)) if not cut] == [120]


def test_a_silent_servo_is_waited_for(arms):
    arms.follower.after(40, "silence", [3])
    arms.start()
    arms.await_words("is looked for")
    arms.follower.silence()
    code, _ = arms.finish()
    assert code == 0, arms.said
    assert interrupted(arms.root) == [True, False]


def test_a_hot_motor_halts_the_robot(arms):
    arms.start(dataset__episode_time_s=300)
    arms.await_flying()
    arms.follower.set(2, "Present_Temperature", 66)
    arms.await_words("'shoulder_lift' is at 66 degrees")
    assert "halted" not in arms.said
    arms.follower.set(2, "Present_Temperature", 75)
    code, _ = arms.finish()
    assert code == 4, arms.said
    assert "'shoulder_lift' is at 75 degrees C (limit 70): the robot is halted" in arms.said
    assert interrupted(arms.root) == [True]


@pytest.mark.parametrize(("which", "kind"), [("leader", "teleop"), ("follower", "robot")])
def test_an_arm_without_calibration_says_how_to_calibrate_it(arms, which, kind):
    bus = getattr(arms, which)
    bus.uncalibrate()
    arms.start()
    code, _ = arms.finish()
    assert code == 4
    assert "is not calibrated" in arms.said
    # lerobot registers one class for SO-100 and SO-101, and its config knows but the first name.
    flags = rf"--{kind}\.type=so10\d_{which} --{kind}\.port={re.escape(bus.path)} --{kind}\.id={which}"
    assert re.search(f"lerobot-calibrate {flags}", arms.said), arms.said
    assert not arms.root.exists()


def test_a_missing_servo_is_named(arms):
    arms.follower.remove(4)
    arms.start()
    code, _ = arms.finish()
    assert code == 4
    assert "Missing motor IDs" in arms.said and "4" in arms.said
    assert len([line for line in arms.said.splitlines() if "error" in line]) == 1


def test_the_arm_goes_to_rest_before_it_is_let_go(arms):
    arms.follower.speed(2000)
    rest = "{shoulder_lift: -40, elbow_flex: 30}"
    arms.start(dataset__episode_time_s=1, safety__rest=rest, safety__rest_speed=90)
    code, _ = arms.finish()
    assert code == 0, arms.said
    last = arms.follower.goal_log()[-1].goals
    middle = {joint: last[i + 1] - 2000 for i, joint in enumerate(JOINTS)}  # the range's middle is 2000
    assert abs(middle["shoulder_lift"] / STEPS_PER_DEG + 40) < 1
    assert abs(middle["elbow_flex"] / STEPS_PER_DEG - 30) < 1
