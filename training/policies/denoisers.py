"""Three networks that look at a noisy action chunk: perceptron, 1-D U-Net and transformer.

Each is called with the observation (batch, n_observation), the noisy chunk (batch, horizon, action_dim) and the
sines and cosines of the noise level (batch, n_phase), and returns a chunk like the noisy one.

A sampler asks the same network about one observation at several levels. What follows from observation and level alone
is computed for all of them at once, by `at_levels`: the same numbers in fewer operations, which are what acting costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, pad

NETWORKS = ("mlp", "unet", "transformer")
AtLevels = Callable[[Tensor, int], Tensor]
"""From a noisy chunk, (batch, horizon, action_dim), and the place of its level to what the network says of it."""


def mlp(n_in: int, hidden_dim: int, n_layers: int, n_out: int) -> nn.Sequential:
    """Return a multilayer perceptron with GELU between its `n_layers` hidden layers and the output."""
    layers: list[nn.Module] = []
    for n in [n_in] + [hidden_dim] * (n_layers - 1):
        layers += [nn.Linear(n, hidden_dim), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(hidden_dim, n_out))


class MlpDenoiser(nn.Sequential):
    """A perceptron on the flattened chunk: `hidden_dim` wide, `n_layers` deep."""

    def __init__(
        self, n_observation: int, n_phase: int, horizon: int, action_dim: int, hidden_dim: int, n_layers: int
    ) -> None:
        n_chunk = horizon * action_dim
        super().__init__(*mlp(n_observation + n_chunk + n_phase, hidden_dim, n_layers, n_chunk))

    def forward(self, observation: Tensor, noisy: Tensor, phase: Tensor) -> Tensor:
        seen = torch.cat([observation, noisy.flatten(1), phase], dim=-1)
        return super().forward(seen).unflatten(-1, noisy.shape[1:])

    def at_levels(self, observation: Tensor, phases: Tensor) -> AtLevels:
        """Return the network of one observation; phases: (n_levels, batch, n_phase)."""
        first, *others = [layer for layer in self if isinstance(layer, nn.Linear)]
        n_after = first.in_features - phases.shape[-1]
        by_observation, by_chunk, by_phase = first.weight.T.tensor_split([observation.shape[1], n_after])
        given = (phases @ by_phase + torch.addmm(first.bias, observation, by_observation)).unbind()
        # The call of a module would take as long as a layer of so few numbers.
        weights = [(layer.weight, layer.bias) for layer in others]

        def say(noisy: Tensor, level: int) -> Tensor:
            x = torch.addmm(given[level], noisy.flatten(1), by_chunk)
            for weight, bias in weights:
                x = linear(gelu(x), weight, bias)
            return x.view_as(noisy)

        return say


class _FilmBlock(nn.Module):
    """Two convolutions over time; between them the condition scales and shifts each channel, beside a shortcut."""

    def __init__(self, n_in: int, n_out: int, n_condition: int, n_times: int) -> None:
        super().__init__()
        self.first = _convolution(n_in, n_out, n_times)
        self.film = nn.Linear(n_condition, 2 * n_out)
        self.second = _convolution(n_out, n_out, n_times)
        self.shortcut = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, film: Tensor) -> Tensor:
        """Take (batch, n_in, time) and what `film` made of the condition, (batch, 2 n_out)."""
        scale, shift = film.unsqueeze(-1).chunk(2, dim=1)
        return self.second(self.first(x) * (1 + scale) + shift) + self.shortcut(x)


def _convolution(n_in: int, n_out: int, n_times: int) -> nn.Sequential:
    n_groups = math.gcd(8, n_out)
    if n_out * n_times == n_groups:
        n_groups //= 2  # a group of one number would be normalised to nothing
    norm = nn.GroupNorm(n_groups, n_out)
    return nn.Sequential(nn.Conv1d(n_in, n_out, 5, padding=2), norm, nn.Mish())


class UnetDenoiser(nn.Module):
    """A U-Net over time, `hidden_dim` / 8, / 4 and / 2 channels wide.

    Janner et al. 2022, arXiv 2205.09991; conditioned by FiLM as in Chi et al. 2023, arXiv 2303.04137, section III-A.
    """

    def __init__(
        self, n_observation: int, n_phase: int, horizon: int, action_dim: int, hidden_dim: int, n_layers: int
    ) -> None:
        super().__init__()
        wide = [max(8, hidden_dim // part) for part in (8, 4, 2)]
        condition_dim = max(8, hidden_dim // 4)
        self.condition = nn.Sequential(nn.Linear(n_observation + n_phase, condition_dim), nn.Mish())

        n_times = -(-horizon // 4)  # at the middle, where time was halved twice

        def block(n_in: int, n_out: int, times: int) -> _FilmBlock:
            return _FilmBlock(n_in, n_out, condition_dim, times * n_times)

        self.down = nn.ModuleList([block(action_dim, wide[0], 4), block(wide[0], wide[1], 2)])
        self.shrink = nn.ModuleList([nn.Conv1d(n, n, 3, stride=2, padding=1) for n in wide[:2]])
        self.middle = block(wide[1], wide[2], 1)
        self.grow = nn.ModuleList(
            [nn.ConvTranspose1d(wide[2], wide[1], 4, 2, 1), nn.ConvTranspose1d(wide[1], wide[0], 4, 2, 1)]
        )
        self.up = nn.ModuleList([block(2 * wide[1], wide[1], 2), block(2 * wide[0], wide[0], 4)])
        self.out = nn.Conv1d(wide[0], action_dim, 1)

    def forward(self, observation: Tensor, noisy: Tensor, phase: Tensor) -> Tensor:
        return self._denoised(noisy, self._films(torch.cat([observation, phase], dim=-1)))

    def at_levels(self, observation: Tensor, phases: Tensor) -> AtLevels:
        """Return the network of one observation; phases: (n_levels, batch, n_phase)."""
        films = self._films(torch.cat([observation.expand(len(phases), -1, -1), phases], dim=-1))
        return lambda noisy, level: self._denoised(noisy, [film[level] for film in films])

    def _films(self, seen: Tensor) -> list[Tensor]:
        """Return what scales and shifts each block's channels, in the order of the blocks."""
        condition = self.condition(seen)
        return [block.film(condition) for block in (*self.down, self.middle, *self.up)]

    def _denoised(self, noisy: Tensor, films: list[Tensor]) -> Tensor:
        film = iter(films)
        horizon = noisy.shape[1]
        # Halved twice, so the time axis is filled up to a multiple of four with its last entry.
        x = pad(noisy.transpose(1, 2), (0, -horizon % 4), mode="replicate")
        passed = []
        for block, shrink in zip(self.down, self.shrink):
            x = block(x, next(film))
            passed.append(x)
            x = shrink(x)
        x = self.middle(x, next(film))
        for grow, block in zip(self.grow, self.up):
            x = block(torch.cat([grow(x), passed.pop()], dim=1), next(film))
        return self.out(x)[..., :horizon].transpose(1, 2)


class TransformerDenoiser(nn.Module):
    """Attention among the chunk's actions, the observation and the noise level, each a token.

    `n_layers` layers of width `hidden_dim` / 2 (Chi et al. 2023, arXiv 2303.04137, section III-A; here all tokens
    share one encoder instead of cross-attention).
    """

    def __init__(
        self, n_observation: int, n_phase: int, horizon: int, action_dim: int, hidden_dim: int, n_layers: int
    ) -> None:
        super().__init__()
        width = max(8, hidden_dim // 2)
        self.observation = nn.Linear(n_observation, width)
        self.level = nn.Linear(n_phase, width)
        self.action = nn.Linear(action_dim, width)
        self.place = nn.Parameter(0.02 * torch.randn(horizon + 2, width))
        layer = nn.TransformerEncoderLayer(
            width, math.gcd(4, width), 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, action_dim))

    def forward(self, observation: Tensor, noisy: Tensor, phase: Tensor) -> Tensor:
        return self._denoised(noisy, torch.stack([self.observation(observation), self.level(phase)], dim=1))

    def at_levels(self, observation: Tensor, phases: Tensor) -> AtLevels:
        """Return the network of one observation; phases: (n_levels, batch, n_phase)."""
        levels = self.level(phases)
        contexts = torch.stack([self.observation(observation).expand_as(levels), levels], dim=2)
        return lambda noisy, level: self._denoised(noisy, contexts[level])

    def _denoised(self, noisy: Tensor, context: Tensor) -> Tensor:
        tokens = torch.cat([context, self.action(noisy)], dim=1) + self.place
        return self.out(self.layers(tokens)[:, 2:])


def make_denoiser(
    network: str,
    n_observation: int,
    n_phase: int,
    horizon: int,
    action_dim: int,
    hidden_dim: int,
    n_layers: int,
) -> nn.Module:
    """Return a network of `NETWORKS`."""
    kind = {"mlp": MlpDenoiser, "unet": UnetDenoiser, "transformer": TransformerDenoiser}[network]
    return kind(n_observation, n_phase, horizon, action_dim, hidden_dim, n_layers)
