"""The log of a run: what its lines say, what a resumed run keeps of it, and the boards that show it too."""

from __future__ import annotations

import json
import math
import sys

import pytest
import torch
from test_train_command import one_line, train

from training.metrics import FIELDS, MetricsFiles, Window, read_metrics


def line(step, **values):
    return dict.fromkeys(FIELDS, 1.5) | {"step": step} | values


def test_a_run_leaves_its_log_as_json_lines_and_as_a_spreadsheet(small_dataset, tmp_path, capsys):
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=10", "--log_freq=4", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    lines = read_metrics(out / "metrics.jsonl")
    assert [tuple(line) for line in lines] == [FIELDS] * 3
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert [line["samples"] for line in lines] == [32, 64, 80]
    assert lines[-1]["epoch"] == pytest.approx(80 / 44, abs=1e-4)
    assert lines[-1]["loss"] == summary["loss"]
    assert all(line["grad_norm"] > 0 and line["samples_per_s"] > 0 for line in lines)
    header, *rows = [row.split(",") for row in (out / "metrics.csv").read_text().splitlines()]
    assert tuple(header) == FIELDS
    assert [[float(value) for value in row] for row in rows] == [list(line.values()) for line in lines]


def test_lines_past_the_restored_step_and_torn_ones_are_cut(tmp_path):
    files = MetricsFiles(tmp_path, 0)
    for step in (2, 4, 6):
        files.append(line(step))
    files.close()
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 8, "lo')
    (tmp_path / "metrics.csv").write_text("torn")
    files = MetricsFiles(tmp_path, 5)
    assert [kept["step"] for kept in files.lines] == [2, 4]
    files.append(line(6, loss=None))
    files.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [line(2), line(4), line(6, loss=None)]
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["step", "2", "4", "6"]
    assert not list(tmp_path.glob(".*"))


def test_a_window_is_remembered_to_the_bit():
    window = Window(torch.device("cpu"))
    assert math.isnan(window.means()[0])
    for value in (0.1, 0.2, 0.7):
        window.add(torch.tensor(value), torch.tensor(2 * value))
    other = Window(torch.device("cpu"))
    other.load(json.loads(json.dumps(window.state())))
    for each in (window, other):
        each.add(torch.tensor(0.3), torch.tensor(0.6))
    assert window.means() == other.means()
    window.clear()
    assert window.state() == Window(torch.device("cpu")).state()


def test_seconds_of_training_add_up_over_resumes(small_dataset, tmp_path):
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=4", "--log_freq=2") == 0
    state = out / "checkpoints" / "000004" / "training_state" / "training_step.json"
    record = json.loads(state.read_text())
    assert record["seconds"] > 0
    path = out / "checkpoints" / "000004" / "pretrained_model" / "train_config.json"
    state.write_text(json.dumps(record | {"seconds": 1000.0}))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"steps": 6}))
    assert train(None, out, "--resume=true", kind=None) == 0
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[1]["seconds"] < 1000 <= lines[2]["seconds"]


def test_tensorboard_shows_the_log_and_a_resumed_run_goes_on_in_it(small_dataset, tmp_path):
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=6", "--log_freq=2", "--tensorboard=true") == 0
    shown = loader.EventAccumulator(str(out / "tensorboard")).Reload()
    assert set(shown.Tags()["scalars"]) == {f"train/{name}" for name in FIELDS if name != "step"}
    points = [(event.step, event.value) for event in shown.Scalars("train/loss")]
    wanted = [(line["step"], line["loss"]) for line in read_metrics(out / "metrics.jsonl")]
    assert [step for step, _ in points] == [2, 4, 6]
    assert [value for _, value in points] == pytest.approx([loss for _, loss in wanted])


def test_tensorboard_that_is_not_installed_is_said_before_any_work(
    small_dataset, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert train(small_dataset, tmp_path / "run", "--tensorboard=true") == 2
    assert "pip install 'demodeck[tensorboard]'" in one_line(capsys)
    assert not (tmp_path / "run").exists()


def test_weights_and_biases_by_lerobots_flags(small_dataset, tmp_path, capsys, monkeypatch):
    """Its mode `disabled` takes every call and sends nothing."""
    pytest.importorskip("wandb")
    out, flags = (
        tmp_path / "run",
        ["--wandb.enable=true", "--wandb.project=arms", "--steps=4", "--log_freq=2"],
    )
    assert train(small_dataset, tmp_path / "other", "--wandb.enable=true", "--wandb.mode=nope") == 2
    assert "choose online, offline or disabled" in one_line(capsys)
    assert train(small_dataset, out, *flags, "--wandb.mode=disabled") == 0
    record = json.loads((out / "checkpoints" / "last" / "pretrained_model" / "train_config.json").read_text())
    first = json.loads((out / "train_config.json").read_text())
    assert record["wandb"]["run_id"] == first["wandb"]["run_id"] is not None


def test_two_processes_do_not_train_in_one_folder(small_dataset, tmp_path, capsys):
    from training.folder import held

    out = tmp_path / "run"
    assert train(small_dataset, out, "--steps=2") == 0
    with held(out):
        assert train(None, out, "--resume=true", kind=None) == 2
    assert "another process is training" in one_line(capsys)
    assert train(None, out, "--resume=true", kind=None) == 0
