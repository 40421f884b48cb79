"""Whole recordings flown by a virtual pad, which lives in the session's control process and plays a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from collector.teleoperators.pad.cues import HALTED, PAUSED, READY, RECORDING

TESTS = Path(__file__).parents[2]
FLYING, FOUND_AGAIN = {"await_light": RECORDING}, {"await_light": PAUSED}

pytestmark = pytest.mark.slow


@pytest.fixture
def record(demodeck, command_env, tmp_path):
    """Record episodes of the simulated arm by a script; returns the summary, what was said, and the rows."""
    pytest.importorskip("pygame")

    def record(episodes, *script, flags=()):
        file = tmp_path / "script.jsonl"
        file.write_text("\n".join(map(json.dumps, script)))
        command_env["VIRTUAL_PAD_SCRIPT"] = str(file)
        command_env["PYTHONPATH"] += os.pathsep + str(TESTS)
        code, out, err = demodeck(
            "record", "--robot.type=sim_so101", "--robot.realtime=true", "--robot.cameras=[]",
            "--teleop.discover_packages_path=rigs.virtual_pad_plugin", "--teleop.type=pad", "--dataset.fps=30",
            "--dataset.repo_id=lab/pad", f"--dataset.root={tmp_path / 'set'}", f"--dataset.num_episodes={episodes}",
            "--dataset.episode_time_s=30", "--dataset.push_to_hub=false", "--json=true", *flags,
        )  # fmt: skip
        assert code == 0, err
        rows = pyarrow.dataset.dataset(tmp_path / "set" / "data").to_table().to_pydict()
        return json.loads(out), err, rows

    return record


def actions(rows, episode):
    """Return what was asked for in an episode, float32, (n_ticks, 6)."""
    mine = np.array(rows["episode_index"]) == episode
    return np.array(rows["action"], np.float32)[mine]


def test_flights_are_flown_ended_and_judged_by_the_pad_alone(record):
    summary, _, rows = record(
        2,
        FLYING,
        {"wait_s": 0.3, "move": {"lefty": -0.8}},
        {"wait_s": 0.7, "move": {"lefty": 0}},
        {"tap": ["y"]},
        FLYING,
        {"wait_s": 0.2, "press": ["b"]},  # thrown away, and flown again
        {"wait_s": 1.0, "release": ["b"]},
        FLYING,
        {"wait_s": 0.3, "move": {"leftx": 0.8}},
        {"wait_s": 0.7, "move": {"leftx": 0}},
        {"tap": ["x"]},
    )
    assert (summary["episodes"], summary["successful"]) == (2, 1)
    forwards, sideways = actions(rows, 0), actions(rows, 1)
    assert np.ptp(forwards[:, 1]) > 5 > np.ptp(forwards[:, 0])
    assert np.ptp(sideways[:, 0]) > 5
    assert (forwards[:5] == forwards[0]).all()  # nothing moves before the stick does
    assert max(np.abs(np.diff(each[:, :5], axis=0)).max() for each in (forwards, sideways)) <= 120 / 30 + 1e-3


def test_a_pad_is_unplugged_in_flight_and_another_one_plugged_in(record):
    summary, said, rows = record(
        1,  # flight that nothing interrupts
        FLYING,
        {"wait_s": 0.5, "move": {"lefty": -0.5}},
        {"wait_s": 0.5, "unplug": True},
        {"wait_s": 1.5, "plug_in": "Second Pad"},
        FOUND_AGAIN,
        {"tap": ["start"]},
        FLYING,
        {"wait_s": 0.7, "tap": ["y"]},
    )
    assert summary["episodes"] == 2
    assert "pad 'Scripted Pad' is gone: plug it in again, or another one" in said
    assert "did not answer at once" not in said, "it was gone"
    assert "Traceback" not in said and "pygame" not in said
    assert len(actions(rows, 0)) >= 15  # what was flown is kept
    assert np.ptp(actions(rows, 0)[:, 1]) > 2
    assert np.ptp(actions(rows, 1), axis=0).max() == 0


def test_squeezing_both_sticks_halts_and_start_frees(record):
    summary, said, rows = record(
        1,  # flight that nothing interrupts
        FLYING,
        {"wait_s": 0.4, "move": {"lefty": -0.6}},
        {"wait_s": 0.4, "press": ["leftstick", "rightstick"]},
        {"await_light": HALTED, "wait_s": 0.5, "release": ["leftstick", "rightstick"], "move": {"lefty": 0}},
        {"tap": ["start"]},
        {"await_light": READY, "wait_s": 0.3, "tap": ["start"]},
        FLYING,
        {"wait_s": 0.5, "tap": ["y"]},
    )
    assert (summary["episodes"], summary["successful"]) == (2, 1)
    assert "HALTED" in said
    assert np.ptp(actions(rows, 1), axis=0).max() == 0


def test_a_person_takes_over_from_a_script_by_the_pads_own_button(record):
    """On `takeover.type=pad`: `record` gives the pad as the teleoperator, which a later flag makes a script."""
    summary, said, rows = record(
        1,
        FLYING,  # an attempt of the simulated arm lasts no more than 12 s
        {"wait_s": 0.5, "tap": ["a"]},
        {"wait_s": 0.2, "move": {"leftx": 0.6}},
        {"wait_s": 0.7, "move": {"leftx": 0}},
        {"wait_s": 0.2, "tap": ["a"]},
        {"wait_s": 0.3, "tap": ["y"]},
        flags=["--teleop.type=scripted", "--takeover.type=pad"],
    )
    assert (summary["episodes"], summary["successful"]) == (1, 1)
    assert "you fly" in said and "the pilot flies again" in said
    person = np.array(rows["intervention"])
    changes = np.flatnonzero(np.diff(person.astype(int)))
    assert len(changes) == 2 and not person[0], "the script, the person, the script"
    assert np.ptp(actions(rows, 0)[person][:, 0]) > 5, "the stick steered"


def test_twenty_flights_of_pusht_are_begun_judged_and_thrown_away_by_the_pad(record, tmp_path):
    pytest.importorskip("gym_pusht")
    flights = (["y"], ["x"], None, ["y"], ["start"])  # None: thrown away
    script = []
    for number, ends in enumerate(flights):
        script += [FLYING, {"wait_s": 0.15, "move": {"leftx": 0.8 if number % 2 else -0.8}}]
        script += [{"wait_s": 0.35, "move": {"leftx": 0}}]
        script += [{"tap": ends}] if ends else [{"press": ["b"]}, {"wait_s": 0.9, "release": ["b"]}]
    summary, said, rows = record(
        20,
        *script,
        {"again": 4},
        flags=["--robot.type=sim_pusht", "--robot.cameras=[image]", "--dataset.fps=20"],
    )
    assert (summary["episodes"], summary["successful"]) == (20, 10)
    assert said.count("thrown away") == 5
    assert all(np.ptp(actions(rows, episode)[:, 0]) > 1 for episode in range(20)), "each was steered"
    opened = LeRobotDataset("lab/pad", root=tmp_path / "set", video_backend="pyav")
    assert (opened.meta.total_episodes, len(opened)) == (20, len(rows["index"]))
    assert opened.meta.episodes["success"] == [True, False, True, False] * 5
    assert opened[len(opened) - 1]["observation.images.image"].shape == (3, 96, 96)


def test_plain_lerobot_flies_by_the_pad_from_the_start_that_it_is_told(command_env, tmp_path):
    pytest.importorskip("pygame")
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"move": {"leftx": 0.5}}))
    env = command_env | {"VIRTUAL_PAD_SCRIPT": str(script), "HF_HUB_OFFLINE": "1"}
    env["PYTHONPATH"] += os.pathsep + str(TESTS)
    start = [0.0, -43.0, 31.0, 83.0, 3.0, 40.0]

    def record(*flags):
        return subprocess.run(
            [
                sys.executable, "-m", "lerobot.scripts.lerobot_record", "--robot.type=sim_so101", "--robot.cameras=[]",
                "--robot.discover_packages_path=collector.robots", "--teleop.type=pad",
                "--teleop.discover_packages_path=collector.teleoperators",
                "--dataset.discover_packages_path=rigs.virtual_pad_plugin", "--dataset.repo_id=lab/theirs",
                f"--dataset.root={tmp_path / 'theirs'}", "--dataset.single_task=wave", "--dataset.fps=10",
                "--dataset.num_episodes=1", "--dataset.episode_time_s=2", "--dataset.reset_time_s=0",
                "--dataset.push_to_hub=false", "--play_sounds=false", *flags,
            ],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        )  # fmt: skip

    result = record(f"--teleop.start={json.dumps(start)}")
    assert result.returncode == 0, result.stderr[-2000:]
    rows = pyarrow.dataset.dataset(tmp_path / "theirs" / "data").to_table().to_pydict()
    asked = np.array(rows["action"])
    assert asked[0] == pytest.approx(start, abs=5)
    assert asked[-1, 0] - asked[0, 0] > 5
    assert np.abs(np.diff(asked, axis=0)).max() <= 120 * 0.1 + 1e-3
