"""`demodeck train`: from flags to frames, a policy and a folder; the run is `training.run` and `training.loop`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import secrets
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lerobot.policies.factory import get_policy_class
from lerobot.utils.constants import ACTION, OBS_STR
from lerobot.utils.feature_utils import dataset_to_policy_features
from lerobot.utils.random_utils import set_seed

from collector.errors import HubError, UsageError
from training.boards import check_boards
from training.checkpoints import PRETRAINED_MODEL, checkpoint_dir, find_checkpoint
from training.config import DatasetSource, TrainConfig
from training.data import EpisodeFrames
from training.folder import held, last_record, make_run_folder, sweep
from training.images import open_images
from training.irl.stage import Stage, taught, write_learners_policy
from training.irl.task import Learnt
from training.lerobot_policies import TASK_INDEX, check_weighable, is_lerobots
from training.loop import Loop
from training.parallel import Processes
from training.policies.settings import ChunkConfig
from training.run import TrainingRun, run_record
from training.source import Provenance, frame_weights, load_frames, open_source
from training.symmetry import Symmetries

EVERY_CAMERA = ["*"]  # lerobot's policies see all that there is


def train(config: TrainConfig) -> dict[str, Any]:
    """Train a policy, leaving checkpoints in lerobot's layout under `config.output_dir`.

    Args:
        config: The run's settings. With `resume` they are those of its last checkpoint, or of its beginning
            where it has none, which goes on as if it had never stopped: on the CPU, bit for bit.

    Returns:
        A summary: `output_dir`, `checkpoint`, `step`, `steps`, `loss` (mean since the last line of the log),
        `seconds`, `steps_per_s`, `interrupted` (name of the signal, or ""), `dataset`, and `is_first`: whether
        this process is the one that wrote and speaks.

    Raises:
        UsageError: If a flag is wrong, the output folder exists already, or another process trains in it.
        DataError: If the dataset or the checkpoint cannot be used.
        MismatchError: If the dataset or the number of processes is not that of the resumed run.
        HubError: If the Hub cannot give the dataset.
        StorageError: If a checkpoint cannot be written.
    """
    config.validate()
    assert config.policy is not None and config.output_dir is not None
    check_boards(config)
    check_precision(config)
    processes = Processes.join(str(config.policy.device))
    try:
        config.output_dir = processes.agree(config.output_dir)
        return {**_train(config, processes), "is_first": processes.is_first}
    finally:
        processes.leave()


def _train(config: TrainConfig, processes: Processes) -> dict[str, Any]:
    assert config.policy is not None and config.output_dir is not None
    if processes.is_first and not config.resume and config.output_dir.exists():
        raise UsageError(
            f"{config.output_dir} exists already: choose another --output_dir, "
            f"or go on with --resume=true --output_dir={config.output_dir}"
        )
    set_num_threads(config.num_threads)
    source = _pinned_source(config) if config.resume else config.dataset
    dataset, provenance = open_source(source, getattr(config.policy, "inputs", EVERY_CAMERA))
    policy = build_policy(config, dataset)
    frames = policy_frames(config.policy, dataset, provenance.episodes)
    weights = frame_weights(dataset, provenance.episodes, source)
    check_weighable(policy, weights is not None)
    stage = None if config.irl is None else _irl_stage(config, dataset, provenance, processes)
    symmetries = Symmetries.load(source.symmetry) if source.symmetry else None
    if symmetries is not None:
        provenance = dataclasses.replace(provenance, symmetry_sha256=symmetries.sha256)
    with _folder(config, provenance, processes):
        if stage is not None:
            learnt = stage.run(config.output_dir, config.resume)
            if learnt.interrupted or not (learnt.trains_policy and stage.trains_policy):
                return _without_policy(config, provenance, learnt)
            frames, weights = taught(frames, weights, learnt)
        with processes.first_before_others():
            add_images(frames, config, dataset, provenance.episodes)
        if symmetries is not None:
            n_flown = len(frames)
            frames = symmetries.add_to(frames)
            weights = None if weights is None else np.tile(weights, len(frames) // n_flown)
        run = TrainingRun(config, policy, frames, provenance, weights, processes)
        if processes.is_first:
            _say(_description(run))
        checkpoint = find_checkpoint(config.output_dir) if config.resume else None
        if checkpoint is not None:
            run.restore(checkpoint)
        if config.resume and processes.is_first:
            _say(f"going on at step {run.step} of {config.steps}")
        return Loop(run).go()


def _irl_stage(config: TrainConfig, dataset: Any, provenance: Provenance, processes: Processes) -> Stage:
    if processes.count > 1:
        raise UsageError("--irl.type learns in one process: leave torchrun or accelerate out")
    return Stage.prepare(config, dataset, provenance)


def _without_policy(config: TrainConfig, provenance: Provenance, learnt: Learnt) -> dict[str, Any]:
    """Return the summary of a run that was stopped while a reward was learnt, or trains no policy afterwards."""
    assert config.output_dir is not None
    checkpoint, step = None, 0
    if not learnt.interrupted and learnt.write_policy is not None:
        place = checkpoint_dir(config.output_dir, config.steps, config.steps)
        write_learners_policy(learnt, place)
        checkpoint, step = str(place / PRETRAINED_MODEL), config.steps
    return {
        "output_dir": str(config.output_dir),
        "checkpoint": checkpoint,
        "step": step,
        "steps": config.steps,
        "loss": None,
        "seconds": learnt.figures.get("seconds", 0.0),
        "steps_per_s": 0.0,
        "interrupted": learnt.figures["signal"] if learnt.interrupted else "",
        "dataset": provenance.to_dict(),
    }


def check_precision(config: TrainConfig) -> None:
    """Raise `UsageError` where `--bf16` is asked of a device that cannot."""
    assert config.policy is not None
    device = torch.device(str(config.policy.device)).type
    if config.bf16 and not (device == "cpu" or (device == "cuda" and torch.cuda.is_bf16_supported())):
        raise UsageError(f"--bf16=true: {device} here does not compute in bfloat16: leave it out")


def set_num_threads(wanted: int) -> None:
    """Set the number of processor threads; small networks gain nothing past four."""
    if not wanted and os.environ.get("OMP_NUM_THREADS"):
        return
    torch.set_num_threads(
        wanted or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
    )


def build_policy(run: TrainConfig, dataset: Any) -> Any:
    """Make the policy with fresh weights, on its device.

    Returns:
        The policy, whose config now knows its features, their names, the tasks and the control rate.

    Raises:
        UsageError: If the dataset lacks what the policy needs, or a package does that it stands on.
        HubError: If pretrained weights that it begins with cannot be had.
    """
    config = run.policy
    assert config is not None
    policy_features = dataset_to_policy_features(dataset.features)
    config.input_features = {key: ft for key, ft in policy_features.items() if key.startswith(OBS_STR)}
    config.output_features = {key: ft for key, ft in policy_features.items() if key == ACTION}
    if isinstance(config, ChunkConfig):
        config.fps = int(dataset.fps)
        config.set_dataset_feature_metadata(dataset.features)
        config.set_tasks(dataset.tasks)
    set_seed(run.seed)
    try:
        config.validate_features()
        policy = get_policy_class(config.type)(config=config)
    except ValueError as error:
        raise UsageError(f"{error}; {dataset.root} has: {', '.join(dataset.features)}") from error
    except ImportError as error:  # lerobot names the extra to install
        raise UsageError(" ".join(str(error).split())) from error
    except OSError as error:  # encoders that lerobot's policies begin with
        raise HubError(
            f"the pretrained weights that '{config.type}' begins with cannot be had "
            f"({' '.join(str(error).split())[:200]}): check the network, or begin without them where it can "
            "(act, diffusion: --policy.pretrained_backbone_weights=null)"
        ) from error
    return policy.to(config.device)


def policy_frames(config: Any, dataset: Any, episodes: list[int]) -> EpisodeFrames:
    """Load the vectors that a policy reads, in the dataset's units, with the windows that it asks for.

    Raises:
        DataError: If the dataset is damaged.
    """
    vectors = [key for key in config.input_features if key not in config.image_features]
    deltas: dict[str, list[int] | None] = dict.fromkeys(vectors, config.observation_delta_indices)
    deltas[ACTION] = config.action_delta_indices
    if is_lerobots(config) or config.tasks:
        deltas[TASK_INDEX] = None
    return dataclasses.replace(load_frames(dataset, episodes, deltas), tasks=dataset.tasks)


def add_images(frames: EpisodeFrames, run: TrainConfig, dataset: Any, episodes: list[int]) -> None:
    """Add the cameras that the policy sees to its frames.

    Raises:
        UsageError: If `--image_cache` does not fit the dataset.
        DataError: If a video is missing or damaged.
    """
    assert run.policy is not None and run.output_dir is not None
    for camera in run.policy.image_features:
        folder = run.output_dir / "image_cache"
        frames.images[camera] = open_images(dataset, camera, episodes, run.image_cache, folder)
        frames.deltas[camera] = run.policy.observation_delta_indices


@contextlib.contextmanager
def _folder(config: TrainConfig, provenance: Provenance, processes: Processes) -> Iterator[None]:
    """Make the run's folder, or sweep it, and hold it meanwhile; the first process does."""
    assert config.output_dir is not None
    if not processes.is_first:
        yield
        return
    if config.wandb.enable and config.wandb.run_id is None:
        config.wandb.run_id = secrets.token_hex(4)  # on record, so that a resumed run goes on in the same one
    if not config.resume:
        make_run_folder(config.output_dir, run_record(config, provenance, 0, math.nan))
    with held(config.output_dir):
        sweep(config.output_dir)
        yield


def _pinned_source(config: TrainConfig) -> DatasetSource:
    """Return the run's data source at the very commit that its record names."""
    assert config.output_dir is not None
    recorded = last_record(config.output_dir)["run"]["dataset"]
    return dataclasses.replace(config.dataset, revision=recorded["revision"])


def _description(run: TrainingRun) -> str:
    n_weights = sum(p.numel() for p in run.policy.parameters())
    return (
        f"{run.policy.name}: {n_weights:,} weights on {run.config.policy.device}; "
        f"{len(run.provenance.episodes)} episodes, {len(run.frames):,} frames at {run.provenance.fps} Hz"
        + (f"; {run.processes.count} processes" if run.processes.count > 1 else "")
    )


def _say(line: str) -> None:
    print(f"train: {line}", file=sys.stderr, flush=True)
