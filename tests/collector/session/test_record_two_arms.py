"""Two followers flown by two leaders as one robot, each arm on a bus of its own: lerobot's bi_so classes."""

import time
from pathlib import Path

import numpy as np
import pytest
from servo_bus import JOINTS, ServoBus

from collector.dataset.reader import Dataset

SIDES = ("left", "right")


@pytest.fixture
def rig(tmp_path):
    """The buses by part and side, and the flags that name them."""
    buses = {(part, side): ServoBus() for part in ("robot", "teleop") for side in SIDES}
    flags = {
        "robot.type": "bi_so_follower", "teleop.type": "bi_so_leader", "dataset.repo_id": "lab/two",
        "dataset.single_task": "fold", "dataset.push_to_hub": "false", "dataset.root": tmp_path / "set",
        "dataset.fps": 30, "dataset.num_episodes": 2, "dataset.episode_time_s": 1.5, "dataset.reset_time_s": 0,
    }  # fmt: skip
    for (part, side), bus in buses.items():
        flags |= {f"{part}.id": part, f"{part}.calibration_dir": tmp_path / part}
        flags[f"{part}.{side}_arm_config.port"] = bus.path
        bus.write_calibration(tmp_path / part, f"{part}_{side}")  # as lerobot names an arm's file
    yield buses, flags
    for bus in buses.values():
        bus.close()


def command(flags):
    return ["record", *(f"--{name}={value}" for name, value in flags.items())]


def test_each_follower_goes_where_its_own_leader_is_turned(rig, demodeck, tmp_path):
    buses, flags = rig
    buses["teleop", "left"].turn(1, 2300)
    buses["teleop", "right"].turn(1, 1700)
    code, _, err = demodeck(*command(flags))
    assert code == 0, err
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.lengths().tolist() == [45, 45]
    names = dataset.features["action"]["names"]
    assert names == [f"{side}_{joint}.pos" for side in SIDES for joint in JOINTS]
    columns = dataset.columns(["action", "executed_action", "observation.state"])
    left, right = (columns["action"][:, names.index(f"{side}_shoulder_pan.pos")] for side in SIDES)
    assert np.ptp(left) == 0 and np.ptp(right) == 0
    assert left[0] > 10 and right[0] < -10, "each leader flies its own arm"
    np.testing.assert_allclose(columns["executed_action"][45:], columns["action"][45:], atol=0.1)
    np.testing.assert_allclose(columns["observation.state"][50:], columns["action"][50:], atol=0.1)
    assert all(buses["robot", side].goals() >= 90 for side in SIDES)


@pytest.mark.slow
def test_one_arm_is_pulled_and_put_back(rig, start_demodeck, tmp_path):
    buses, flags = rig
    flags |= {"dataset.episode_time_s": 4, "reconnect_time_s": 60}
    arm = buses["robot", "right"]
    arm.after(60, "pull")
    session = start_demodeck(*command(flags))
    deadline = time.monotonic() + 240
    while Path(arm.path).is_symlink():
        assert time.monotonic() < deadline and session.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # it is looked for in vain, and more than once
    arm.plug()
    _, err = session.communicate(timeout=400)
    assert session.returncode == 0, err
    assert "the robot is back" in err
    episodes = Dataset.open(tmp_path / "set").episodes
    assert episodes["interrupted"].to_pylist() == [True, False, False]
