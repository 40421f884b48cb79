"""Diffusion policy on action chunks (ALGORITHMS: "Diffusion policy"; Chi et al. 2023, arXiv 2303.04137).

Training: k ~ Uniform{1..T}, eps ~ N(0, I), x_k = a_k x_0 + s_k eps of the expert's chunk x_0; a network
f_theta(s, x_k, k) predicts x_0 (`x0`, the default), eps (`epsilon`) or eps - x_0 (`velocity`); L is its squared
error. Which a_k and s_k: `training.policies.noise`.

Acting starts from x_T ~ N(0, I) and removes the noise by one of these samplers:

- `ddim` (default): the deterministic few-step sampler (Song et al. 2021, arXiv 2010.02502, eq. 12).
- `euler`: the same on the `flow` schedule, where it is Euler's method (Lipman et al. 2023, arXiv 2210.02747).
- `ddpm`: the posterior q(x_{k-1} | x_k, x_0) over all T steps (Ho et al. 2020, arXiv 2006.11239, eq. 7).
- `literal`: x_{k-1} = the clean estimate at level k, over all T steps, fed back as it is. The network then
  meets inputs with less noise than level k-1 promises, so this is kept for study.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from lerobot.configs import PreTrainedConfig
from lerobot.processor.factory import make_default_pre_post_processors
from torch import Tensor

from collector.errors import UsageError
from training.policies.chunk import ChunkPolicy, mean_error
from training.policies.denoisers import NETWORKS, make_denoiser
from training.policies.noise import PREDICTIONS, SCHEDULES, NoisePath
from training.policies.settings import ChunkConfig, check_choice

SAMPLERS = ("ddim", "ddpm", "literal", "euler")
N_FREQUENCIES = 16  # sines and cosines that tell the network the noise level


@PreTrainedConfig.register_subclass("action_diffusion")
@dataclass
class ActionDiffusionConfig(ChunkConfig):
    """Settings of `--policy.type=action_diffusion`."""

    network: str = "mlp"  # mlp, unet (over time) or transformer
    prediction_type: str = (
        "x0"  # what the network predicts: x0 (clean actions), epsilon (noise), velocity (flow)
    )
    # cosine, linear or flow (default: flow for velocity, else cosine)
    noise_schedule: str | None = None
    num_train_timesteps: int = 100  # T, noise levels in training
    # ddim, ddpm, literal or euler (default: euler on the flow schedule, else ddim)
    sampler: str | None = None
    # Noises by which each window is learnt from in a step; more are worth it where seeing costs most, as with cameras
    noise_draws: int = 1
    num_inference_steps: int = 5  # noise levels that ddim and euler visit; ddpm and literal visit all T
    clip_sample_range: float = 5.0  # limit of the clean estimate while sampling [standard deviations]
    # Most actions that may be flown while the next chunk is predicted, which training tells the network; 0: none
    rtc_max_delay: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("network", self.network, NETWORKS)
        check_choice("prediction_type", self.prediction_type, PREDICTIONS)
        if self.noise_schedule is None:
            self.noise_schedule = "flow" if self.prediction_type == "velocity" else "cosine"
        check_choice("noise_schedule", self.noise_schedule, SCHEDULES)
        if self.sampler is None:
            self.sampler = "euler" if self.noise_schedule == "flow" else "ddim"
        check_choice("sampler", self.sampler, SAMPLERS)
        if self.noise_draws < 1:
            raise UsageError(f"--policy.noise_draws={self.noise_draws}: it must be at least 1")
        if not 1 <= self.num_inference_steps <= self.num_train_timesteps:
            raise UsageError(
                f"--policy.num_inference_steps={self.num_inference_steps}: "
                f"it must be between 1 and --policy.num_train_timesteps ({self.num_train_timesteps})"
            )
        most = self.horizon - self.n_obs_steps
        if not 0 <= self.rtc_max_delay <= most:
            raise UsageError(
                f"--policy.rtc_max_delay={self.rtc_max_delay}: it must be between 0 and {most}, so that an action is "
                "left to predict (--policy.horizon - --policy.n_obs_steps)"
            )
        if self.sampler == "euler" and self.noise_schedule != "flow":
            raise UsageError(
                f"--policy.sampler=euler needs --policy.noise_schedule=flow, not {self.noise_schedule}: "
                "take ddim, its like on the other schedules"
            )
        if self.prediction_type == "epsilon" and self.noise_schedule == "flow":
            raise UsageError(
                "--policy.prediction_type=epsilon says nothing of the actions at the flow schedule's last level, "
                "which is noise alone: predict velocity, or take --policy.noise_schedule=cosine"
            )


class ActionDiffusionPolicy(ChunkPolicy):
    """f_theta(s, x_k, k), a network of `training.policies.denoisers`."""

    config_class = ActionDiffusionConfig
    name = "action_diffusion"
    config: ActionDiffusionConfig
    phases: Tensor

    def __init__(self, config: ActionDiffusionConfig, **kwargs: Any) -> None:
        """Build the network and the noise schedule; arguments and errors as `ChunkPolicy`'s."""
        super().__init__(config, **kwargs)
        self.net = make_denoiser(
            config.network,
            config.observation_dim,
            2 * N_FREQUENCIES + (config.horizon if config.rtc_max_delay else 0),
            config.horizon,
            config.action_dim,
            config.hidden_dim,
            config.n_layers,
        )
        self.path = NoisePath(str(config.noise_schedule), config.num_train_timesteps)
        # Sines and cosines of each level, (T + 1, 2 N_FREQUENCIES); not learned, so not in the checkpoint.
        levels = torch.arange(config.num_train_timesteps + 1)
        phase = levels[:, None] / config.num_train_timesteps * torch.linspace(0, 6, N_FREQUENCIES).exp()
        self.register_buffer("phases", torch.cat([phase.sin(), phase.cos()], dim=-1), persistent=False)

    def denoise(self, observation: Tensor, noisy: Tensor, k: Tensor, known: Tensor | None = None) -> Tensor:
        """Return what the network predicts, f_theta(s, x_k, k).

        Args:
            observation: Normalised observations, (batch, observation_dim).
            noisy: x_k, (batch, horizon, action_dim).
            k: Noise levels, 1..T, int64, (batch,).
            known: Which actions of x_k are clean, bool, (batch, horizon); None: none. With `rtc_max_delay` only.

        Returns:
            float32, (batch, horizon, action_dim).
        """
        return self.net(observation, noisy, self._told(self.phases[k], known))

    def denoiser_at(
        self, observation: Tensor, levels: list[int], known: Tensor | None = None
    ) -> Callable[[Tensor, int], Tensor]:
        """Return f_theta of given observations at given levels, to be asked for (x_k, place of k in `levels`).

        Args:
            observation: As `denoise` takes it.
            levels: Noise levels, 1..T.
            known: As `denoise` takes it, the same at all levels.
        """
        phases = self.phases[levels].unsqueeze(1).expand(-1, len(observation), -1)
        return self.net.at_levels(observation, self._told(phases, known))

    def _told(self, phases: Tensor, known: Tensor | None) -> Tensor:
        """Return levels, (..., batch, 2 N_FREQUENCIES), with which actions are clean behind them, where it is told."""
        if not self.config.rtc_max_delay:
            return phases
        clean = phases.new_zeros(*phases.shape[:-1], self.config.horizon)
        return torch.cat([phases, clean if known is None else clean + known], dim=-1)

    def loss(self, observation: Tensor, actions: Tensor, real: Tensor | None) -> Tensor:
        n_draws = self.config.noise_draws
        if n_draws > 1:
            observation, actions = (each.repeat_interleave(n_draws, dim=0) for each in (observation, actions))
            real = None if real is None else real.repeat_interleave(n_draws, dim=0)
        k = 1 + torch.randint(self.config.num_train_timesteps, (len(actions),), device=actions.device)
        eps = torch.randn_like(actions)
        noisy, known = self.path.mix(actions, eps, k), None
        if self.config.rtc_max_delay:
            n_known = torch.randint(self.config.rtc_max_delay + 1, (len(actions),), device=actions.device)
            known = self._from_now_on(n_known)
            noisy = torch.where(known.unsqueeze(-1), actions, noisy)
            predicted = (~known).unsqueeze(-1).to(actions.dtype)
            real = predicted if real is None else predicted * real
        output = self.denoise(observation, noisy, k, known)
        error = (output - self.path.target(self.config.prediction_type, actions, eps)) ** 2
        return mean_error(error, real).unflatten(0, (-1, n_draws)).mean(1)

    def _from_now_on(self, n: Tensor) -> Tensor:
        """Return which places of a chunk are the first n from the present on, bool, (batch, horizon)."""
        present = self.config.n_obs_steps - 1
        places = torch.arange(self.config.horizon, device=n.device)
        return (places >= present) & (places < present + n[:, None])

    def sample(
        self, observation: Tensor, noise: Tensor | None = None, prefix: Tensor | None = None
    ) -> Tensor:
        config = self.config
        shape = (len(observation), config.horizon, config.action_dim)
        chunk = torch.randn(shape, device=observation.device) if noise is None else noise
        few = config.sampler in ("ddim", "euler")
        levels = self.path.levels(config.num_inference_steps if few else config.num_train_timesteps)
        flown = _Flown(self, prefix, chunk)
        denoise = self.denoiser_at(observation, levels[:-1], flown.known)
        for step, (now, then) in enumerate(pairwise(levels)):
            chunk = flown.put_into(chunk, now)
            clean = self.path.clean(config.prediction_type, denoise(chunk, step), chunk, now)
            clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range)
            if config.sampler == "literal":
                chunk = clean
            elif config.sampler == "ddpm":
                chunk = self.path.drawn_back(clean, chunk, now, then)
            else:
                chunk = self.path.back(clean, chunk, now, then)
        return flown.put_into(chunk, 0)


class _Flown:
    """Actions that will have been flown before a chunk is there, which the rest of it has to go on from.

    Real-time chunking. A policy trained for it (`rtc_max_delay`) is shown so many of them clean, and told so (Black et
    al. 2025, arXiv 2512.05964); to others, and beyond, they are shown with the noise of each level, as in inpainting
    (Lugmayr et al. 2022, arXiv 2201.09865, eq. 8, without its resampling).
    """

    def __init__(self, policy: ActionDiffusionPolicy, prefix: Tensor | None, noise: Tensor) -> None:
        """Args: the policy, the actions from the present on (batch, n, action_dim) or None, and x_T."""
        self._path, self._prefix, self.known = policy.path, prefix, None
        if prefix is None:
            return
        first, self._n_clean = policy.config.n_obs_steps - 1, policy.config.rtc_max_delay
        self._prefix = prefix[:, : noise.shape[1] - first]
        self._places = slice(first, first + self._prefix.shape[1])
        self._eps = noise[:, self._places]
        if self._n_clean:
            n = min(self._n_clean, self._prefix.shape[1])
            self.known = policy._from_now_on(torch.full((len(noise),), n, device=noise.device))

    def put_into(self, chunk: Tensor, level: int) -> Tensor:
        """Return a chunk at a noise level with these actions in their places."""
        if self._prefix is None:
            return chunk
        shown = self._path.signal[level] * self._prefix + self._path.noise[level] * self._eps
        shown[:, : self._n_clean] = self._prefix[:, : self._n_clean]
        chunk = chunk.clone()
        chunk[:, self._places] = shown
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
