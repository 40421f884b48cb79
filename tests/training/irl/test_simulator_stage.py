"""`demodeck train --irl.type=sfm` and the like: from a dataset to a reward and a policy that flies."""

import json

import numpy as np
import pytest

from collector.dataset.linear_reward import LinearReward
from collector.errors import UsageError
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.robots.sim_so101.task import PickPlaceTask
from training.train_cli import main_train

SHORT = ["--irl.frames=6", "--irl.warmup=6", "--irl.iterations=1", "--irl.copies=1", "--irl.flight_s=0.2"]


@pytest.fixture(scope="module")
def flights(write_dataset, tmp_path_factory):
    """Random motion with the names of sim_so101, as a robot of another name flew it."""
    root = tmp_path_factory.mktemp("arm") / "dataset"
    return write_dataset(root, (5, 6), list(ACTION_KEYS), tuple(PickPlaceTask.environment_state_names))


def train(capsys, flights, output_dir, *flags):
    code = main_train([f"--dataset.root={flights}", f"--output_dir={output_dir}", "--json", *flags])
    assert code == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["sfm", "apprenticeship_sim"])
def test_a_reward_and_a_policy_are_learnt_in_the_simulator(kind, capsys, flights, tmp_path):
    from training.policies.bc import BcPolicy

    flags = ["--irl.robot=sim_so101", "--irl.features=entries", "--irl.clone=false", *SHORT]
    if kind == "apprenticeship_sim":
        flags.append("--irl.inner=successor")
    summary = train(capsys, flights, tmp_path / "run", f"--irl.type={kind}", *flags)
    policy = BcPolicy.from_pretrained(summary["checkpoint"])
    assert policy.config.squash and policy.config.fps == 20
    reward = LinearReward.load(tmp_path / "run" / "reward")
    assert np.linalg.norm(reward.weights) == pytest.approx(1)
    assert reward.learnt["by"] == kind and reward.learnt["frames_flown"] > 0
    assert len(list((tmp_path / "run" / "irl" / "iterates").glob("*.npz"))) == 2


@pytest.mark.parametrize(
    "flags, message",
    [
        ([], "small_arm"),
        (["--irl.robot=sim_pusht", "--irl.features=entries"], "actions"),
        (["--irl.robot=sim_so101", "--irl.frames=0"], "at least 1"),
        (["--irl.robot=sim_so101", "--irl.type=apprenticeship_sim", "--irl.inner=guess"], "search"),
    ],
)
def test_what_cannot_be_flown_is_refused(flags, message, flights, tmp_path):
    kind = [] if any("irl.type" in flag for flag in flags) else ["--irl.type=sfm"]
    with pytest.raises((UsageError, Exception), match=message):
        main_train([f"--dataset.root={flights}", f"--output_dir={tmp_path / 'run'}", *kind, *SHORT, *flags])
