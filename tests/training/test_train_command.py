"""`demodeck train` as a user runs it: checkpoints that resume to the same bits, and faults that cost one line."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import demodeck
from training.config import load_record

TINY = ["--policy.hidden_dim=16", "--policy.horizon=4", "--policy.n_action_steps=2", "--policy.device=cpu"]
TINY += ["--batch_size=8", "--num_threads=1", "--policy.scheduler_warmup_steps=5"]


def train(root, output_dir, *flags, kind="bc"):
    data = [] if root is None else [f"--dataset.root={root}"]
    policy = [] if kind is None else [f"--policy.type={kind}", *TINY]
    return demodeck.main(["train", *policy, *data, f"--output_dir={output_dir}", *flags])


def weights(output_dir, step):
    folder = Path(output_dir) / "checkpoints" / f"{step:06d}"
    return {
        "averaged": load_file(folder / "pretrained_model" / "model.safetensors"),
        "raw": load_file(folder / "training_state" / "raw_weights.safetensors"),
    }


def same(a, b):
    return all(torch.equal(a[kind][name], b[kind][name]) for kind in a for name in a[kind])


def one_line(capsys):
    """What the command said of its error: the last line of stderr, after its progress."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert not any("Traceback" in line for line in lines)
    assert sum("error:" in line for line in lines) == 1
    return lines[-1]


@pytest.mark.parametrize("kind", ["bc", "action_diffusion"])
def test_an_interrupted_run_resumes_to_the_same_bits(small_dataset, tmp_path, capsys, signalled, kind):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(small_dataset, whole, "--steps=200", "--save_freq=0", kind=kind) == 0
    signalled(broken / "checkpoints" / "000040", signal.SIGINT)
    code = train(small_dataset, broken, "--steps=200", "--save_freq=40", "--log_freq=10", kind=kind)
    err = capsys.readouterr().err
    assert code == 130
    assert f"go on with: demodeck train --resume=true --output_dir={broken}" in err
    stopped = int((broken / "checkpoints" / "last").readlink().name)
    assert 40 <= stopped < 200
    assert train(None, broken, "--resume=true", kind=None) == 0
    assert f"going on at step {stopped} of 200" in capsys.readouterr().err
    assert same(weights(whole, 200), weights(broken, 200))
    assert not same(weights(broken, 40), weights(broken, 200))


def test_sigterm_saves_too(small_dataset, tmp_path, capsys, signalled):
    signalled(tmp_path / "run" / "checkpoints" / "000020", signal.SIGTERM)
    assert train(small_dataset, tmp_path / "run", "--steps=100000", "--save_freq=20") == 143
    stopped = (tmp_path / "run" / "checkpoints" / "last").resolve()
    assert (stopped / "training_state" / "optimizer_state.safetensors").is_file()


def test_a_finished_run_has_lerobots_layout_and_says_where_its_data_came_from(
    small_dataset, tmp_path, capsys
):
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=10", "--save_freq=4", "--json", "--seed=3") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["step"], summary["interrupted"]) == (10, "")
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["000004", "000008", "000010", "last"]
    model = Path(summary["checkpoint"])
    assert {p.name for p in model.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "policy_preprocessor.json",
        "policy_postprocessor.json",
        "train_config.json",
        "README.md",
    }
    record = load_record(model)
    assert record["seed"] == 3
    assert record["run"]["dataset"]["episodes"] == [0, 1, 2, 3]
    assert record["run"]["dataset"]["fps"] == 20
    assert record["run"]["loss"] == pytest.approx(summary["loss"])
    config = json.loads((model / "config.json").read_text())
    assert config["action_feature_names"] == ["a.pos", "b.pos", "c.pos"]
    assert config["fps"] == 20
    card = (model / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "small_arm" in card


def test_averaged_weights_fly_and_raw_ones_train_on(small_dataset, tmp_path):
    assert train(small_dataset, tmp_path / "run", "--steps=30") == 0
    both = weights(tmp_path / "run", 30)
    assert not torch.equal(both["averaged"]["net.0.weight"], both["raw"]["net.0.weight"])
    assert train(small_dataset, tmp_path / "plain", "--steps=30", "--ema_decay=0") == 0
    plain = weights(tmp_path / "plain", 30)
    assert torch.equal(plain["averaged"]["net.0.weight"], plain["raw"]["net.0.weight"])
    assert torch.equal(plain["raw"]["net.0.weight"], both["raw"]["net.0.weight"])


def test_an_existing_folder_is_never_overwritten(small_dataset, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    assert train(small_dataset, tmp_path / "run", "--steps=5") == 2
    assert "exists already" in one_line(capsys)
    assert list((tmp_path / "run").iterdir()) == []


def test_resume_without_a_checkpoint(tmp_path, capsys):
    assert train(None, tmp_path / "nowhere", "--resume=true", kind=None) == 3
    assert "holds no checkpoint" in one_line(capsys)
    assert demodeck.main(["train", "--resume"]) == 2
    assert "needs --output_dir" in one_line(capsys)


def test_resume_refuses_what_would_be_another_run(small_dataset, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "run", "--steps=5") == 0
    for flag in ("--policy.hidden_dim=32", "--steps=9", "--dataset.filter=success"):
        capsys.readouterr()
        assert train(None, tmp_path / "run", "--resume=true", flag, kind=None) == 2
        assert "would make it another run" in one_line(capsys)


def test_resume_refuses_a_dataset_that_changed(write_dataset, tmp_path, capsys):
    root = write_dataset(tmp_path / "data")
    assert train(root, tmp_path / "run", "--steps=5") == 0
    shutil.rmtree(root)
    write_dataset(root, lengths=(7, 12))
    capsys.readouterr()
    assert train(None, tmp_path / "run", "--resume=true", kind=None) == 7
    assert "trained on 4 episodes (44 frames), but the dataset now gives 2 (19)" in one_line(capsys)


def test_a_run_from_before_a_setting_existed_goes_on(small_dataset, tmp_path, capsys):
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=5") == 0
    path = out / "checkpoints" / "last" / "pretrained_model" / "train_config.json"
    record = json.loads(path.read_text())
    for settings, names in ((record["policy"], ["head", "inputs", "tasks"]), (record["dataset"], ["weight"])):
        for name in names:
            del settings[name]
    del record["image_cache"]
    path.write_text(json.dumps(record))
    assert train(None, out, "--resume=true", kind=None) == 0
    assert train(None, out, "--resume=true", "--policy.head=gmm", kind=None) == 2
    assert "would make it another run" in one_line(capsys)


def test_several_tasks_are_told_to_the_policy(write_dataset, tmp_path):
    root = write_dataset(tmp_path / "data", tasks=("pick", "place"))
    assert train(root, tmp_path / "run", "--steps=5") == 0
    config = json.loads((tmp_path / "run/checkpoints/last/pretrained_model/config.json").read_text())
    assert config["tasks"] == ["pick", "place"]
    assert weights(tmp_path / "run", 5)["raw"]["net.0.weight"].shape == (16, 3 + 2 + 2)


def test_a_full_disk_leaves_the_last_checkpoint(small_dataset, tmp_path, capsys, signalled, monkeypatch):
    out = tmp_path / "run"
    wide = ["--policy.hidden_dim=128", "--steps=100000", "--save_freq=20"]
    signalled(out / "checkpoints" / "000020", signal.SIGINT)
    assert train(small_dataset, out, *wide) == 130
    before = (out / "checkpoints" / "last").readlink()
    capsys.readouterr()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python 3.12.1 would leave modules half-written
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (40_000, limits[1])
    )  # a file may grow no further, as on a full disk
    try:
        code = train(None, out, "--resume=true", kind=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 6
    assert "free some space; earlier checkpoints are intact" in one_line(capsys)
    assert (out / "checkpoints" / "last").readlink() == before
    assert not list((out / "checkpoints").glob(".*"))
    assert load_file(out / "checkpoints" / "last" / "pretrained_model" / "model.safetensors")


def test_a_damaged_checkpoint_is_named(small_dataset, tmp_path, capsys):
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=5") == 0
    state = out / "checkpoints" / "000005" / "training_state" / "optimizer_state.safetensors"
    state.write_bytes(b"\0" * 10)
    capsys.readouterr()
    assert train(None, out, "--resume=true", kind=None) == 3
    assert "cannot be loaded" in one_line(capsys)


def test_a_loss_that_is_no_number_stops_the_run(small_dataset, tmp_path, capsys):
    flags = ["--steps=200", "--log_freq=10", "--save_freq=0", "--policy.optimizer_lr=1e30"]
    assert train(small_dataset, tmp_path / "run", *flags) == 3
    assert "try a smaller --policy.optimizer_lr" in one_line(capsys)


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--policy.type=nope", "--dataset.repo_id=a/b"], 2, "choose action_diffusion or bc"),
        (["--dataset.repo_id=a/b"], 2, "--policy.type is missing"),
        (["--policy.type=bc"], 2, "no data"),
        (["--policy.type=bc", "--dataset.root=/no/such", "--steps=0"], 2, "must be at least 1"),
        (["--policy.type=bc", "--dataset.root=/no/such", "--stepz=3"], 2, "did you mean '--steps'"),
        (["--policy.type=bc", "--dataset.root=/no/such", "--steps=many"], 2, "many"),
        (["--policy.type=bc", "--policy.n_action_steps=99"], 2, "between 1 and --policy.horizon (16)"),
        (["--policy.type=bc", "--dataset.root=/no/such"], 3, "/no/such"),
        (["--policy.type=bc", "--dataset.repo_id=a b"], 5, "a b"),
    ],
)
def test_wrong_flags_cost_one_line(tmp_path, capsys, monkeypatch, flags, code, says):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert demodeck.main(["train", f"--output_dir={tmp_path / 'run'}", *flags]) == code
    assert says in one_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_dataset_without_state_is_named(write_dataset, tmp_path, capsys):
    root = write_dataset(tmp_path / "data", columns=["action"])
    assert train(root, tmp_path / "run") == 2
    assert "has neither" in one_line(capsys)


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (lambda root: edit_info(root, codebase_version="v2.1"), 3, "convert_dataset_v21_to_v30"),
        (lambda root: edit_info(root, total_episodes=9), 3, "half-written"),
        (lambda root: (root / "meta" / "info.json").unlink(), 3, "info.json"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_named(small_dataset, tmp_path, capsys, spoil, code, says):
    root = tmp_path / "data"
    shutil.copytree(small_dataset, root)
    spoil(root)
    assert train(root, tmp_path / "run") == code
    assert says in one_line(capsys)


def edit_info(root, **values):
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_stats_and_windows_come_from_the_filtered_episodes_alone(small_dataset, tmp_path):
    from collector.dataset.reader import Dataset

    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=3", "--dataset.filter=length > 10") == 0
    model = out / "checkpoints" / "last" / "pretrained_model"
    assert load_record(model)["run"]["dataset"]["episodes"] == [1, 3]
    saved = load_file(next(model.glob("policy_preprocessor_step_*_normalizer_processor.safetensors")))
    exact = Dataset.open(small_dataset).exact_stats(["observation.state"], [1, 3])["observation.state"]
    assert saved["observation.state.mean"].numpy() == pytest.approx(np.asarray(exact["mean"]), rel=1e-5)


@pytest.mark.parametrize(
    ("condition", "says"),
    [("length >", "length >"), ("length > 999", "matches none of 4 episodes"), ("lenght > 3", "lenght")],
)
def test_a_filter_that_is_no_sql_or_matches_nothing(small_dataset, tmp_path, capsys, condition, says):
    assert train(small_dataset, tmp_path / "run", f"--dataset.filter={condition}") == 2
    assert says in one_line(capsys)
