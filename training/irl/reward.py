"""A learnt reward as a lerobot reward model: `make_reward_model` loads it, `compute_reward` gives R(s) = w . phi(s).

What it computes is `collector.dataset.linear_reward`, which curation evaluates without torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards.pretrained import PreTrainedRewardModel
from torch import Tensor

from collector.dataset.feature_maps import FeatureMap, array_shapes
from collector.dataset.linear_reward import TYPE, LinearReward


@RewardModelConfig.register_subclass(TYPE)
@dataclass
class LinearConfig(RewardModelConfig):
    """What the reward's `config.json` holds."""

    discount: float = 0.99
    # `FeatureMap.spec`
    features: dict[str, Any] = field(default_factory=dict)
    # How and of what it was learnt
    learnt: dict[str, Any] = field(default_factory=dict)


class LinearRewardModel(PreTrainedRewardModel):
    """R(s) = w . phi(s)."""

    config_class = LinearConfig
    name = TYPE
    config: LinearConfig

    def __init__(self, config: LinearConfig, **kwargs: Any) -> None:
        """Build it with weights of 0, which a checkpoint replaces.

        Args:
            config: With the features' spec.
            kwargs: `reward`, a `LinearReward` to begin with; others of lerobot's factory are not needed.
        """
        super().__init__(config)
        reward: LinearReward | None = kwargs.get("reward")
        if reward is not None:
            arrays = {"weights": reward.weights} | reward.features.arrays
        else:
            n, dim = len(config.features.get("names", [])), sum(config.features.get("widths", {}).values())
            due = {"weights": (n,)} | array_shapes(config.features.get("kind", ""), dim, n)
            arrays = {name: np.full(shape, float(name in ("std", "high"))) for name, shape in due.items()}
        self._arrays = [name for name in arrays if name != "weights"]
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(array, dtype=torch.float32))

    def linear(self) -> LinearReward:
        """Return it as numpy evaluates it.

        Raises:
            DataError: If features and weights do not fit.
        """
        arrays = {name: getattr(self, name).double().cpu().numpy() for name in (*self._arrays, "weights")}
        weights = arrays.pop("weights")
        features = FeatureMap.of(self.config.features, arrays)
        return LinearReward(features, weights, self.config.discount, self.config.learnt)

    @torch.no_grad()
    def compute_reward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return rewards, float32, (batch,).

        Args:
            batch: The columns that it reads, in the dataset's units, (batch, dim).

        Raises:
            DataError: If one is missing or of another width.
        """
        reward = self.linear()
        tables = {
            name: batch[name].double().cpu().numpy() for name in reward.features.columns if name in batch
        }
        return torch.as_tensor(reward(tables), dtype=torch.float32, device=self.weights.device)


def model_of(reward: LinearReward) -> LinearRewardModel:
    """Return a reward as lerobot's model."""
    config = LinearConfig(
        device="cpu", discount=reward.discount, features=reward.features.spec(), learnt=reward.learnt
    )
    return LinearRewardModel(config, reward=reward)


def load_reward(folder: Path) -> LinearRewardModel:
    """Load a reward that `LinearReward.save` or lerobot wrote, by lerobot's own way.

    Raises:
        OSError: If it is not there.
    """
    return LinearRewardModel.from_pretrained(folder)


def make_linear_pre_post_processors(
    config: LinearConfig, dataset_stats: dict[str, dict[str, Tensor]] | None = None
) -> tuple[Any, Any]:
    """Return lerobot's pipelines around the model: they add a batch axis and move to the device, and change no unit.

    Args:
        config: The model's.
        dataset_stats: Not needed: the features know what they are standardised by.
    """
    from lerobot.processor import (
        AddBatchDimensionProcessorStep,
        DeviceProcessorStep,
        PolicyProcessorPipeline,
        policy_action_to_transition,
        transition_to_policy_action,
    )

    before = [AddBatchDimensionProcessorStep(), DeviceProcessorStep(device=config.device or "cpu")]
    return (
        PolicyProcessorPipeline(steps=before, name="linear_preprocessor"),
        PolicyProcessorPipeline(
            steps=[DeviceProcessorStep(device="cpu")],
            name="linear_postprocessor",
            to_transition=policy_action_to_transition,
            to_output=transition_to_policy_action,
        ),
    )
