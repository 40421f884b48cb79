"""`kill -9` at any moment of `demodeck train`: what is resumed ends in the same bits, its log has each step once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_train_command import TINY, same, train, weights

from training.metrics import read_metrics

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "every"), [("bc", 67), ("action_diffusion", 53)])
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(
    small_dataset, tmp_path, command_env, kind, every
):
    flags = ["--steps=13", "--save_freq=5", "--log_freq=2", f"--policy.type={kind}", *TINY]
    result = subprocess.run(
        [sys.executable, HERE / "killed_runs.py", small_dataset, tmp_path, str(every), *flags],
        env=command_env, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    assert said["steps"] == [2, 4, 6, 8, 10, 12, 13]
    assert said["moments"] > 2 * every
    assert said["differing"] == {}


def test_killed_from_outside_while_a_checkpoint_is_written(small_dataset, tmp_path, start_demodeck):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    flags = ["--steps=40", "--save_freq=8", "--log_freq=4"]
    assert train(small_dataset, whole, *flags) == 0
    command = [f"--dataset.root={small_dataset}", f"--output_dir={killed}", "--policy.type=bc", *TINY, *flags]
    for _ in range(20):  # it may have been written while nobody looked
        process = start_demodeck("train", *command)
        while not list((killed / "checkpoints").glob(".building-*")) and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        if process.wait() == -9:
            break
        shutil.rmtree(killed)
    assert process.returncode == -9
    assert train(None, killed, "--resume=true", kind=None) == 0
    assert same(weights(whole, 40), weights(killed, 40))
    assert not list((killed / "checkpoints").glob(".*"))
    steps = [line["step"] for line in read_metrics(killed / "metrics.jsonl")]
    assert steps == list(range(4, 41, 4))
