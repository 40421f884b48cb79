"""A pilot's second thoughts and a failing camera, in a terminal, on an arm that lerobot knows nothing about."""

import json

import numpy as np
from rigs.commands import PROJECT
from rigs.terminal import Terminal

from collector.dataset.reader import Dataset
from collector.dataset.rewrite import TAKEN_BACK, TAKEN_BACK_LIST


def test_take_back_and_bring_back_while_a_camera_freezes(command_env, tmp_path):
    env = command_env | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    root = tmp_path / "set"
    flags = {
        "robot.discover_packages_path": "rigs.fault_rig",
        "teleop.discover_packages_path": "rigs.fault_rig",
        "robot.type": "rig_arm",
        "robot.n_cameras": 1,
        "robot.fault": "camera_skips",
        "robot.fault_at": 15,
        "teleop.type": "rig_pilot",
        "dataset.repo_id": "lab/rig",
        "dataset.root": root,
        "dataset.single_task": "wave",
        "dataset.push_to_hub": "false",
        "dataset.num_episodes": 2,
        "dataset.episode_time_s": 4,
        "dataset.reset_time_s": 60,
    }
    terminal = Terminal(["record", *(f"--{name}={value}" for name, value in flags.items())], env)
    try:
        terminal.wait_for(r"video: \S+, .*crf 30")
        said_in_flight = terminal.wait_for(r"(?s)^.*?120 ticks, late by").group()
        assert "s: camera 'front' " in said_in_flight
        terminal.wait_for("put the scene back")
        terminal.type(b"u")
        terminal.wait_for(r"episode 0 taken back .* 0 kept")
        terminal.type(b"7u")
        terminal.wait_for(r"refused: episode 7 cannot be taken back; of this session can be: none")
        terminal.type(b"b")
        terminal.wait_for("episode 0 is kept again; 1 kept")
        terminal.type(b"0u")
        terminal.wait_for("episode 0 taken back")
        flight = json.loads((root / TAKEN_BACK_LIST).read_text())["flight_ids"]
        assert len(flight) == 1
        for kept in range(1, 3):  # one more has to be flown in its place
            terminal.type(b"n")
            terminal.wait_for(f"episode {kept} saved")
        terminal.wait_for(r"1 episodes taken back")
        terminal.wait_for(r"3 flights \(1 taken back\)")
        assert terminal.process.wait(240) == 0
    finally:
        terminal.close()
    dataset = Dataset.open(root)
    assert dataset.lengths().tolist() == [120, 120]
    assert flight[0] not in dataset.episodes["flight_id"].to_pylist()
    away = Dataset.open(root / TAKEN_BACK / "0")
    assert away.episodes["flight_id"].to_pylist() == flight
    faults = json.loads(away.episodes["camera_faults"][0].as_py())
    assert {fault["camera"] for fault in faults} == {"front"}
    clocks = away.episode(0, ["clock.front", "clock.tick"])
    stood_still = (
        np.diff(clocks["clock.tick"], axis=0).max() > 0.3
    )  # and with it the camera: then it is a gap
    assert stood_still or any(fault["kind"] == "slow" for fault in faults)
    clock_s = clocks["clock.front"]
    assert np.diff(clock_s).min() >= 0, "a camera's clock never runs back"
    assert np.diff(clock_s).max() > 0.05, "the gap stays visible"
    assert not (root / TAKEN_BACK_LIST).exists()
