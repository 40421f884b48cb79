"""What action-chunking policies on low-dimensional state share: their settings, features and action queue.

Such a policy sees the present state s (joint positions and, where the dataset has it, the scene's state) and
predicts the next `horizon` actions at once; it flies the first `n_action_steps` of them before it looks again
(Zhao et al. 2023, arXiv 2304.13705; Chi et al. 2023, arXiv 2303.04137).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature, PreTrainedConfig
from lerobot.optim import AdamWConfig
from lerobot.optim.schedulers import CosineAnnealingWithWarmupSchedulerConfig
from lerobot.policies.pretrained import PreTrainedPolicy
from lerobot.utils.constants import ACTION, OBS_ENV_STATE, OBS_STATE
from torch import Tensor, nn

from collector.errors import UsageError


@dataclass
class ChunkConfig(PreTrainedConfig):
    """Settings that every chunking policy has; not registered, so never a `--policy.type` itself."""

    n_obs_steps: int = 1  # observations the policy sees: only the present one
    horizon: int = 16  # H, actions predicted at once
    n_action_steps: int = 8  # actions flown before the policy looks again
    hidden_dim: int = 512  # width of the network
    n_layers: int = 3  # hidden layers of the network
    observation_noise: float = (
        0.02  # noise added to normalised observations in training [standard deviations]
    )
    mask_padding: bool = (
        False  # leave actions past an episode's end out of the loss, instead of holding the last
    )

    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {
            "STATE": NormalizationMode.MEAN_STD,
            "ENV": NormalizationMode.MEAN_STD,
            "ACTION": NormalizationMode.MEAN_STD,
        }
    )
    optimizer_lr: float = 1e-3  # peak learning rate
    optimizer_weight_decay: float = 1e-4
    scheduler_warmup_steps: int = 200

    # Filled in from the dataset, so that the checkpoint knows which robot it fits and how fast it was flown.
    action_feature_names: list[str] | None = None
    state_feature_names: list[str] | None = None
    environment_state_names: list[str] | None = None
    fps: int | None = None  # control rate of the training data [Hz]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_obs_steps != 1:
            raise UsageError(
                f"--policy.n_obs_steps={self.n_obs_steps}: '{self.type}' sees one observation, set 1"
            )
        if not 1 <= self.n_action_steps <= self.horizon:
            raise UsageError(
                f"--policy.n_action_steps={self.n_action_steps}: "
                f"it must be between 1 and --policy.horizon ({self.horizon})"
            )

    def get_optimizer_preset(self) -> AdamWConfig:
        return AdamWConfig(lr=self.optimizer_lr, weight_decay=self.optimizer_weight_decay, eps=1e-8)

    def get_scheduler_preset(self) -> CosineAnnealingWithWarmupSchedulerConfig:
        return CosineAnnealingWithWarmupSchedulerConfig(num_warmup_steps=self.scheduler_warmup_steps)

    def set_dataset_feature_metadata(self, features: dict[str, dict]) -> None:
        """Remember the names behind each vector; lerobot's `make_policy` calls this too."""
        self.action_feature_names = _names(features, ACTION)
        self.state_feature_names = _names(features, OBS_STATE)
        self.environment_state_names = _names(features, OBS_ENV_STATE)

    def validate_features(self) -> None:
        """Keep the inputs that the policy reads (images are ignored).

        Raises:
            ValueError: If there is no low-dimensional input or no action.
        """
        features: dict[str, PolicyFeature] = self.input_features or {}  # type: ignore[has-type]
        self.input_features = {
            key: feature for key, feature in features.items() if key in (OBS_STATE, OBS_ENV_STATE)
        }
        # `executed_action` and the like carry the same type in lerobot's eyes; only `action` is predicted.
        features = self.output_features or {}  # type: ignore[has-type]
        self.output_features = {key: feature for key, feature in features.items() if key == ACTION}
        if not self.input_features:
            raise ValueError(
                f"'{self.type}' sees {OBS_STATE} or {OBS_ENV_STATE}, and the data has neither "
                "(policies on images alone: lerobot-train)"
            )
        if not self.output_features:
            raise ValueError(f"'{self.type}' needs the feature '{ACTION}', and the data has none")

    @property
    def observation_delta_indices(self) -> None:
        return None

    @property
    def action_delta_indices(self) -> list[int]:
        return list(range(self.horizon))

    @property
    def reward_delta_indices(self) -> None:
        return None

    @property
    def observation_dim(self) -> int:
        """Length of the concatenated observation vector."""
        return sum(_length(feature) for feature in (self.input_features or {}).values())

    @property
    def action_dim(self) -> int:
        """Length of one action."""
        return sum(_length(feature) for feature in (self.output_features or {}).values())


def _names(features: dict[str, dict], key: str) -> list[str] | None:
    """Return the flat list of a feature's entry names, or None where the dataset does not name them."""
    names = features.get(key, {}).get("names")
    if isinstance(names, dict):  # {"motors": [...]}, as older converters wrote it
        names = [name for group in names.values() for name in group]
    return [str(name) for name in names] if names else None


def _length(feature: PolicyFeature) -> int:
    if feature.type is FeatureType.VISUAL or len(feature.shape) != 1:
        raise ValueError(f"a feature of shape {tuple(feature.shape)} is not a vector")
    return int(feature.shape[0])


def mlp(n_in: int, hidden_dim: int, n_layers: int, n_out: int) -> nn.Sequential:
    """Return a multilayer perceptron with GELU between its `n_layers` hidden layers and the output."""
    layers: list[nn.Module] = []
    for n in [n_in] + [hidden_dim] * (n_layers - 1):
        layers += [nn.Linear(n, hidden_dim), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(hidden_dim, n_out))


class ChunkPolicy(PreTrainedPolicy):
    """A policy that predicts action chunks and queues them; subclasses give `sample` and `loss`."""

    config_class = ChunkConfig
    name = "chunk"
    config: ChunkConfig

    def __init__(self, config: ChunkConfig, dataset_meta: Any = None, **kwargs: Any) -> None:
        """Check the features against what the policy can see.

        Args:
            config: Settings with `input_features` and `output_features` filled in.
            dataset_meta: lerobot's dataset metadata, where lerobot builds the policy: gives the control rate.
            **kwargs: What lerobot's factories pass besides; unused.

        Raises:
            ValueError: If the features hold no low-dimensional observation or no action.
        """
        super().__init__(config)
        config.validate_features()
        if dataset_meta is not None:
            config.fps = int(dataset_meta.fps)
        self._queue: deque[Tensor] = deque()

    def loss(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Return the squared error of each predicted action entry.

        Args:
            observation: Normalised observations, float32, (batch, observation_dim).
            actions: Normalised expert chunks, float32, (batch, horizon, action_dim).

        Returns:
            float32, (batch, horizon, action_dim).
        """
        raise NotImplementedError

    def sample(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return one normalised action chunk for each observation, float32, (batch, horizon, action_dim)."""
        raise NotImplementedError

    def get_optim_params(self) -> Any:
        return self.parameters()

    def reset(self) -> None:
        """Forget the queued actions: a new episode begins."""
        self._queue.clear()

    def forward(self, batch: dict[str, Tensor], reduction: str = "mean") -> tuple[Tensor, dict | None]:
        """Return the training loss of a batch as lerobot's data loaders make it.

        Args:
            batch: Normalised observations (batch, dim), `action` (batch, horizon, action_dim) and, with
                `mask_padding`, `action_is_pad` (batch, horizon) bool.
            reduction: "mean" over the batch, or "none" for one loss a sample.

        Returns:
            The loss, a scalar or (batch,), and nothing more to log.
        """
        observation = self._observation(batch)
        if self.training and self.config.observation_noise:
            observation = observation + self.config.observation_noise * torch.randn_like(observation)
        error = self.loss(observation, batch[ACTION])
        if self.config.mask_padding and "action_is_pad" in batch:
            real = (~batch["action_is_pad"]).unsqueeze(-1).to(error.dtype)
            # The first action of a window is never padding, so no denominator is 0.
            per_sample = (error * real).sum((1, 2)) / (real.sum((1, 2)) * error.shape[-1])
        else:
            per_sample = error.mean((1, 2))
        return (per_sample if reduction == "none" else per_sample.mean()), None

    @torch.no_grad()
    def predict_action_chunk(self, batch: dict[str, Tensor], noise: Tensor | None = None, **_: Any) -> Tensor:
        """Predict normalised actions for the present observation, float32, (batch, horizon, action_dim).

        Args:
            batch: Normalised observations, (batch, dim) each.
            noise: Where the policy samples: what to start from, (batch, horizon, action_dim).
        """
        self.eval()
        return self.sample(self._observation(batch), noise)

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], noise: Tensor | None = None, **_: Any) -> Tensor:
        """Return the next normalised action, (batch, action_dim); predicts anew when the queue is empty."""
        if not self._queue:
            chunk = self.predict_action_chunk(batch, noise)[:, : self.config.n_action_steps]
            self._queue.extend(chunk.transpose(0, 1))
        return self._queue.popleft()

    def _observation(self, batch: dict[str, Tensor]) -> Tensor:
        """Concatenate the inputs in the config's order, (batch, observation_dim)."""
        return torch.cat([batch[key].flatten(1) for key in self.config.input_features], dim=-1)
