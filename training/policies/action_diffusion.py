"""Diffusion policy on action chunks, predicting the clean chunk (ALGORITHMS: "Diffusion policy").

Training: k ~ Uniform{1..T}, eps ~ N(0, I), a^(k) = sqrt(abar_k) a + sqrt(1 - abar_k) eps; a network
f_theta(s, a^(k), k) predicts the clean chunk a; L = ||f_theta(s, a^(k), k) - a||^2.

Acting starts from a^(T) ~ N(0, I) and removes the noise by one of three samplers:

- `ddim` (default): the deterministic few-step sampler (Song et al. 2021, arXiv 2010.02502, eq. 12).
- `ddpm`: the posterior q(a^(k-1) | a^(k), a_hat) over all T steps (Ho et al. 2020, arXiv 2006.11239, eq. 7).
- `literal`: a^(k-1) = f_theta(s, a^(k), k) over all T steps, the clean estimate fed back as it is. The
  network then meets inputs with less noise than level k-1 promises, so this is kept for study.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from lerobot.configs import PreTrainedConfig
from lerobot.processor.factory import make_default_pre_post_processors
from torch import Tensor

from collector.errors import UsageError
from training.policies.chunk import ChunkConfig, ChunkPolicy, mlp

SAMPLERS = ("ddim", "ddpm", "literal")
N_FREQUENCIES = 16  # sines and cosines that tell the network the noise level


@PreTrainedConfig.register_subclass("action_diffusion")
@dataclass
class ActionDiffusionConfig(ChunkConfig):
    """Settings of `--policy.type=action_diffusion`."""

    num_train_timesteps: int = 100  # T, noise levels in training
    sampler: str = "ddim"  # ddim, ddpm or literal
    num_inference_steps: int = 5  # noise levels that ddim visits; ddpm and literal visit all T
    clip_sample_range: float = 5.0  # limit of the clean estimate while sampling [standard deviations]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampler not in SAMPLERS:
            raise UsageError(f"--policy.sampler={self.sampler}: choose one of {', '.join(SAMPLERS)}")
        if not 1 <= self.num_inference_steps <= self.num_train_timesteps:
            raise UsageError(
                f"--policy.num_inference_steps={self.num_inference_steps}: "
                f"it must be between 1 and --policy.num_train_timesteps ({self.num_train_timesteps})"
            )


class ActionDiffusionPolicy(ChunkPolicy):
    """f_theta(s, a^(k), k) -> a, a multilayer perceptron on the flattened chunk."""

    config_class = ActionDiffusionConfig
    name = "action_diffusion"
    config: ActionDiffusionConfig

    def __init__(self, config: ActionDiffusionConfig, **kwargs: Any) -> None:
        """Build the network and the noise schedule; arguments as `ChunkPolicy`'s.

        Raises:
            ValueError: If the features hold no low-dimensional observation or no action.
        """
        super().__init__(config, **kwargs)
        n_chunk = config.horizon * config.action_dim
        n_in = config.observation_dim + n_chunk + 2 * N_FREQUENCIES
        self.net = mlp(n_in, config.hidden_dim, config.n_layers, n_chunk)
        schedule = {
            "num_train_timesteps": config.num_train_timesteps,
            "beta_schedule": "squaredcos_cap_v2",  # Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 17
            "prediction_type": "sample",
            "clip_sample": True,
            "clip_sample_range": config.clip_sample_range,
            # "trailing" starts few-step samplers at level T, where the chunk is pure noise as in training.
            "timestep_spacing": "trailing",
        }
        self.scheduler = DDIMScheduler(**schedule) if config.sampler == "ddim" else DDPMScheduler(**schedule)
        n_steps = config.num_inference_steps if config.sampler == "ddim" else config.num_train_timesteps
        self.scheduler.set_timesteps(n_steps)
        # Neither is learned: rebuilt from the config, so not in the checkpoint.
        self.register_buffer("alpha_bar", self.scheduler.alphas_cumprod.clone(), persistent=False)
        self.register_buffer("frequencies", torch.linspace(0, 6, N_FREQUENCIES).exp(), persistent=False)

    def denoise(self, observation: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        """Return the clean chunk estimated from a noisy one, f_theta(s, a^(k), k).

        Args:
            observation: Normalised observations, (batch, observation_dim).
            noisy: Chunks at that noise level, (batch, horizon, action_dim).
            level: k - 1, int64, (batch,): diffusers counts the levels from 0.

        Returns:
            float32, (batch, horizon, action_dim).
        """
        phase = (level + 1)[:, None] / self.config.num_train_timesteps * self.frequencies
        features = [observation, noisy.flatten(1), phase.sin(), phase.cos()]
        return self.net(torch.cat(features, dim=-1)).unflatten(-1, noisy.shape[1:])

    def loss(self, observation: Tensor, actions: Tensor) -> Tensor:
        level = torch.randint(self.config.num_train_timesteps, (len(actions),), device=actions.device)
        abar = self.alpha_bar[level][:, None, None]
        noisy = abar.sqrt() * actions + (1 - abar).sqrt() * torch.randn_like(actions)
        return (self.denoise(observation, noisy, level) - actions) ** 2

    def sample(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        shape = (len(observation), self.config.horizon, self.config.action_dim)
        chunk = torch.randn(shape, device=observation.device) if noise is None else noise
        for level in self.scheduler.timesteps:
            levels = level.to(chunk.device).expand(len(chunk))
            clean = self.denoise(observation, chunk, levels)
            if self.config.sampler == "literal":
                chunk = clean
            else:
                chunk = self.scheduler.step(clean, int(level), chunk).prev_sample
        return chunk


def make_action_diffusion_pre_post_processors(
    config: ActionDiffusionConfig, dataset_stats: dict[str, dict[str, Tensor]] | None = None
) -> tuple[Any, Any]:
    """Return lerobot's pipelines around the policy: one normalises observations, one gives actions units.

    Args:
        config: Settings with the features filled in.
        dataset_stats: `{feature: {"mean": ..., "std": ...}}`; None when a checkpoint brings its own.
    """
    return make_default_pre_post_processors(config, dataset_stats, normalizer_device=config.device)
