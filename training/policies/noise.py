"""The road from an action chunk to pure noise, and the ways back, for every kind of prediction.

A chunk x_0 at noise level k in 0..T is x_k = a_k x_0 + s_k eps, eps ~ N(0, I), from (a_0, s_0) = (1, 0):

- `cosine`, `linear`: a_k = sqrt(abar_k), s_k = sqrt(1 - abar_k), abar by diffusers (Nichol & Dhariwal 2021,
  arXiv 2102.09672, eq. 17; Ho et al. 2020, arXiv 2006.11239, section 4, stretched to T levels);
- `flow`: a_k = 1 - k/T, s_k = k/T (Lipman et al. 2023, arXiv 2210.02747; Liu et al. 2023, arXiv 2209.03003).

A network may predict x_0, eps, or the velocity v = eps - x_0; each gives the others by x_k. One step back serves
all roads: on `cosine` and `linear` they are those of diffusers' DDIM and DDPM schedulers, on `flow` Euler's.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn

SCHEDULES = ("cosine", "linear", "flow")
PREDICTIONS = ("x0", "epsilon", "velocity")


class NoisePath(nn.Module):
    """a_k and s_k of one schedule, and what follows from them.

    Attributes:
        signal: a_k, float32, (T + 1,), on the policy's device; never saved, the config makes it anew.
        noise: s_k, float32, (T + 1,), likewise.
    """

    signal: Tensor
    noise: Tensor

    def __init__(self, schedule: str, n_levels: int) -> None:
        """Tabulate a schedule of `SCHEDULES` over `n_levels` (T) levels."""
        super().__init__()
        self.n_levels = n_levels
        if schedule == "flow":
            noise = np.linspace(0, 1, n_levels + 1)
            signal = 1 - noise
        else:
            stretch = 1000 / n_levels  # Ho et al. give their betas for 1,000 levels
            scheduler = DDPMScheduler(
                n_levels,
                beta_start=min(1e-4 * stretch, 0.999),
                beta_end=min(2e-2 * stretch, 0.999),
                beta_schedule={"cosine": "squaredcos_cap_v2", "linear": "linear"}[schedule],
            )
            abar = np.concatenate([[1.0], scheduler.alphas_cumprod.double().numpy()])
            signal, noise = np.sqrt(abar), np.sqrt(1 - abar)
        self._a: list[float] = (
            signal.tolist()
        )  # as Python's own numbers a compiler can take them for constants
        self._s: list[float] = noise.tolist()
        self.register_buffer("signal", torch.tensor(signal, dtype=torch.float32), persistent=False)
        self.register_buffer("noise", torch.tensor(noise, dtype=torch.float32), persistent=False)

    def levels(self, n_steps: int) -> list[int]:
        """Return the levels that a sampler of `n_steps` visits, from T to 0, evenly spaced: n_steps + 1 of them."""
        return [round(self.n_levels * left / n_steps) for left in range(n_steps, -1, -1)]

    def mix(self, clean: Tensor, eps: Tensor, k: Tensor) -> Tensor:
        """Return x_k of clean chunks and noise, (batch, horizon, dim), at levels k, int64, (batch,)."""
        return self.signal[k][:, None, None] * clean + self.noise[k][:, None, None] * eps

    @staticmethod
    def target(prediction: str, clean: Tensor, eps: Tensor) -> Tensor:
        """Return what a network that makes a prediction of `PREDICTIONS` is to say."""
        return {"x0": clean, "epsilon": eps, "velocity": eps - clean}[prediction]

    def clean(self, prediction: str, output: Tensor, noisy: Tensor, k: int) -> Tensor:
        """Return the clean chunk that a network's output on x_k implies.

        Args:
            prediction: What the output is, of `PREDICTIONS`.
            output: (batch, horizon, dim).
            noisy: x_k, (batch, horizon, dim).
            k: The level, 1..T.
        """
        a, s = self._a[k], self._s[k]
        if prediction == "x0":
            return output
        if prediction == "epsilon":
            return (noisy - s * output) / a
        return (noisy - s * output) / (a + s)  # x_k = a x_0 + s (x_0 + v)

    def back(self, clean: Tensor, noisy: Tensor, now: int, then: int) -> Tensor:
        """Go from level `now` to a lower one along the same noise.

        Song et al. 2021, arXiv 2010.02502, eq. 12 with sigma 0. On the flow road it is Euler's step
        x + (then - now)/T v of dx/dt = v.
        """
        # a_then x_0 + s_then eps with eps = (x_now - a_now x_0) / s_now, in two operations.
        ratio = self._s[then] / self._s[now]
        return torch.add((self._a[then] - ratio * self._a[now]) * clean, noisy, alpha=ratio)

    def drawn_back(self, clean: Tensor, noisy: Tensor, now: int, then: int) -> Tensor:
        """Draw from the posterior q(x_then | x_now, x_0), by torch's global generator.

        Ho et al. 2020, eq. 7; for any road Kingma et al. 2021, arXiv 2107.00630, appendix A.4.
        """
        a_now, s_now, a_then, s_then = self._a[now], self._s[now], self._a[then], self._s[then]
        ratio = a_now / a_then
        fresh = s_now**2 - ratio**2 * s_then**2  # variance of q(x_now | x_then)
        mean = (ratio * s_then**2 / s_now**2) * noisy + (a_then * fresh / s_now**2) * clean
        if then == 0:
            return mean
        return mean + (math.sqrt(max(fresh, 0.0)) * s_then / s_now) * torch.randn_like(noisy)
