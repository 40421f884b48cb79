"""Sweeps: a run for each combination of the lists, that can be stopped, gone on with, and read as a table."""

from __future__ import annotations

import json
import signal

import pytest
from test_train_command import one_line, same, train, weights

import demodeck
import training.policies.action_diffusion
import training.policies.bc  # noqa: F401  (registered, as the command does)
from training.config import load_record
from training.sweep import points


def names(*args):
    return [point.name for point in points(list(args))]


def test_every_combination_is_a_run_of_its_own():
    runs = points(["--policy.type=bc", "--policy.horizon", "[8, 16]", "--seed=[1,2]", "--steps=5"])
    assert [run.name for run in runs] == [
        "horizon=8,seed=1",
        "horizon=8,seed=2",
        "horizon=16,seed=1",
        "horizon=16,seed=2",
    ]
    assert runs[1].args == ["--policy.type=bc", "--steps=5", "--policy.horizon=8", "--seed=2"]


def test_a_list_by_nature_is_swept_by_a_list_of_lists():
    assert names("--policy.type=bc", "--policy.inputs=[observation.state]") == []
    runs = points(["--policy.type=bc", "--policy.inputs=[[observation.state],[a,b]]"])
    assert [run.args[-1] for run in runs] == [
        '--policy.inputs=["observation.state"]',
        '--policy.inputs=["a", "b"]',
    ]


def test_other_flags_are_left_to_themselves():
    assert names("--policy.type=bc", "--dataset.filter=[1,2]", "--steps=[3,4]") == []
    assert names("--policy.type=[bc,action_diffusion]") == ["type=bc", "type=action_diffusion"]


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--policy.horizon=[8,8]", "a value is there twice"),
        ("--policy.horizon=[]", "give the values to sweep"),
        ("--policy.horizon=[8,none]", "none"),
        ("--policy.horizon=[8,2]", "it must be between 1 and --policy.horizon (2)"),
        ("--policy.horison=[8,16]", "did you mean '--policy.horizon'"),
        ("--policy.type=[bc,nope]", "choose action_diffusion or bc"),
        (f"--seed={[*range(1001)]}", "at most 1000"),
    ],
)
def test_what_cannot_be_swept_is_said_before_anything_begins(small_dataset, tmp_path, capsys, flag, says):
    flags = ["--policy.type=bc", "--policy.device=cpu", f"--dataset.root={small_dataset}", "--steps=5"]
    flags = [f for f in flags if f.partition("=")[0] != flag.partition("=")[0]]
    assert demodeck.main(["train", *flags, flag, f"--output_dir={tmp_path / 'sweep'}"]) == 2
    assert says in one_line(capsys)
    assert not (tmp_path / "sweep").exists()


def test_its_runs_are_those_that_single_commands_train(small_dataset, tmp_path, capsys):
    out = tmp_path / "sweep"
    flags = ["--policy.head=[mse,gmm]", "--seed=[1,2]", "--steps=6"]
    assert train(small_dataset, out, *flags, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(run["name"], run["step"]) for run in told["runs"]] == [
        ("head=mse,seed=1", 6),
        ("head=mse,seed=2", 6),
        ("head=gmm,seed=1", 6),
        ("head=gmm,seed=2", 6),
    ]
    assert train(small_dataset, tmp_path / "single", "--policy.head=gmm", "--seed=2", "--steps=6") == 0
    assert same(weights(tmp_path / "single", 6), weights(out / "head=gmm,seed=2", 6))
    assert not same(weights(out / "head=gmm,seed=1", 6), weights(out / "head=gmm,seed=2", 6))
    capsys.readouterr()
    assert train(small_dataset, out, *flags) == 2
    assert "go on with --resume=true" in one_line(capsys)


def test_a_stopped_sweep_goes_on_where_it_stood(small_dataset, tmp_path, capsys, signalled):
    out = tmp_path / "sweep"
    signalled(out / "seed=2" / "checkpoints" / "000020", signal.SIGINT)
    assert train(small_dataset, out, "--seed=[1,2,3]", "--steps=300", "--save_freq=20") == 130
    told = capsys.readouterr()
    assert f"go on with: demodeck train --resume=true --output_dir={out}\n" in told.err
    assert "not begun" in told.out
    before = (out / "seed=1" / "checkpoints" / "last" / "pretrained_model" / "train_config.json").stat()
    assert train(None, out, "--resume=true", kind=None) == 0
    told = capsys.readouterr()
    assert "run 1 of 3" not in told.err
    assert told.out.count("300 of 300") == 3
    after = (out / "seed=1" / "checkpoints" / "last" / "pretrained_model" / "train_config.json").stat()
    assert before.st_mtime_ns == after.st_mtime_ns
    assert train(small_dataset, tmp_path / "whole", "--seed=2", "--steps=300", "--save_freq=0") == 0
    assert same(weights(out / "seed=2", 300), weights(tmp_path / "whole", 300))


def test_a_run_that_fails_leaves_the_others(small_dataset, tmp_path, capsys):
    out = tmp_path / "sweep"
    code = train(small_dataset, out, "--policy.optimizer_lr=[1e30,1e-3]", "--steps=40", "--log_freq=10")
    told = capsys.readouterr()
    assert code == 3
    assert "| failed |" in told.out
    assert "40 of 40" in told.out
    assert "try a smaller --policy.optimizer_lr" in told.err


def test_a_sweep_publishes_nothing(small_dataset, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "sweep", "--seed=[1,2]", "--policy.repo_id=lab/one") == 2
    assert "publish the one you choose" in one_line(capsys)


def test_the_record_of_a_run_has_its_own_values(small_dataset, tmp_path):
    assert train(small_dataset, tmp_path / "sweep", "--policy.hidden_dim=[8,16]", "--steps=3") == 0
    model = tmp_path / "sweep" / "hidden_dim=8" / "checkpoints" / "last" / "pretrained_model"
    assert load_record(model)["policy"]["hidden_dim"] == 8
