"""Behaviour cloning (Pomerleau 1988), of action chunks: a network is fitted to the expert by squared error.

From expert pairs (s, a_{1:H}) it minimises L(theta) = mean ||pi_theta(s) - a_{1:H}||^2. Where experts do
different things in the same state the mean of both is predicted; `action_diffusion` keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lerobot.configs import PreTrainedConfig
from lerobot.processor.factory import make_default_pre_post_processors
from torch import Tensor

from training.policies.chunk import ChunkConfig, ChunkPolicy, mlp


@PreTrainedConfig.register_subclass("bc")
@dataclass
class BcConfig(ChunkConfig):
    """Settings of `--policy.type=bc`."""


class BcPolicy(ChunkPolicy):
    """pi_theta(s) -> a_{1:H}, a multilayer perceptron."""

    config_class = BcConfig
    name = "bc"

    def __init__(self, config: BcConfig, **kwargs: Any) -> None:
        """Build the network; arguments as `ChunkPolicy`'s.

        Raises:
            ValueError: If the features hold no low-dimensional observation or no action.
        """
        super().__init__(config, **kwargs)
        n_out = config.horizon * config.action_dim
        self.net = mlp(config.observation_dim, config.hidden_dim, config.n_layers, n_out)

    def loss(self, observation: Tensor, actions: Tensor) -> Tensor:
        return (self.sample(observation) - actions) ** 2

    def sample(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.net(observation).unflatten(-1, (self.config.horizon, self.config.action_dim))


def make_bc_pre_post_processors(
    config: BcConfig, dataset_stats: dict[str, dict[str, Tensor]] | None = None
) -> tuple[Any, Any]:
    """Return lerobot's pipelines around the policy: one normalises observations, one gives actions units.

    Args:
        config: Settings with the features filled in.
        dataset_stats: `{feature: {"mean": ..., "std": ...}}`; None when a checkpoint brings its own.
    """
    return make_default_pre_post_processors(config, dataset_stats, normalizer_device=config.device)
