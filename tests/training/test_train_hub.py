"""Training from the Hub and back: the revision is pinned, the policy published with its card, flown from there."""

from __future__ import annotations

import filecmp
import shutil
import time
from pathlib import Path

import pytest

import demodeck
from collector.hub.client import pull, resolve_revision
from collector.hub.mirror import push_mirror
from training.config import load_record

TINY = ["--policy.hidden_dim=16", "--policy.device=cpu", "--batch_size=8", "--num_threads=1", "--steps=4"]


@pytest.fixture
def hub(start_demodeck, tmp_path, monkeypatch):
    """A Hub in a folder, and this process's Hugging Face settings pointed at it."""
    address = tmp_path / "address"
    start_demodeck("hub", "serve", "--root", tmp_path / "hub", "--port", "0", "--address-file", address)
    deadline = time.monotonic() + 240
    while not (address.exists() and address.read_text().strip()):
        assert time.monotonic() < deadline, "the Hub did not start"
        time.sleep(0.05)
    monkeypatch.setenv("HF_ENDPOINT", address.read_text().strip())
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))


def train(out, *flags):
    return demodeck.main(["train", "--policy.type=bc", *TINY, f"--output_dir={out}", *flags])


def test_from_the_hub_and_back(hub, write_dataset, tmp_path, capsys):
    root = write_dataset(tmp_path / "data")
    push_mirror(root, "lab/moves", tag="v3.0")
    commit = resolve_revision("lab/moves", revision="v3.0")

    out = tmp_path / "run"
    assert train(out, "--dataset.repo_id=lab/moves", "--policy.repo_id=lab/moves_bc") == 0
    model = out / "checkpoints" / "last" / "pretrained_model"
    dataset = load_record(model)["run"]["dataset"]
    assert dataset["revision"] == commit
    assert dataset["root"] is None
    card = (model / "README.md").read_text()
    assert f"`{commit}`" in card
    assert "datasets:\n- lab/moves" in card

    # The policy on the Hub is the checkpoint, byte for byte.
    published = pull("lab/moves_bc", repo_type="model")
    names = [path.name for path in model.iterdir()]
    assert filecmp.cmpfiles(model, published, names, shallow=False)[0] == names

    # It flies from there by name (here: is found to be of another arm).
    capsys.readouterr()
    assert demodeck.main(["eval", "--robot.type=sim_so101", "--policy.path=lab/moves_bc"]) == 7
    assert "policy 'lab/moves_bc' does not fit" in capsys.readouterr().err


def test_a_run_keeps_to_its_revision_when_the_dataset_moves_on(hub, write_dataset, tmp_path, capsys):
    push_mirror(write_dataset(tmp_path / "data"), "lab/moves", tag="v3.0")
    first = resolve_revision("lab/moves", revision="v3.0")
    out = tmp_path / "run"
    assert train(out, "--dataset.repo_id=lab/moves") == 0
    push_mirror(write_dataset(tmp_path / "more", lengths=(5, 6)), "lab/moves", tag="v3.0")
    assert resolve_revision("lab/moves", revision="v3.0") != first

    def revision(folder):
        model = Path(folder) / "checkpoints" / "last" / "pretrained_model"
        return load_record(model)["run"]["dataset"]["revision"]

    assert demodeck.main(["train", "--resume=true", f"--output_dir={out}"]) == 0
    assert revision(out) == first
    assert train(tmp_path / "new", "--dataset.repo_id=lab/moves") == 0
    assert revision(tmp_path / "new") != first
    assert train(tmp_path / "old", "--dataset.repo_id=lab/moves", f"--dataset.revision={first}") == 0
    assert revision(tmp_path / "old") == first


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--dataset.repo_id=lab/nothing"], "lab/nothing"),
        (["--dataset.repo_id=lab/moves", "--dataset.revision=v9"], "v9"),
    ],
)
def test_what_the_hub_lacks_costs_one_line(hub, write_dataset, tmp_path, capsys, flags, says):
    push_mirror(write_dataset(tmp_path / "data"), "lab/moves", tag="v3.0")
    capsys.readouterr()
    assert train(tmp_path / "run", *flags) == 5
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
    assert "--dataset.root=FOLDER" in line


def test_a_policy_that_could_not_be_published_is_safe(write_dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    root, out = write_dataset(tmp_path / "data"), tmp_path / "run"
    assert train(out, f"--dataset.root={root}", "--policy.repo_id=lab/bc") == 5
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"is safe in {out / 'checkpoints' / '000004' / 'pretrained_model'}" in error
    assert "--resume=true" in error


def test_a_learnt_reward_goes_to_the_hub_and_ranks_flights_from_there(hub, small_dataset, tmp_path, capsys):
    out = tmp_path / "run"
    flags = [
        "--irl.type=apprenticeship",
        "--irl.policy=false",
        "--irl.features=entries",
        "--irl.repo_id=lab/cares",
    ]
    assert demodeck.main(["train", *flags, f"--dataset.root={small_dataset}", f"--output_dir={out}"]) == 0
    assert not (out / "checkpoints").exists()
    copy = tmp_path / "copy"
    shutil.copytree(small_dataset, copy)
    capsys.readouterr()
    assert demodeck.main(["score", str(copy), "--reward=lab/cares"]) == 0
    assert "worth most by the learnt reward" in capsys.readouterr().out
    assert demodeck.main(["score", str(copy), "--reward=lab/nothing"]) == 5
    assert "there is no folder lab/nothing" in capsys.readouterr().err
