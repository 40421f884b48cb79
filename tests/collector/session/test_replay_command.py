"""`demodeck replay` flies a recorded episode again, and `demodeck teleop` flies without a trace."""

import json

import pytest

from collector.dataset.reader import Dataset

SIM = ("--robot.type=sim_so101", "--robot.realtime=false", "--robot.cameras=[]")


@pytest.fixture
def flown(demodeck, tmp_path):
    root = tmp_path / "set"
    code, _, err = demodeck(
        "record", *SIM, "--teleop.type=scripted", "--dataset.repo_id=lab/pick", f"--dataset.root={root}",
        "--dataset.num_episodes=2", "--dataset.fps=20", "--dataset.push_to_hub=false",
    )  # fmt: skip
    assert code == 0, err
    return root


def test_an_episode_is_flown_again(flown, demodeck):
    before = sorted(flown.rglob("*"))
    code, out, err = demodeck("replay", *SIM, f"--dataset.root={flown}", "--dataset.episode=1", "--json=true")
    assert code == 0, err
    assert json.loads(out)["ticks"] == Dataset.open(flown).lengths()[1]
    assert "20 Hz" in err, "the recording's own rate"
    assert sorted(flown.rglob("*")) == before


@pytest.mark.parametrize(
    "flags, exit_code, said",
    [
        ((), 2, "--dataset.repo_id=NAME"),
        (("--dataset.root={root}", "--dataset.episode=7"), 2, "episode"),
        (("--dataset.root={root}", "--dataset.fps=30"), 7, "20"),
    ],
)
def test_what_cannot_be_flown_again_is_refused(flown, demodeck, flags, exit_code, said):
    code, _, err = demodeck("replay", *SIM, *(flag.format(root=flown) for flag in flags))
    assert (code, said in err) == (exit_code, True), err


def test_teleop_leaves_nothing_behind(demodeck, tmp_path):
    code, out, err = demodeck(
        "teleop", *SIM, "--teleop.type=hold", "--fps=50", "--teleop_time_s=0.5", "--json=true"
    )
    assert code == 0, err
    assert json.loads(out) == {"ticks": 25, "lateness_ms": [], "clipped": {}}
    assert not list(tmp_path.glob("*")) or [path.name for path in tmp_path.iterdir()] == ["hf-home"]
