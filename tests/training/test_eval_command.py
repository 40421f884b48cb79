"""`demodeck eval`: seeds listed and kept, the same result from any number of processes, faults in one line."""

from __future__ import annotations

import json

import pytest

import demodeck
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.session.fly import fly
from collector.teleoperators.scripted import Scripted, ScriptedConfig

ROBOT = "--robot.type=sim_so101"
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
NAMES = [f"{joint}.pos" for joint in JOINTS]
SCENE = ["cube.x_m", "cube.y_m", "cube.z_m", "cube.sin_4yaw", "cube.cos_4yaw"]
TINY = ["--policy.hidden_dim=16", "--policy.num_inference_steps=2", "--policy.device=cpu"]


@pytest.fixture(scope="module")
def arm_policy(tmp_path_factory, write_dataset):
    """A hardly trained diffusion policy for the simulated arm, from random motion."""
    folder = tmp_path_factory.mktemp("arm")
    root = write_dataset(folder / "data", lengths=(30,), joints=NAMES, scene=SCENE)
    flags = [f"--dataset.root={root}", f"--output_dir={folder / 'run'}", "--steps=3", "--num_threads=1"]
    assert demodeck.main(["train", "--policy.type=action_diffusion", *TINY, *flags]) == 0
    return folder / "run"


def test_the_script_succeeds_and_its_seeds_are_listed(tmp_path, capsys):
    """And a flight depends on its seed alone: not on the process, nor on what that process flew before."""
    output = tmp_path / "results" / "scripted.json"
    flags = ["--teleop.type=scripted", "--episodes=4", "--seed=700", "--workers=2", f"--output={output}"]
    assert demodeck.main(["eval", ROBOT, *flags]) == 0
    said = capsys.readouterr()
    result = json.loads(output.read_text())
    assert result["seeds"] == [700, 701, 702, 703] == [flight["seed"] for flight in result["flights"]]
    assert (result["name"], result["robot"], result["fps"], result["n"]) == ("scripted", "sim_so101", 30, 4)
    assert result["successes"] == sum(flight["success"] for flight in result["flights"]) >= 3
    assert 0 < result["wilson_95"][0] < result["rate"] <= result["wilson_95"][1] <= 1
    assert 1 < result["mean_time_s"] < 12
    assert {flight["reason"] for flight in result["flights"] if flight["success"]} == {"success"}
    assert "of 4 succeeded" in said.out
    assert "4/4 flown" in said.err

    robot, pilot = SimSO101(SimSO101Config(realtime=False, cameras=[])), Scripted(ScriptedConfig())
    robot.connect()
    pilot.connect()
    for flight in reversed(result["flights"]):
        here = fly(robot, pilot, fps=30, seed=flight["seed"], stop_on_success=True)
        assert (here.ticks, here.reward, here.success) == (
            flight["ticks"],
            flight["reward"],
            flight["success"],
        )
    robot.disconnect()


def test_a_policy_flies_at_the_rate_it_was_trained_at(arm_policy, capfd):
    flags = [f"--policy.path={arm_policy}", "--episodes=2", "--time_limit_s=1", "--workers=1", "--json"]
    assert demodeck.main(["eval", ROBOT, *flags, "--name=mine"]) == 0
    result = json.loads(capfd.readouterr().out)  # of all processes: nothing but the result
    assert (result["name"], result["policy"]["type"]) == ("mine", "action_diffusion")
    assert result["fps"] == 20
    assert [(flight["ticks"], flight["reason"]) for flight in result["flights"]] == [(20, "time")] * 2


def test_a_policy_of_another_robot_is_refused_before_it_flies(tmp_path, write_dataset, capsys):
    root = write_dataset(tmp_path / "data", lengths=(9,))
    flags = [f"--dataset.root={root}", f"--output_dir={tmp_path / 'run'}", "--steps=2"]
    assert demodeck.main(["train", "--policy.type=bc", "--policy.hidden_dim=8", *flags]) == 0
    capsys.readouterr()
    assert demodeck.main(["eval", ROBOT, f"--policy.path={tmp_path / 'run'}"]) == 7
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "does not fit the robot 'sim_so101'" in line
    for difference in ("state: the robot lacks a.pos", "environment_state: the robot lacks x, y", "action:"):
        assert difference in line


def test_a_worker_that_fails_is_one_line(arm_policy, tmp_path, capsys):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(arm_policy / "checkpoints" / "last" / "pretrained_model", broken)
    (broken / "model.safetensors").write_bytes(b"\0" * 20)
    assert demodeck.main(["eval", ROBOT, f"--policy.path={broken}", "--episodes=2", "--workers=1"]) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(lines) == 1
    assert "cannot be loaded" in lines[0]


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--teleop.type=hold"], 2, "--robot.type is missing"),
        ([ROBOT], 2, "give --policy.path=PATH"),
        ([ROBOT, "--teleop.type=hold", "--policy.path=x"], 2, "one pilot"),
        ([ROBOT, "--teleop.type=hold", "--episodes=0"], 2, "must be at least 1"),
        ([ROBOT, "--teleop.type=hold", "--seed=-1"], 2, "must be at least 0"),
        ([ROBOT, "--teleop.type=hold", "--fps=0"], 2, "between 1 and 1000"),
        ([ROBOT, "--policy.path=/no/such"], 3, "neither a folder"),
        ([ROBOT, "--policy.path=a/b"], 5, "no folder 'a/b'"),
    ],
)
def test_wrong_flags_cost_one_line(monkeypatch, capsys, flags, code, says):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert demodeck.main(["eval", *flags]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
