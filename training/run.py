"""What changes while a policy is trained: one gradient step after another, and checkpoints that bring it all back."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.optim import load_optimizer_state, save_optimizer_state
from lerobot.optim.schedulers import load_scheduler_state, save_scheduler_state
from lerobot.policies.factory import make_pre_post_processors
from lerobot.utils.random_utils import load_rng_state, save_rng_state
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import ConstantLR

from collector.errors import DataError, MismatchError
from training.card import write_card
from training.checkpoints import PRETRAINED_MODEL, TRAINING_STATE, checkpoint_dir, write_checkpoint
from training.config import TRAIN_CONFIG_FILE, TrainConfig, encode, load_record
from training.data import BatchOrder, EpisodeFrames
from training.lerobot_policies import batches, first_frames, is_lerobots, statistics
from training.metrics import Window, finite
from training.parallel import Processes
from training.source import Provenance
from training.versions import versions

N_AHEAD = 4  # batches whose images are decoded ahead of the one at work, where they are streamed
RAW_WEIGHTS = "raw_weights.safetensors"
TRAINING_STEP = "training_step.json"


def run_record(config: TrainConfig, provenance: Provenance, step: int, loss: float) -> dict[str, Any]:
    """Return what `train_config.json` holds: the flags, and under `run` the data's origin and result."""
    run = {"dataset": provenance.to_dict(), "step": step, "loss": finite(loss), "versions": versions()}
    return {**encode(config), "run": run}


class TrainingRun:
    """All that changes while training: raw and averaged weights, optimiser, schedule, sums for the log, the step."""

    def __init__(
        self,
        config: TrainConfig,
        policy: Any,
        frames: EpisodeFrames,
        provenance: Provenance,
        weights: np.ndarray | None = None,
        processes: Processes | None = None,
    ) -> None:
        """Prepare a run at step 0.

        Args:
            config: The run's settings.
            policy: With fresh weights, on its device.
            frames: In the dataset's units; normalised here by lerobot's own processor: once, where the policy
                is one of ours, else batch by batch.
            provenance: Where the frames came from.
            weights: How much each frame counts in the loss, (n_frames,), with mean 1; None for all the same.
            processes: Those that share the work; None for this one alone.
        """
        assert config.policy is not None and config.output_dir is not None
        self.config, self.policy, self.provenance = config, policy, provenance
        self.output_dir = config.output_dir
        self.processes = processes or Processes()
        lerobots = is_lerobots(config.policy)
        self.preprocessor, self.postprocessor = make_pre_post_processors(
            config.policy, dataset_stats=statistics(frames) if lerobots else frames.stats()
        )
        self.frames = frames.to(config.policy.device or "cpu")
        if lerobots:
            self._batch = batches(self.frames, self.preprocessor)
        else:
            normalised = self.preprocessor(dict(self.frames.columns))
            self.frames = dataclasses.replace(
                self.frames, columns={key: normalised[key] for key in frames.columns}
            )
            self._batch = self.frames.batch
        self.device = self.frames.first.device
        self.weights = None if weights is None else torch.from_numpy(weights).to(self.device)
        self.samples_a_step = config.batch_size * config.gradient_accumulation_steps * self.processes.count
        self._drawn = first_frames(config.policy, frames)
        n_drawn = len(frames) if self._drawn is None else len(self._drawn)
        self.order = BatchOrder(n_drawn, self.samples_a_step, config.seed)

        preset = config.policy.get_optimizer_preset()
        self.grad_clip_norm = preset.grad_clip_norm if preset.grad_clip_norm > 0 else math.inf
        if lerobots:
            self.optimizer = preset.build(policy.get_optim_params())
        else:
            self.optimizer = torch.optim.AdamW(
                policy.get_optim_params(),
                lr=preset.lr,
                betas=preset.betas,
                eps=preset.eps,
                weight_decay=preset.weight_decay,
                fused=config.policy.device in ("cpu", "cuda"),
            )
        schedule = config.policy.get_scheduler_preset()
        self.scheduler = (
            ConstantLR(self.optimizer, 1.0)
            if schedule is None
            else schedule.build(self.optimizer, config.steps)
        )
        self._raw = list(policy.parameters())
        self.processes.share_weights(self._raw)
        self.acting = copy.deepcopy(policy).eval()  # the averaged weights
        self._averaged = list(self.acting.parameters())
        self.step, self.loss, self.seconds = 0, math.nan, 0.0
        self.window = Window(self.device)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def shares(self, step: int) -> torch.Tensor:
        """Return this process' frames of a batch, by part of the accumulated gradient, int64, (parts, batch_size)."""
        parts = self.config.gradient_accumulation_steps
        drawn = self.order.indices(step)
        drawn = drawn if self._drawn is None else self._drawn[drawn]
        batch = drawn.view(parts, self.processes.count, self.config.batch_size)
        return batch[:, self.processes.rank].to(self.device)

    def update(
        self, wants_to_stop: Callable[[], bool] = lambda: False
    ) -> tuple[torch.Tensor, torch.Tensor, bool]:
        """Take one gradient step.

        Args:
            wants_to_stop: Says whether this process was asked to stop.

        Returns:
            The loss and the norm of the gradient before clipping, scalars still on the device; and whether a
            process wants to stop, in which all of them agree.
        """
        if self.frames.images:
            for step in range(self.step, self.step + N_AHEAD):
                self.frames.prefetch(self.shares(step).flatten())
        self.processes.seed_noise(self.config.seed, self.step)
        self.optimizer.zero_grad()
        loss = self._accumulate(self.shares(self.step))
        loss, stop = self.processes.average(self._raw, loss, wants_to_stop())
        grad_norm = torch.nn.utils.clip_grad_norm_(self._raw, self.grad_clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1
        # The average warms up, so that the first, random weights do not linger in it.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._raw, 1 - decay)
        return loss, grad_norm, stop

    def _accumulate(self, shares: torch.Tensor) -> torch.Tensor:
        """Add up the gradient of the mean loss over (parts, batch_size) windows; return that loss."""
        total = torch.zeros((), device=self.device)
        for index in shares:
            with self._precision():
                loss = self.loss_of(index)
            if len(shares) > 1:
                loss = loss / len(shares)
            loss.backward()
            total = total + loss.detach()
        return total

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if not self.config.bf16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def loss_of(self, index: torch.Tensor) -> torch.Tensor:
        """Return the loss of the windows around some frames, a scalar: their mean, weighted where frames are."""
        batch = self._batch(index)
        if self.weights is None:
            return self.policy.forward(batch)[0]
        return (self.weights[index] * self.policy.forward(batch, reduction="none")[0]).mean()

    def record(self) -> dict[str, Any]:
        """Return what `train_config.json` holds now."""
        return run_record(self.config, self.provenance, self.step, self.loss)

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint of the present step lies."""
        return checkpoint_dir(self.output_dir, self.step, self.config.steps)

    def save(self) -> None:
        """Write the checkpoint of the present step.

        Raises:
            StorageError: If the disk is full or not writable; earlier checkpoints are untouched.
        """
        write_checkpoint(self.checkpoint, self._write)

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
        state = {
            "step": self.step,
            "batch_size": self.config.batch_size,
            "processes": self.processes.count,
            "loss": self.loss,
            "seconds": self.seconds,
            "window": self.window.state(),
        }
        (state_dir / TRAINING_STEP).write_text(json.dumps(state))

    def restore(self, checkpoint: Path) -> None:
        """Continue from a checkpoint of this run.

        Raises:
            DataError: If it is damaged.
            MismatchError: If episodes, symmetries or the number of processes are not those that it was trained with.
        """
        before = load_record(checkpoint / PRETRAINED_MODEL)["run"]["dataset"]
        if before["episodes_sha256"] != self.provenance.episodes_sha256:
            raise MismatchError(
                f"the run was trained on {len(before['episodes'])} episodes ({before['n_frames']} frames), "
                f"but the dataset now gives {len(self.provenance.episodes)} ({self.provenance.n_frames}): "
                "restore the dataset, or start anew in another --output_dir"
            )
        if before.get("symmetry_sha256") != self.provenance.symmetry_sha256:
            raise MismatchError(
                f"--dataset.symmetry={self.config.dataset.symmetry} is another file than when the run began: "
                "restore it, or start anew in another --output_dir"
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
            if "window" in state:
                self.window.load(state["window"])
            load_rng_state(state_dir)
        except Exception as error:
            raise DataError(
                f"checkpoint {checkpoint} cannot be loaded ({' '.join(str(error).split())}): "
                "delete its folder and the link 'last' beside it, then resume from the one before"
            ) from error
        self.step, self.loss, self.seconds = state["step"], state["loss"], state.get("seconds", 0.0)
        count = state.get("processes", 1)
        if count != self.processes.count:
            raise MismatchError(
                f"the run was trained by {count} processes, and this is {self.processes.count}: "
                f"start {count}, so that each batch is shared as before, or start anew in another --output_dir"
            )
