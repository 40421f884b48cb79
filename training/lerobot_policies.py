"""lerobot's own policies (act, diffusion, multi_task_dit, smolvla, ...) on this data path.

Ours take columns that were normalised once; lerobot's bring a processor that wants each batch as `LeRobotDataset` gives
it: images as floats, tasks in words, statistics of its own choice.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lerobot.configs import PreTrainedConfig
from lerobot.utils.constants import IMAGENET_STATS
from torch import Tensor

from collector.dataset.stats import column_stats
from collector.errors import UsageError
from training.data import EpisodeFrames
from training.policies.settings import ChunkConfig

TASK_INDEX = "task_index"
TRAINED_HERE = ("act", "diffusion", "multi_task_dit", "smolvla")


def is_lerobots(config: PreTrainedConfig) -> bool:
    """Return whether a policy is one of lerobot's own."""
    return not isinstance(config, ChunkConfig)


def statistics(frames: EpisodeFrames) -> dict[str, dict[str, np.ndarray]]:
    """Return what lerobot's normaliser may ask for: `column_stats` of these frames, and ImageNet's of the cameras.

    Source of the latter: `DatasetConfig.use_imagenet_stats`, lerobot's default.
    """
    exact = {
        name: {key: values.astype(np.float32) for key, values in column_stats(column.cpu().numpy()).items()}
        for name, column in frames.columns.items()
        if name != TASK_INDEX
    }
    of_images = {key: np.array(values, np.float32) for key, values in IMAGENET_STATS.items()}
    return exact | dict.fromkeys(frames.images, of_images)


def batches(frames: EpisodeFrames, preprocessor: Any) -> Callable[[Tensor], dict[str, Any]]:
    """Return what makes a batch, as lerobot's policies take it, of the windows around frames, int64, (batch,)."""

    def batch_of(index: Tensor) -> dict[str, Any]:
        batch: dict[str, Any] = frames.batch(index)
        for camera in frames.images:
            batch[camera] = batch[camera].float() / 255
        batch["task"] = [frames.tasks[task] for task in batch.pop(TASK_INDEX).flatten().long().tolist()]
        return preprocessor(batch)

    return batch_of


def first_frames(config: PreTrainedConfig, frames: EpisodeFrames) -> Tensor | None:
    """Return the frames that windows are drawn around, int64, or None for all.

    lerobot's diffusion policies leave an episode's last frames out (`drop_n_last_frames`).

    Raises:
        UsageError: If no episode is long enough.
    """
    left_out = getattr(config, "drop_n_last_frames", None) or 0
    if not left_out:
        return None
    chosen = torch.nonzero(torch.arange(len(frames)) <= frames.last.cpu() - left_out).flatten()
    if not len(chosen):
        raise UsageError(
            f"--policy.drop_n_last_frames={left_out}: no chosen episode is that long; give a smaller number"
        )
    return chosen


def check_weighable(policy: Any, weighed: bool) -> None:
    """Raise `UsageError` where frames have weights and the policy's loss is one number for the whole batch."""
    if weighed and "reduction" not in inspect.signature(policy.forward).parameters:
        raise UsageError(
            f"--policy.type={policy.name}: its loss cannot weigh frames: leave --dataset.weight, .intervention_weight "
            "and .policy_weight out, and choose episodes by --dataset.filter"
        )
