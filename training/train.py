"""The training loop: frames in memory, AdamW, cosine with warm-up, averaged weights, exact resume."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.optim import load_optimizer_state, save_optimizer_state
from lerobot.optim.schedulers import load_scheduler_state, save_scheduler_state
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.utils.constants import ACTION, OBS_STR
from lerobot.utils.feature_utils import dataset_to_policy_features
from lerobot.utils.random_utils import load_rng_state, save_rng_state, set_seed
from safetensors.torch import load_file, save_file

from collector.errors import DataError, MismatchError, UsageError
from training.card import write_card
from training.checkpoints import (
    PRETRAINED_MODEL,
    TRAINING_STATE,
    checkpoint_dir,
    last_checkpoint,
    write_checkpoint,
)
from training.config import TRAIN_CONFIG_FILE, TrainConfig, encode, load_record
from training.data import BatchOrder, EpisodeFrames
from training.images import open_images
from training.interrupt import StopRequest
from training.source import Provenance, frame_weights, load_frames, open_source
from training.versions import versions

TASK_INDEX = "task_index"
N_AHEAD = 4  # batches whose images are decoded ahead of the one at work, where they are streamed
RAW_WEIGHTS = "raw_weights.safetensors"
TRAINING_STEP = "training_step.json"


def train(config: TrainConfig) -> dict[str, Any]:
    """Train a policy, leaving checkpoints in lerobot's layout under `config.output_dir`.

    Args:
        config: The run's settings. With `resume` they are those of its last checkpoint, which goes on as if
            it had never stopped: on the CPU, bit for bit.

    Returns:
        A summary: `output_dir`, `checkpoint`, `step`, `steps`, `loss` (mean since the last progress line),
        `seconds`, `steps_per_s`, `interrupted` (name of the signal, or ""), `dataset`.

    Raises:
        UsageError: If a flag is wrong or the output folder exists already.
        DataError: If the dataset or the checkpoint cannot be used.
        MismatchError: If the dataset is not the one that the resumed run was trained on.
        HubError: If the Hub cannot give the dataset.
        StorageError: If a checkpoint cannot be written.
    """
    config.validate()
    assert config.policy is not None and config.output_dir is not None
    if not config.resume and config.output_dir.exists():
        raise UsageError(
            f"{config.output_dir} exists already: choose another --output_dir, "
            f"or go on with --resume=true --output_dir={config.output_dir}"
        )
    set_num_threads(config.num_threads)
    source = config.dataset
    if config.resume:
        source = _pinned_source(config)
    dataset, provenance = open_source(source, config.policy.inputs)
    frames, policy = build_policy(config, dataset, provenance.episodes)
    weights = frame_weights(dataset, provenance.episodes, source)
    _say(
        f"{policy.name}: {sum(p.numel() for p in policy.parameters()):,} weights on {config.policy.device}; "
        f"{len(provenance.episodes)} episodes, {len(frames):,} frames at {provenance.fps} Hz"
    )
    run = TrainingRun(config, policy, frames, provenance, weights)
    if config.resume:
        run.restore(last_checkpoint(config.output_dir))
        _say(f"going on at step {run.step} of {config.steps}")
    return run.loop()


def set_num_threads(wanted: int) -> None:
    """Set the number of processor threads; small networks gain nothing past four."""
    if not wanted and os.environ.get("OMP_NUM_THREADS"):
        return
    torch.set_num_threads(
        wanted or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
    )


def build_policy(run: TrainConfig, dataset: Any, episodes: list[int]) -> tuple[EpisodeFrames, Any]:
    """Load the frames that the policy reads, and make the policy with fresh weights.

    Returns:
        The frames, in the dataset's units, with the windows that the policy asks for; the policy, whose
        config now knows its features, their names, the tasks and the control rate.

    Raises:
        UsageError: If the dataset lacks what the policy needs.
        DataError: If the dataset is damaged.
    """
    config = run.policy
    assert config is not None and run.output_dir is not None
    policy_features = dataset_to_policy_features(dataset.features)
    config.input_features = {key: ft for key, ft in policy_features.items() if key.startswith(OBS_STR)}
    config.output_features = {key: ft for key, ft in policy_features.items() if key == ACTION}
    config.fps = int(dataset.fps)
    config.set_dataset_feature_metadata(dataset.features)
    config.set_tasks(dataset.tasks)
    set_seed(run.seed)
    try:
        config.validate_features()
        policy = get_policy_class(config.type)(config=config)
    except ValueError as error:
        raise UsageError(f"{error}; {dataset.root} has: {', '.join(dataset.features)}") from error
    deltas: dict[str, list[int] | None] = dict.fromkeys(config.vectors, config.observation_delta_indices)
    deltas[ACTION] = config.action_delta_indices
    if config.tasks:
        deltas[TASK_INDEX] = None
    frames = load_frames(dataset, episodes, deltas)
    for camera in config.pictures:
        folder = run.output_dir / "image_cache"
        frames.images[camera] = open_images(dataset, camera, episodes, run.image_cache, folder)
        frames.deltas[camera] = config.observation_delta_indices
    return frames, policy.to(config.device)


class TrainingRun:
    """All that changes while training: raw and averaged weights, optimiser, schedule, and the step."""

    def __init__(
        self,
        config: TrainConfig,
        policy: Any,
        frames: EpisodeFrames,
        provenance: Provenance,
        weights: np.ndarray | None = None,
    ) -> None:
        """Prepare a run at step 0.

        Args:
            config: The run's settings.
            policy: With fresh weights, on its device.
            frames: In the dataset's units; normalised here, once, by lerobot's own processor.
            provenance: Where the frames came from.
            weights: How much each frame counts in the loss, (n_frames,), with mean 1; None for all the same.
        """
        assert config.policy is not None and config.output_dir is not None
        self.config, self.policy, self.provenance = config, policy, provenance
        self.output_dir = config.output_dir
        self.preprocessor, self.postprocessor = make_pre_post_processors(
            config.policy, dataset_stats=frames.stats()
        )
        frames = frames.to(config.policy.device or "cpu")
        normalised = self.preprocessor(dict(frames.columns))
        self.frames = dataclasses.replace(frames, columns={key: normalised[key] for key in frames.columns})
        self.weights = None if weights is None else torch.from_numpy(weights).to(frames.first.device)
        self.order = BatchOrder(len(frames), config.batch_size, config.seed)

        preset = config.policy.get_optimizer_preset()
        self.grad_clip_norm = preset.grad_clip_norm
        self.optimizer = torch.optim.AdamW(
            policy.get_optim_params(),
            lr=preset.lr,
            betas=preset.betas,
            eps=preset.eps,
            weight_decay=preset.weight_decay,
            fused=config.policy.device in ("cpu", "cuda"),
        )
        self.scheduler = config.policy.get_scheduler_preset().build(self.optimizer, config.steps)
        self.acting = copy.deepcopy(policy).eval()  # the averaged weights
        self.step, self.loss = 0, math.nan
        self._raw = list(policy.parameters())
        self._averaged = list(self.acting.parameters())

    def update(self) -> torch.Tensor:
        """Take one gradient step and return its loss, a scalar still on the device."""
        device = self.frames.first.device
        if self.frames.images:
            for step in range(self.step, self.step + N_AHEAD):
                self.frames.prefetch(self.order.indices(step).to(device))
        index = self.order.indices(self.step).to(device)
        loss = self.loss_of(index)
        self.optimizer.zero_grad()
        loss.backward()
        if self.grad_clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(self._raw, self.grad_clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1
        # The average warms up, so that the first, random weights do not linger in it.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._raw, 1 - decay)
        return loss.detach()

    def loss_of(self, index: torch.Tensor) -> torch.Tensor:
        """Return the loss of the windows around some frames, a scalar: their mean, weighted where frames are."""
        batch = self.frames.batch(index)
        if self.weights is None:
            return self.policy.forward(batch)[0]
        return (self.weights[index] * self.policy.forward(batch, reduction="none")[0]).mean()

    def loop(self) -> dict[str, Any]:
        """Train to the last step, or to Ctrl-C or SIGTERM; save a checkpoint either way.

        Raises:
            DataError: If the loss stops being a number.
            StorageError: If a checkpoint cannot be written.
        """
        config, first_step = self.config, self.step
        self.policy.train()
        started = logged = time.monotonic()
        total = torch.zeros((), device=self.frames.first.device)
        n_logged = 0
        saved_step = self.step if config.resume else -1
        with StopRequest() as stop:
            while self.step < config.steps and not stop.signal:
                total += self.update()
                n_logged += 1
                if self.step % config.log_freq == 0 or self.step == config.steps:
                    self.loss = float(total) / n_logged
                    if not math.isfinite(self.loss):
                        raise DataError(
                            f"the loss is {self.loss} at step {self.step}: "
                            f"try a smaller --policy.optimizer_lr (now {config.policy.optimizer_lr}); "
                            f"the last checkpoint is that of step {max(saved_step, 0)}"
                        )
                    now = time.monotonic()
                    _say(self._progress(n_logged / max(now - logged, 1e-9)))
                    logged, n_logged = now, 0
                    total.zero_()
                if config.save_freq and self.step % config.save_freq == 0 and self.step < config.steps:
                    self.save()
                    saved_step = self.step
            if n_logged and not math.isfinite(self.loss):
                self.loss = float(total) / n_logged
            if self.step != saved_step:
                self.save()
        seconds = time.monotonic() - started
        checkpoint = checkpoint_dir(self.output_dir, self.step, config.steps)
        return {
            "output_dir": str(self.output_dir),
            "checkpoint": str(checkpoint / PRETRAINED_MODEL),
            "step": self.step,
            "steps": config.steps,
            "loss": self.loss,
            "seconds": round(seconds, 1),
            "steps_per_s": round((self.step - first_step) / max(seconds, 1e-9), 1),
            "interrupted": stop.signal,
            "dataset": self.provenance.to_dict(),
        }

    def _progress(self, steps_per_s: float) -> str:
        left_s = (self.config.steps - self.step) / steps_per_s
        return (
            f"step {self.step:>{len(str(self.config.steps))}}/{self.config.steps}  loss {self.loss:.4f}  "
            f"lr {self.optimizer.param_groups[0]['lr']:.1e}  {steps_per_s:.0f} steps/s  {left_s:.0f} s left"
        )

    def record(self) -> dict[str, Any]:
        """Return what `train_config.json` holds: the flags, and under `run` the data's origin and result."""
        run = {
            "dataset": self.provenance.to_dict(),
            "step": self.step,
            "loss": self.loss,
            "versions": versions(),
        }
        return {**encode(self.config), "run": run}

    def save(self) -> None:
        """Write the checkpoint of the present step.

        Raises:
            StorageError: If the disk is full or not writable; earlier checkpoints are untouched.
        """
        target = checkpoint_dir(self.output_dir, self.step, self.config.steps)
        write_checkpoint(target, self._write)
        _say(f"saved {target}")

    def _write(self, model_dir: Path, state_dir: Path) -> None:
        self.acting.save_pretrained(model_dir)
        self.preprocessor.save_pretrained(model_dir)
        self.postprocessor.save_pretrained(model_dir)
        record = self.record()
        (model_dir / TRAIN_CONFIG_FILE).write_text(json.dumps(record, indent=1) + "\n")
        write_card(model_dir / "README.md", record)
        save_file({k: v.contiguous() for k, v in self.policy.state_dict().items()}, state_dir / RAW_WEIGHTS)
        save_optimizer_state(self.optimizer, state_dir)
        save_scheduler_state(self.scheduler, state_dir)
        save_rng_state(state_dir)
        state = {"step": self.step, "batch_size": self.config.batch_size, "loss": self.loss}
        (state_dir / TRAINING_STEP).write_text(json.dumps(state))

    def restore(self, checkpoint: Path) -> None:
        """Continue from a checkpoint of this run.

        Raises:
            DataError: If it is damaged.
            MismatchError: If the episodes are not those that it was trained on.
        """
        before = load_record(checkpoint / PRETRAINED_MODEL)["run"]["dataset"]
        if before["episodes_sha256"] != self.provenance.episodes_sha256:
            raise MismatchError(
                f"the run was trained on {len(before['episodes'])} episodes ({before['n_frames']} frames), "
                f"but the dataset now gives {len(self.provenance.episodes)} ({self.provenance.n_frames}): "
                "restore the dataset, or start anew in another --output_dir"
            )
        state_dir = checkpoint / TRAINING_STATE
        try:
            device = str(self.config.policy.device)
            self.policy.load_state_dict(load_file(state_dir / RAW_WEIGHTS, device=device))
            averaged = load_file(checkpoint / PRETRAINED_MODEL / "model.safetensors", device=device)
            self.acting.load_state_dict(averaged)
            load_optimizer_state(self.optimizer, state_dir)
            load_scheduler_state(self.scheduler, state_dir)
            state = json.loads((state_dir / TRAINING_STEP).read_text())
            load_rng_state(state_dir)
        except Exception as error:
            raise DataError(
                f"checkpoint {checkpoint} cannot be loaded ({' '.join(str(error).split())}): "
                "delete its folder and the link 'last' beside it, then resume from the one before"
            ) from error
        self.step, self.loss = state["step"], state["loss"]


def _pinned_source(config: TrainConfig) -> Any:
    """Return the run's data source at the very commit that its checkpoint records."""
    assert config.output_dir is not None
    recorded = load_record(last_checkpoint(config.output_dir) / PRETRAINED_MODEL)["run"]["dataset"]
    return dataclasses.replace(config.dataset, revision=recorded["revision"])


def _say(line: str) -> None:
    print(f"train: {line}", file=sys.stderr, flush=True)
