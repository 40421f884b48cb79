"""`demodeck train --irl.type=...` as a user runs it: a reward that lerobot loads, a policy that flies, clear errors."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from point_flights import write

import demodeck
from collector.dataset.linear_reward import LinearReward, frame_table
from collector.dataset.reader import Dataset

TINY = ["--policy.hidden_dim=16", "--policy.horizon=4", "--policy.n_action_steps=2", "--policy.device=cpu"]
TINY += ["--batch_size=16", "--num_threads=1", "--steps=10", "--log_freq=10", "--irl.n_features=40"]
TOLD = ["--dataset.filter=success", "--dataset.coverage_filter=not success"]


def train(root, output_dir, *flags, kind="apprenticeship", told=TOLD):
    kept = [] if "--resume=true" in flags else [f"--irl.type={kind}", *TINY, *told, f"--dataset.root={root}"]
    return demodeck.main(["train", *kept, f"--output_dir={output_dir}", *flags])


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    return write(tmp_path_factory.mktemp("flights") / "learn")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return Dataset.open(write(tmp_path_factory.mktemp("others") / "test", 6, 6, seed=1))


@pytest.fixture(scope="module")
def learnt(flights, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("learnt") / "run"
    assert train(flights, output_dir) == 0
    return output_dir


def worths(reward, dataset):
    return reward.worth(frame_table(dataset, reward.features.columns), dataset.lengths())


def test_the_reward_tells_new_flights_that_arrived_from_others(learnt, others):
    values = worths(LinearReward.load(learnt / "reward"), others)
    assert values[:6].min() > values[6:].max()


def test_the_reward_is_highest_at_the_goal(learnt):
    reward = LinearReward.load(learnt / "reward")
    goal, elsewhere, start = reward({"observation.state": np.array([[1.0, 1], [-0.2, 0.9], [-0.5, -0.8]])})
    assert goal > max(elsewhere, start) + 0.01


def test_the_record_and_the_card_tell_what_was_learnt_of_what(learnt):
    record = json.loads((learnt / "checkpoints/last/pretrained_model/train_config.json").read_text())
    assert record["irl"]["type"] == "apprenticeship"
    assert record["run"]["dataset"]["coverage"] == list(range(8, 16))
    card = (learnt / "reward/README.md").read_text()
    assert "from 8 flights beside 8 others" in card and "![What is rewarded where](reward.png)" in card
    assert (learnt / "reward/reward.png").stat().st_size > 5000
    command = (learnt / "checkpoints/last/pretrained_model/README.md").read_text()
    assert "--irl.type=apprenticeship" in command and "'--dataset.coverage_filter=not success'" in command


def test_the_policy_is_cloned_from_the_good_ways(learnt):
    kept = np.load(learnt / "irl/learnt.npz")["frame_weights"]
    good, bad = kept[: len(kept) // 2], kept[len(kept) // 2 :]
    assert good.mean() > 1.2 * bad.mean()
    from training.policies.bc import BcPolicy

    policy = BcPolicy.from_pretrained(learnt / "checkpoints/last/pretrained_model")
    assert policy.config.type == "bc"


def test_lerobots_factory_loads_it_in_a_process_of_its_own(learnt, others):
    script = """
import json, sys, torch
import training.irl.reward
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards.factory import make_reward_model, make_reward_pre_post_processors
config = RewardModelConfig.from_pretrained(sys.argv[1])
config.pretrained_path = sys.argv[1]
model = make_reward_model(config)
before, _ = make_reward_pre_post_processors(config)
batch = before({"observation.state": torch.tensor(json.loads(sys.argv[2]))})
print("RESULT", json.dumps(model.compute_reward(batch).tolist()))
model.save_pretrained(sys.argv[3])
"""
    states = others.columns(["observation.state"])["observation.state"][:5]
    again = learnt.parent / "again"
    arguments = [str(learnt / "reward"), json.dumps(states.tolist()), str(again)]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("RESULT")[2])
    ours = LinearReward.load(learnt / "reward")({"observation.state": states})
    assert found == pytest.approx(ours.tolist(), abs=1e-5)
    assert LinearReward.load(again)({"observation.state": states}) == pytest.approx(ours, abs=1e-6)


def test_a_killed_run_goes_on_to_the_same_reward(learnt, flights, tmp_path, capsys):
    broken = tmp_path / "run"
    shutil.copytree(learnt, broken, symlinks=True)
    shutil.rmtree(broken / "checkpoints")  # as if it was killed while it learnt the reward
    shutil.rmtree(broken / "reward")
    (broken / "irl/learnt.npz").unlink()
    last = max((broken / "irl/iterates").iterdir())
    last.write_bytes(last.read_bytes())
    assert train(flights, broken, "--resume=true") == 0
    for name in ("config.json", "model.safetensors"):
        before, after = ((run / "reward" / name).read_bytes() for run in (learnt, broken))
        if name == "config.json":  # which tells its seconds, too
            before, after = (json.loads(text)["features"] for text in (before, after))
        assert before == after
    assert "step 10/10" in capsys.readouterr().err


def test_ctrl_c_while_a_reward_is_learnt_says_how_to_go_on(flights, tmp_path, capsys):
    import os
    import signal
    import threading

    output_dir = tmp_path / "run"

    def interrupt():
        while not (output_dir / "irl/iterates/0001.npz").exists():
            if done.wait(0.01):
                return
        os.kill(os.getpid(), signal.SIGINT)

    done = threading.Event()
    waiter = threading.Thread(target=interrupt)
    waiter.start()
    code = train(flights, output_dir, "--irl.update=literal", "--irl.iterations=3000", "--irl.epsilon=0")
    done.set()
    waiter.join()
    assert code == 130
    assert f"go on with: demodeck train --resume=true --output_dir={output_dir}" in capsys.readouterr().err
    assert not (output_dir / "reward").exists()


def test_iq_learn_leaves_a_reward_a_network_and_a_policy_of_its_own_actions(flights, others, tmp_path):
    output_dir = tmp_path / "run"
    flags = ["--irl.steps=120", "--irl.hidden_dim=32", "--irl.batch_size=64"]
    assert train(flights, output_dir, *flags, kind="iqlearn") == 0
    assert (output_dir / "irl/soft_q.safetensors").is_file()
    kept = np.load(output_dir / "irl/learnt.npz")
    assert kept["actions"].shape == (len(kept["frame_weights"]), 2)
    assert LinearReward.load(output_dir / "reward").learnt["r2"] > 0
    assert (output_dir / "checkpoints/last/pretrained_model/model.safetensors").is_file()


def test_features_may_be_learnt_too(flights, others, tmp_path, capsys):
    from training.irl.reward import load_reward

    output_dir = tmp_path / "run"
    assert train(flights, output_dir, "--irl.features=dynamics", "--irl.policy=false") == 0
    assert "features learnt from the dynamics explain 9" in capsys.readouterr().err  # of 100 %
    reward = LinearReward.load(output_dir / "reward")
    values = worths(reward, others)
    assert values[:6].min() > values[6:].max()
    assert load_reward(output_dir / "reward").linear().features.names == reward.features.names
    assert "40 learnt features" in (output_dir / "reward/README.md").read_text()


def test_named_features_have_weights_that_can_be_read(flights, others, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[arrived]\nvalue = "norm(x - 1, y - 1)"\nrange = [2, 0]\n[left]\nvalue = "-x"\n')
    output_dir = tmp_path / "run"
    inputs = "--policy.inputs=[observation.state]"
    assert train(flights, output_dir, f"--irl.features={file}", inputs) == 0
    reward = LinearReward.load(output_dir / "reward")
    assert dict(reward.by_weight())["arrived"] > 0.3
    assert "| `arrived` |" in (output_dir / "reward/README.md").read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--irl.features=nowhere.toml"],
            "there is no such file; give one, or fourier, entries, dynamics, pusht, sim_so101",
        ),
        (["--irl.features=sim_so101"], "there is no entry 'cube.x_m'; there are x, y"),
        (["--irl.n_features=7"], "it must be an even number"),
        (["--irl.discount=1"], "at least 0 and below 1"),
        (["--irl.update=quickest"], "it must be one of max_margin, projection, literal"),
        (["--irl.inner=tabular"], "--irl.inner=tabular: choose one of neighbours, lspi"),
        (["--irl.reach=0"], "--irl.reach=0.0: it must be above 0"),
        (["--irl.inputs=[speed]"], "no column 'speed' of numbers, but observation.state, action"),
        (["--irl.type=gaill"], "gaill"),
        (["--dataset.filter=length > 1000"], "matches none of 16 episodes"),
        (["--dataset.symmetry=pusht"], "--dataset.symmetry does not go with --irl.type"),
    ],
)
def test_wrong_flags_cost_one_line(flights, tmp_path, capsys, flags, words):
    assert train(flights, tmp_path / "run", *flags) != 0
    lines = capsys.readouterr().err.strip().splitlines()
    assert words in lines[-1] and "error:" in lines[-1], lines
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("value = 3", r"[value]: it needs value = \"EXPRESSION\""),
        ("[a]\nvalue = 'x'\nrange = [1, 1]", "range must be two different numbers"),
        ("[a]\nvalue = 'x'\nweight = 1", "unknown key 'weight'"),
        ("[a]\nvalue = 'x.__class__'", "there is no entry 'x.__class__'"),
        ("[a]\nvalue = 'log(x - x)'", "is not bounded: give it a range"),
        ("[a", "is no TOML"),
        ("", "holds no feature"),
    ],
)
def test_wrong_files_of_features_cost_one_line(flights, tmp_path, capsys, text, words):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert train(flights, tmp_path / "run", f"--irl.features={file}") != 0
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert words.replace("\\", "") in line and "error:" in line


def test_flights_that_nothing_tells_apart_are_said(tmp_path, capsys):
    alike = write(tmp_path / "alike", n_good=12, n_bad=0)
    told = ["--dataset.filter=episode_index % 2 = 0", "--dataset.coverage_filter=episode_index % 2 = 1"]
    train(alike, tmp_path / "run", told=told)
    assert "warning: the others are" in capsys.readouterr().err


def test_discrete_actions_give_a_reward_and_no_policy(tmp_path, capsys):
    """By LSTD-mu and LSPI, through the command."""
    root = write(tmp_path / "discrete", discrete=True)
    output_dir = tmp_path / "run"
    flags = ["--irl.inner=lspi", "--irl.features=entries", "--irl.ridge=0.1", "--irl.discount=0.9"]
    assert train(root, output_dir, *flags) == 0
    out, err = capsys.readouterr()
    assert "actions are discrete" in err and out.strip() == str(output_dir / "reward")
    assert LinearReward.load(output_dir / "reward").learnt["inner"] == "lspi"
    assert not (output_dir / "checkpoints").exists()


def test_lspi_is_for_discrete_actions(flights, tmp_path, capsys):
    assert train(flights, tmp_path / "run", "--irl.inner=lspi") == 2
    assert "--irl.inner=lspi is for discrete actions" in capsys.readouterr().err


def test_coverage_without_a_learner_is_refused(flights, tmp_path, capsys):
    flags = ["train", "--policy.type=bc", f"--dataset.root={flights}", "--dataset.coverage_filter=true"]
    assert demodeck.main([*flags, f"--output_dir={tmp_path / 'run'}"]) == 2
    assert "--dataset.coverage_filter belongs to --irl.type" in capsys.readouterr().err
