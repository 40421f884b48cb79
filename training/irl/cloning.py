"""Behaviour cloning of single steps, the yardstick beside inverse reinforcement learning: no chunks, no simulator.

(`training.policies.bc` is the one to fly with: it predicts chunks and is a lerobot policy.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from training.irl.transitions import Transitions
from training.policies.denoisers import mlp

_BATCH, _HIDDEN, _RATE = 64, 64, 1e-3  # as in IQ-Learn, so that they can be compared


def clone_discrete(shown: Transitions, steps: int, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the expert's actions by cross-entropy.

    Args:
        shown: The expert's transitions.
        steps: Gradient steps.
        seed: Of weights and batches.

    Returns:
        From observations (..., observation_dim) to the likeliest action, int64, (...).
    """
    predict = _fit(shown, shown.n_actions, torch.as_tensor(shown.action), cross_entropy, steps, seed)
    return lambda observation: predict(observation).argmax(-1).numpy()


def clone_continuous(shown: Transitions, steps: int, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the expert's actions by squared error; as `clone_discrete`, to actions float32, (..., action_dim)."""
    action = torch.as_tensor(shown.action, dtype=torch.float32)
    predict = _fit(shown, action.shape[1], action, mse_loss, steps, seed)
    return lambda observation: predict(observation).numpy()


def _fit(
    shown: Transitions,
    n_out: int,
    target: Tensor,
    error: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    seed: int,
) -> Callable[[np.ndarray], Tensor]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    seen = torch.as_tensor(shown.observation, dtype=torch.float32)
    mean, std = seen.mean(0), seen.std(0, correction=0).clamp_min(1e-3)
    net = mlp(seen.shape[1], _HIDDEN, 2, n_out)
    optimiser = torch.optim.Adam(net.parameters(), lr=_RATE, fused=True)
    for _ in range(steps):
        chosen = torch.as_tensor(rng.integers(len(seen), size=_BATCH))
        loss = error(net((seen[chosen] - mean) / std), target[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def predict(observation: np.ndarray) -> Tensor:
        return net((torch.as_tensor(observation, dtype=torch.float32) - mean) / std)

    return predict
