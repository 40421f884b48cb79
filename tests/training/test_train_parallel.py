"""Larger batches in parts or by several processes: the same steps as one process with one large batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_train_command import TINY, one_line, train, weights

from training.metrics import read_metrics

PROJECT = Path(__file__).parent.parent.parent
QUIET = [
    "--policy.observation_noise=0",
    "--steps=12",
    "--log_freq=3",
]  # no noise: nothing that parts draw apart


def losses(run):
    return [line["loss"] for line in read_metrics(run / "metrics.jsonl")]


def assert_close(run, other, step=12):
    assert losses(run) == pytest.approx(losses(other), rel=1e-4)
    for kind in ("raw", "averaged"):
        found, wanted = weights(run, step)[kind], weights(other, step)[kind]
        assert all(torch.allclose(found[name], wanted[name], atol=1e-5) for name in wanted)


def test_accumulated_gradients_are_those_of_one_large_batch(small_dataset, tmp_path):
    flags = ["--batch_size=5", "--gradient_accumulation_steps=4"]
    weight = "--dataset.weight=1 + episode_index"
    assert train(small_dataset, tmp_path / "large", *QUIET, weight, "--batch_size=20") == 0
    assert train(small_dataset, tmp_path / "parts", *QUIET, weight, *flags) == 0
    assert_close(tmp_path / "parts", tmp_path / "large")
    samples = [line["samples"] for line in read_metrics(tmp_path / "parts" / "metrics.jsonl")]
    assert samples == [60, 120, 180, 240]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_and_resume(small_dataset, tmp_path, command_env, capsys):
    def launch(output_dir, *flags):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0"]
        launcher += ["--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
        command = [str(PROJECT / "demodeck.py"), "train", f"--output_dir={output_dir}", *flags]
        result = subprocess.run(
            [*launcher, *command], env=command_env, cwd=tmp_path, capture_output=True, text=True, timeout=900
        )
        assert result.returncode == 0, result.stderr
        return result

    data = [f"--dataset.root={small_dataset}", "--policy.type=bc", *TINY]
    assert train(small_dataset, tmp_path / "one", *QUIET, "--batch_size=10") == 0
    two = launch(tmp_path / "two", *data, *QUIET, "--batch_size=5", "--save_freq=6")
    assert len(two.stdout.splitlines()) == 1
    assert_close(tmp_path / "two", tmp_path / "one")
    for path in (tmp_path / "two" / "checkpoints" / "last", tmp_path / "two" / "checkpoints" / "000012"):
        os.rename(path, path.with_name(f"old-{path.name}"))  # noqa: PTH104
    capsys.readouterr()
    assert train(None, tmp_path / "two", "--resume=true", kind=None) == 7
    assert "was trained by 2 processes, and this is 1" in one_line(capsys)
    before = tmp_path / "two" / "checkpoints" / "old-000012" / "training_state" / "raw_weights.safetensors"
    launch(tmp_path / "two", "--resume=true")
    after = tmp_path / "two" / "checkpoints" / "000012" / "training_state" / "raw_weights.safetensors"
    assert after.read_bytes() == before.read_bytes()


def test_each_process_has_its_share_and_noise_of_its_own(monkeypatch):
    from training.parallel import Processes

    drawn = []
    for rank in (0, 1, 0):
        Processes(2, rank).seed_noise(7, 3)
        drawn.append(torch.randn(4))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    Processes(2, 0).seed_noise(7, 4)
    assert not torch.equal(torch.randn(4), drawn[0])
    torch.manual_seed(1)
    state = torch.get_rng_state()
    Processes().seed_noise(7, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_process_that_accelerate_left_alone_says_how_to_start_several(monkeypatch):
    from accelerate.commands.launch import launch_command_parser
    from accelerate.utils.launch import prepare_simple_launcher_cmd_env

    from collector.errors import UsageError
    from training.parallel import Processes

    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for asked, alone in (("1", False), ("2", True)):
        flags = ["--cpu", f"--num_processes={asked}", "--num_machines=1", "--mixed_precision=no"]
        flags += ["--dynamo_backend=no", "--num_cpu_threads_per_process=1", "train.py"]
        told = prepare_simple_launcher_cmd_env(launch_command_parser().parse_args(flags))[1]
        with monkeypatch.context() as started:
            for name in ("MASTER_PORT", "ACCELERATE_MIXED_PRECISION"):
                started.delenv(name, raising=False)
                if name in told:
                    started.setenv(name, told[name])
            if alone:
                with pytest.raises(UsageError, match="--multi_gpu in place of --cpu"):
                    Processes.join("cpu")
            else:
                assert Processes.join("cpu").count == 1


def test_bf16_computes_in_bfloat16_and_keeps_its_weights_in_float32(small_dataset, tmp_path):
    assert train(small_dataset, tmp_path / "full", *QUIET) == 0
    assert train(small_dataset, tmp_path / "half", *QUIET, "--bf16=true") == 0
    assert losses(tmp_path / "half") != losses(tmp_path / "full")
    assert losses(tmp_path / "half") == pytest.approx(losses(tmp_path / "full"), rel=0.05)
    assert {value.dtype for value in weights(tmp_path / "half", 12)["raw"].values()} == {torch.float32}


def test_bf16_where_it_cannot_be_is_refused(monkeypatch):
    from collector.errors import UsageError
    from training.config import TrainConfig
    from training.policies.bc import BcConfig
    from training.train import check_precision

    policy = BcConfig(device="cpu")
    policy.device = "mps"
    with pytest.raises(UsageError, match="mps here does not compute in bfloat16"):
        check_precision(TrainConfig(policy=policy, bf16=True))


def test_the_same_command_twice_gives_the_same_bits(small_dataset, tmp_path):
    for kind in ("bc", "action_diffusion"):
        for name in ("once", "again"):
            assert (
                train(small_dataset, tmp_path / f"{name}-{kind}", "--steps=8", "--log_freq=4", kind=kind) == 0
            )
        once, again = weights(tmp_path / f"once-{kind}", 8), weights(tmp_path / f"again-{kind}", 8)
        assert all(torch.equal(once[part][key], again[part][key]) for part in once for key in once[part])
        assert losses(tmp_path / f"once-{kind}") == losses(tmp_path / f"again-{kind}")
        assert train(small_dataset, tmp_path / f"other-{kind}", "--steps=8", "--seed=1", kind=kind) == 0
        other = weights(tmp_path / f"other-{kind}", 8)
        assert not all(torch.equal(once["raw"][key], other["raw"][key]) for key in once["raw"])
