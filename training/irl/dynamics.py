"""Learnt features: what a network must know of a frame to foretell the next one.

    phi(s) = f(s) / ||f(s)||,    s' is foretold as g(phi(s), a),

f and g learnt together by the squared error of s', each entry in its own standard deviations: phi keeps what matters
for what comes next, and frames that go on alike come to lie near each other (Jain et al. 2024, arXiv 2411.07007, the
features "forward dynamics", there of size 128). Nothing is known of rewards or experts; random flights will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss, normalize, one_hot

from collector.dataset.feature_maps import FeatureMap, fit_entries, standardised
from collector.errors import DataError
from training.irl.transitions import Transitions
from training.policies.denoisers import mlp

STEPS, BATCH, HIDDEN = 2000, 256, 128
_RATE = 1e-3


def fit_dynamics(
    table: Mapping[str, np.ndarray],
    columns: Sequence[str],
    entries: Mapping[str, list[str]],
    flown: Transitions,
    n: int,
    seed: int,
    steps: int = STEPS,
) -> tuple[FeatureMap, float]:
    """Learn features.

    Args:
        table: Columns of frames, (n_frames, dim) each, whose mean and spread scale what is seen.
        columns: Those that the features see; side by side they are the transitions' observations.
        entries: Names of their entries.
        flown: What to learn from, the expert's and others'.
        n: Features.
        seed: Of weights and batches.
        steps: Gradient steps.

    Returns:
        The features, and the share of the variance of what comes next that they explain, by the last tenth of the
        transitions, which they were not learnt from.

    Raises:
        DataError: If the networks diverge.
    """
    plain = fit_entries(table, columns, entries)
    rng = np.random.default_rng([seed, 0xD1FF])
    torch.manual_seed(int(rng.integers(2**31)))
    before, after = (
        torch.as_tensor(standardised(x, plain.arrays), dtype=torch.float32)
        for x in (flown.observation, flown.next_observation)
    )
    action = _action(flown)
    dim = before.shape[1]
    embed = nn.Sequential(nn.Linear(dim, n), nn.Tanh(), nn.Linear(n, n))
    foretell = mlp(n + action.shape[1], HIDDEN, 1, dim)
    optimiser = torch.optim.Adam([*embed.parameters(), *foretell.parameters()], _RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def told(rows: torch.Tensor | slice) -> torch.Tensor:
        return foretell(torch.cat([normalize(embed(before[rows])), action[rows]], dim=1))

    known = max(1, len(flown) - len(flown) // 10)
    for _ in range(steps):
        rows = torch.as_tensor(rng.integers(known, size=BATCH))
        loss = mse_loss(told(rows), after[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    kept = slice(known, None) if known < len(flown) else slice(None)
    with torch.no_grad():
        missed = float(mse_loss(told(kept), after[kept]))
    if not np.isfinite(missed):
        raise DataError(
            "learning the features diverges: leave flights with jumps out, or take --irl.features=fourier"
        )
    explained = 1 - missed / max(float(after[kept].var(0, correction=0).mean()), 1e-12)
    hidden, embedding = embed[0], embed[2]
    arrays = {
        "hidden_weight": hidden.weight.T,
        "hidden_bias": hidden.bias,
        "embedding_weight": embedding.weight.T,
        "embedding_bias": embedding.bias,
    }
    learnt = {name: value.detach().double().numpy().copy() for name, value in arrays.items()}
    names = tuple(f"learnt {i}" for i in range(n))
    return replace(plain, kind="dynamics", names=names, arrays=plain.arrays | learnt), explained


def _action(flown: Transitions) -> torch.Tensor:
    if flown.n_actions:
        return one_hot(torch.as_tensor(flown.action), flown.n_actions).float()
    spread = flown.action.std(axis=0)
    scaled = (flown.action - flown.action.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0)
    return torch.as_tensor(scaled, dtype=torch.float32)
