"""`demodeck rollout`: a policy flies by lerobot-rollout's flags, and a program takes over late in a flight."""

import json

import numpy as np
import pytest

from collector.dataset.reader import Dataset
from collector.errors import UsageError
from collector.session.rollout import session_flags

SIM = ("--robot.type=sim_so101", "--robot.realtime=false", "--robot.cameras=[]")


@pytest.fixture
def policy(tmp_path):
    """A folder that looks like a policy trained at 20 Hz."""
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"type": "bc", "fps": 20}))
    return str(folder)


def test_a_rollout_is_a_session_that_the_policy_flies(policy):
    given = [
        "--policy.path",
        policy,
        "--policy.device=cpu",
        "--robot.type=so101_follower",
        "--duration=8",
        "--task=pick it",
        "--inference.type=rtc",
        "--inference.delay=3",
    ]
    assert session_flags(given) == (
        [
            "--teleop.type=policy", f"--teleop.path={policy}", "--teleop.device=cpu", "--robot.type=so101_follower",
            "--teleop_time_s=8", "--teleop.task=pick it", "--teleop.inference=rtc",
            "--teleop.inference_delay=3", "--fps=20",
        ],
        False,
    )  # fmt: skip


@pytest.mark.parametrize("strategy", ["--strategy=interactive", "--strategy.type=dagger"])
def test_in_an_interactive_one_the_persons_teleoperator_takes_over(policy, strategy):
    given = [strategy, f"--policy.path={policy}", "--teleop.type=so101_leader", "--teleop.port=/dev/ttyACM1"]
    given += ["--dataset.repo_id=lab/corrections", "--fps=15", "--inference.type=sync", "--task=pick it"]
    flags, records = session_flags(given)
    assert records
    assert sorted(flags) == sorted(
        [
            "--teleop.type=policy", f"--teleop.path={policy}", "--takeover.type=so101_leader",
            "--takeover.port=/dev/ttyACM1", "--dataset.repo_id=lab/corrections", "--dataset.fps=15",
            "--teleop.task=pick it", "--dataset.single_task=pick it",
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "which policy"),
        (["--policy.path={policy}", "--strategy=sometimes"], "choose autonomous or interactive"),
        (["--policy.path={policy}", "--strategy=interactive", "--dataset.repo_id=a/b"], "add --teleop.type"),
        (["--policy.path={policy}", "--strategy=interactive", "--teleop.type=pad"], "add --dataset.repo_id"),
        (["--policy.path={policy}", "--teleop.type=pad"], "--strategy=interactive only"),
        (["--policy.path={policy}", "--strategy.type=sentry"], "--dataset.num_episodes"),
        (["--policy.path={policy}", "--dataset.repo_id=a/b", "--duration=3"], "--dataset.episode_time_s"),
    ],
)
def test_what_makes_no_sense_is_refused(policy, given, says):
    with pytest.raises(UsageError, match=says):
        session_flags([flag.format(policy=policy) for flag in given])


def test_a_program_takes_over_late_in_a_flight_and_saves_it(demodeck, tmp_path):
    root = tmp_path / "set"
    code, _, err = demodeck(
        "record", *SIM, "--teleop.type=hold", "--takeover.type=scripted", "--takeover_after_s=1", "--dataset.fps=20",
        "--dataset.repo_id=lab/saved", f"--dataset.root={root}", "--dataset.num_episodes=2",
        "--dataset.push_to_hub=false", "--stop_on_success=true",
    )  # fmt: skip
    assert code == 0, err
    dataset = Dataset.open(root)
    assert dataset.episodes["success"].to_pylist() == [True, True]
    for episode in range(2):
        overridden = dataset.columns(["intervention"], [episode])["intervention"].reshape(-1).astype(bool)
        assert not overridden[:20].any() and overridden[20:].all() and len(overridden) > 40
        joints = dataset.columns(["action"], [episode])["action"]
        assert np.abs(np.diff(joints, axis=0)[:20]).max() < 15, "who takes over begins where the robot is"


def test_no_arm_is_taken_over_by_nobody(demodeck):
    code, _, err = demodeck(
        "teleop", *SIM, "--teleop.type=hold", "--takeover.type=so101_leader", "--takeover.port=/dev/none",
        "--takeover_after_s=1",
    )  # fmt: skip
    assert (code, "needs a person's hand on it" in err) == (2, True), err


def test_who_shall_take_over_must_be_named(demodeck):
    code, _, err = demodeck("teleop", *SIM, "--teleop.type=hold", "--takeover_after_s=1")
    assert (code, "add --takeover.type" in err) == (2, True), err
