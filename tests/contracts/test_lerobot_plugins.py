"""Our robots and pilots in plain lerobot's commands, by its plugin flags."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
FLAGS = [
    "--robot.discover_packages_path=collector.robots",
    "--teleop.discover_packages_path=collector.teleoperators",
]


def python(code, *args, cwd=PROJECT, env=None):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_the_packages_register_every_device_of_ours():
    result = python(
        "import json, sys\n"
        "from lerobot.configs.parser import load_plugin\n"
        "from lerobot.robots import RobotConfig\n"
        "from lerobot.teleoperators import TeleoperatorConfig\n"
        "load_plugin('collector.robots'), load_plugin('collector.teleoperators')\n"
        "heavy = {'mujoco', 'mink', 'pygame', 'gym_pusht', 'textual'} & set(sys.modules)\n"
        "from collector.session.devices import _OURS\n"
        "known = {'robot': RobotConfig, 'teleop': TeleoperatorConfig}\n"
        "print(json.dumps([sorted(heavy), {k: sorted(set(_OURS[k]) - set(c.get_known_choices()))"
        " for k, c in known.items()}]))"
    )
    assert result.returncode == 0, result.stderr
    heavy, missing = json.loads(result.stdout)
    assert missing == {"robot": [], "teleop": []}
    assert heavy == []


@pytest.mark.slow
def test_lerobot_record_flies_pusht_by_a_replay_of_our_recording(demodeck, command_env, tmp_path):
    pytest.importorskip("gym_pusht")
    root = tmp_path / "flown"
    code, _, err = demodeck(
        "record",
        "--robot.type=sim_pusht",
        "--robot.realtime=false",
        "--robot.cameras=[]",
        "--teleop.type=hold",
        "--dataset.repo_id=lab/flown",
        "--dataset.no_stamp=true",
        f"--dataset.root={root}",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=1",
        "--dataset.fps=10",
        "--dataset.push_to_hub=false",
    )
    assert code == 0, err
    result = lerobot_record(tmp_path, command_env, "replay", f"--teleop.path={root}")
    assert result.returncode == 0, result.stderr[-2000:]
    info = json.loads((tmp_path / "theirs" / "meta" / "info.json").read_text())
    assert (info["total_episodes"], info["robot_type"]) == (1, "sim_pusht")
    assert info["features"]["action"]["names"] == ["target_x", "target_y"]


@pytest.mark.slow
def test_a_pilot_that_must_see_the_robot_says_so_in_lerobot_record(command_env, tmp_path):
    pytest.importorskip("gym_pusht")
    result = lerobot_record(tmp_path, command_env, "hold")
    assert result.returncode != 0
    assert "fly it by 'demodeck record'" in result.stderr


def lerobot_record(folder, env, pilot, *more):
    return python(
        "from lerobot.scripts.lerobot_record import main; main()",
        *FLAGS,
        "--robot.type=sim_pusht",
        "--robot.cameras=[]",
        f"--teleop.type={pilot}",
        *more,
        "--dataset.repo_id=lab/theirs",
        f"--dataset.root={folder / 'theirs'}",
        "--dataset.single_task=push",
        "--dataset.fps=10",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=1",
        "--dataset.reset_time_s=0",
        "--dataset.push_to_hub=false",
        "--play_sounds=false",
        cwd=folder,
        env=env | {"HF_HUB_OFFLINE": "1"},
    )
