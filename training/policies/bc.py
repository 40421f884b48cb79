"""Behaviour cloning (Pomerleau 1988), of action chunks: a network is fitted to the expert.

- `mse` (default): from expert pairs (s, a_{1:H}) it minimises L(theta) = mean ||pi_theta(s) - a_{1:H}||^2. Where
  experts do different things in the same state the mean of both is predicted.
- `gmm`: a mixture of Gaussians over whole chunks (Bishop 1994, "Mixture density networks", eq. 22; for cloning
  Mandlekar et al. 2021, arXiv 2108.03298) minimises -log sum_m w_m(s) N(a_{1:H}; mu_m(s), sigma_m(s)^2), and the
  mean of the likeliest part is flown, so that different ways stay apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from lerobot.configs import PreTrainedConfig
from lerobot.processor.factory import make_default_pre_post_processors
from torch import Tensor
from torch.nn.functional import softplus

from collector.errors import UsageError
from training.policies.chunk import ChunkPolicy, mean_error
from training.policies.denoisers import mlp
from training.policies.settings import ChunkConfig, check_choice

HEADS = ("mse", "gmm")


@PreTrainedConfig.register_subclass("bc")
@dataclass
class BcConfig(ChunkConfig):
    """Settings of `--policy.type=bc`."""

    head: str = "mse"  # mse (squared error) or gmm (mixture of Gaussians)
    n_modes: int = 5  # Gaussians of gmm
    min_std: float = 0.05  # least standard deviation of gmm's Gaussians [standard deviations of the actions]
    squash: bool = (
        False  # keep mse's normalised actions within [-1, 1] by tanh, for actions normalised to that box
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("head", self.head, HEADS)
        for name, least in (("n_modes", 1), ("min_std", 1e-4)):
            if getattr(self, name) < least:
                raise UsageError(f"--policy.{name}={getattr(self, name)}: it must be at least {least}")


class BcPolicy(ChunkPolicy):
    """pi_theta(s) -> a_{1:H}, a multilayer perceptron."""

    config_class = BcConfig
    name = "bc"
    config: BcConfig

    def __init__(self, config: BcConfig, **kwargs: Any) -> None:
        """Build the network; arguments and errors as `ChunkPolicy`'s."""
        super().__init__(config, **kwargs)
        n_out = config.horizon * config.action_dim
        if config.head == "gmm":
            n_out = config.n_modes * (1 + 2 * n_out)
        self.net = mlp(config.observation_dim, config.hidden_dim, config.n_layers, n_out)

    def mixture(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return gmm's Gaussians: log w, (batch, n_modes), mu and sigma, (batch, n_modes, horizon, dim)."""
        config = self.config
        logits, rest = self.net(observation).tensor_split([config.n_modes], dim=-1)
        mean, spread = rest.unflatten(-1, (2, config.n_modes, config.horizon, config.action_dim)).unbind(1)
        return logits.log_softmax(-1), mean, softplus(spread) + config.min_std

    def loss(self, observation: Tensor, actions: Tensor, real: Tensor | None) -> Tensor:
        if self.config.head == "mse":
            return mean_error((self.sample(observation) - actions) ** 2, real)
        log_weight, mean, std = self.mixture(observation)
        log_density = -0.5 * ((actions[:, None] - mean) / std) ** 2 - std.log() - 0.5 * math.log(2 * math.pi)
        weight = torch.ones_like(actions[..., :1]) if real is None else real
        log_density = (log_density * weight[:, None]).sum((2, 3))
        # By entry, so that chunks of any length take the same learning rate.
        return -(log_weight + log_density).logsumexp(1) / (weight.sum((1, 2)) * actions.shape[-1])

    def sample(
        self, observation: Tensor, noise: Tensor | None = None, prefix: Tensor | None = None
    ) -> Tensor:
        if self.config.head == "mse":
            chunk = self.net(observation).unflatten(-1, (self.config.horizon, self.config.action_dim))
            return chunk.tanh() if self.config.squash else chunk
        log_weight, mean, _ = self.mixture(observation)
        return mean[torch.arange(len(mean), device=mean.device), log_weight.argmax(1)]


def make_bc_pre_post_processors(
    config: BcConfig, dataset_stats: dict[str, dict[str, Tensor]] | None = None
) -> tuple[Any, Any]:
    """Return lerobot's pipelines around the policy: one normalises observations, one gives actions units.

    Args:
        config: Settings with the features filled in.
        dataset_stats: `{feature: {"mean": ..., "std": ...}}`; None when a checkpoint brings its own.
    """
    return make_default_pre_post_processors(config, dataset_stats, normalizer_device=config.device)
