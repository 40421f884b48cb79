"""Flights while a run trains: told and logged, from seeds of their own, and no bit of the training depends on them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch
from test_train_command import one_line, same, train, weights

import training.evaluate
from collector.errors import DeviceError
from training.intervals import wilson
from training.metrics import read_lines
from training.train_cli import main_train
from training.trials import FIRST_SEED

FLAGS = ["--steps=12", "--save_freq=5", "--log_freq=4"]
FLOWN = ["--eval_freq=6", "--eval.robot.type=sim_pusht", "--eval.episodes=8"]


class Flights:
    """Stands for `evaluate`: draws noise, remembers what was asked, and fails where it is told to."""

    def __init__(self):
        self.asked, self.fails = [], False

    def __call__(self, config):
        torch.randn(100)
        print("noise on stdout")
        self.asked.append(config)
        if self.fails:
            raise DeviceError("a process that flew the robot died")
        n, successes = config.episodes, 2 * len(self.asked)
        return {
            "n": n,
            "successes": successes,
            "rate": successes / n,
            "wilson_95": list(wilson(successes, n)),
            "mean_max_reward": 0.5,
            "mean_reward": 1.0,
            "mean_time_s": None,
            "wall_s": 0.1,
        }


@pytest.fixture
def flights(monkeypatch):
    flights = Flights()
    monkeypatch.setattr(training.evaluate, "evaluate", flights)
    return flights


@pytest.mark.parametrize("kind", ["bc", "action_diffusion"])
def test_flying_changes_nothing_and_is_logged_with_its_interval(
    small_dataset, tmp_path, capsys, flights, kind
):
    assert train(small_dataset, tmp_path / "plain", *FLAGS, kind=kind) == 0
    capsys.readouterr()
    assert train(small_dataset, tmp_path / "flown", *FLAGS, *FLOWN, "--json", kind=kind) == 0
    assert same(weights(tmp_path / "plain", 12), weights(tmp_path / "flown", 12))
    said = capsys.readouterr()
    assert json.loads(said.out)["step"] == 12
    assert "train: step 6: 2 of 8 succeeded (25%, 95 % interval 7% to 59%)" in said.err
    lines = read_lines(tmp_path / "flown" / "evals.jsonl")
    assert [(line["step"], line["successes"], line["n"]) for line in lines] == [(6, 2, 8), (12, 4, 8)]
    assert lines[0]["wilson_95"] == list(wilson(2, 8))
    plain, model = [
        (tmp_path / name / "checkpoints" / "last" / "pretrained_model") for name in ("plain", "flown")
    ]
    told = (model / "README.md").read_text()
    assert "| 12 | 4 of 8 | 22% to 78% | 0.500 |" in told
    assert "Flights in simulation" not in (plain / "README.md").read_text()
    for each in (plain, model):
        assert (each / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    again = next(line.strip() for line in told.splitlines() if line.startswith("    demodeck train"))
    flags = shlex.split(again.replace("FOLDER", str(small_dataset)))[2:]
    assert "--eval_freq=6" in flags
    assert main_train([*flags, f"--output_dir={tmp_path / 'again'}"]) == 0
    assert same(weights(tmp_path / "plain", 12), weights(tmp_path / "again", 12))
    steps = [Path(config.policy.path).parent.name for config in flights.asked]
    assert steps == ["000006", "000012"] * 2  # whole checkpoints, whose weights are the averaged ones
    assert {config.seed for config in flights.asked} == {FIRST_SEED}
    assert training.evaluate.EvalConfig().seed is None  # 5000 by default, far from here
    last = (tmp_path / "flown" / "checkpoints" / "last").readlink().name
    assert last == "000012"  # the last one, however it flew


def test_a_run_that_ended_in_flight_flies_when_it_is_resumed(small_dataset, tmp_path, capsys, flights):
    flights.fails = True
    assert train(small_dataset, tmp_path / "run", *FLAGS, *FLOWN) == 4
    assert "a process that flew the robot died" in one_line(capsys)
    flights.fails = False
    assert train(None, tmp_path / "run", "--resume=true", kind=None) == 0
    assert [line["step"] for line in read_lines(tmp_path / "run" / "evals.jsonl")] == [6, 12]
    assert train(None, tmp_path / "run", "--resume=true", kind=None) == 0
    assert len(flights.asked) == 3


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--eval_freq=5"], "--eval.robot.type=sim_pusht"),
        (["--eval_freq=-1"], "at least 0"),
        ([*FLOWN, "--eval.episodes=0"], "--eval.episodes=0: it must be at least 1"),
        (["--eval_freq=5", "--eval.robot.type=nope"], "nope"),
    ],
)
def test_flights_that_cannot_be_are_refused_before_any_work(small_dataset, tmp_path, capsys, flags, says):
    assert train(small_dataset, tmp_path / "run", *flags) == 2
    assert says in one_line(capsys)
    assert not (tmp_path / "run").exists()


def test_the_table_of_a_sweep_has_the_flights_of_each_run(small_dataset, tmp_path, capsys, flights):
    assert train(small_dataset, tmp_path / "sweep", *FLAGS, *FLOWN, "--seed=[1,2]") == 0
    table = capsys.readouterr().out
    assert "| seed=1 | 12 of 12 |" in table
    assert "| 4 of 8 | 22% to 78% |" in table
    assert "| 8 of 8 | 68% to 100% |" in table
