"""GAIL, the adversarial baseline: torchrl's loss for the discriminator, SAC for the policy.

Ho & Ermon 2016, "Generative Adversarial Imitation Learning", arXiv 1606.03476: a discriminator D learns to tell the
expert's transitions from the policy's, and the policy learns under the reward -log(1 - D). Here, as for the other
learners in a simulator, it sees states alone: pairs (s, s') take the place of (s, a) (Torabi et al. 2018, "Generative
Adversarial Imitation from Observation", arXiv 1807.06158).

Needs the extra `irl` (torchrl and stable-baselines3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from collector.errors import DataError, UsageError
from training.irl.sac import SacLearner
from training.irl.simulated import Setup, parts
from training.policies.denoisers import mlp

PENALTY = 10.0  # weight of the gradient penalty, GAILLoss's own default
STEPS = 100  # of the discriminator between two looks at the policy
_CLIP = 5.0  # standard deviations of the expert's observations: far from them everything looks alike
_EDGE = 1e-6  # D is kept this far from 0 and 1


def import_torchrl() -> tuple[Any, Any, Any]:
    """Import `GAILLoss`, `TensorDict` and `TensorDictModule`.

    Raises:
        UsageError: If they are not installed.
    """
    try:
        from tensordict import TensorDict
        from tensordict.nn import TensorDictModule
        from torchrl.objectives import GAILLoss
    except ImportError as error:
        raise UsageError(
            f"GAIL needs torchrl ({error}): run \"pip install 'demodeck[irl]'\", or take --irl.type=sfm"
        ) from error
    return GAILLoss, TensorDict, TensorDictModule


class _Discriminator(nn.Module):
    """Probability that (s, s') is the expert's, (n, 1)."""

    def __init__(self, observation_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.net = mlp(2 * observation_dim, hidden_dim, 2, 1)

    def forward(self, seen: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        pair = torch.cat([seen, after], dim=-1).clamp(-_CLIP, _CLIP)
        return self.net(pair).sigmoid().clamp(_EDGE, 1 - _EDGE)


class GailLearner(SacLearner):
    """GAIL in the loop of `apprenticeship`: it looks at no weights, but its policies are kept and judged like others.

    So mu tells how near each of them came, and which one to take; the reward is the discriminator's, not w . phi.
    """

    def __init__(self, setup: Setup) -> None:
        """Begin."""
        loss, tensor_dict, module = import_torchrl()
        super().__init__(setup)
        self._tensor_dict = tensor_dict
        network = _Discriminator(setup.shown.seen.shape[1], setup.settings.hidden_dim)
        wrapped = module(network, in_keys=["observation", "action"], out_keys=["d_logits"])
        self._loss = loss(wrapped, use_grad_penalty=True, gp_lambda=PENALTY)
        self._network = network
        self._step = torch.optim.Adam(self._loss.parameters(), 1e-3)
        pairs = [(flight[:-1], flight[1:]) for flight in setup.shown.observations if len(flight) > 1]
        if not pairs:
            raise UsageError("no expert: GAIL needs at least one demonstration of two frames")
        self._expert = tuple(self.actor.normalised(np.concatenate(side)) for side in zip(*pairs))
        self._recent = setup.schedule.frames

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Let the discriminator look at what was flown last, then the policy learn under its reward."""
        self.agent.take(last)
        if not self.agent.frames:
            self.agent.learn(self._schedule.warmup)
        self._discriminate()
        self.agent.pursue(self.reward)
        for frames in parts(self._schedule.frames):
            self.agent.learn(frames)
            self.look_up()
        return self.actor.policy()

    @torch.no_grad()
    def reward(self, seen: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return -log(1 - D), float64, (n,), of observations and those after them."""
        return self._pairs(seen, after).double().numpy()

    def _pairs(self, seen: np.ndarray, after: np.ndarray) -> torch.Tensor:
        telling = self._network(self.actor.normalised(seen), self.actor.normalised(after))
        return -(1 - telling[:, 0]).log()

    def _discriminate(self) -> None:
        flown = [self.actor.normalised(side[-self._recent :]) for side in self.agent.transitions()]
        n = min(256, len(flown[0]))
        for _ in range(STEPS):
            theirs = torch.randint(len(self._expert[0]), (n,))
            ours = torch.randint(len(flown[0]), (n,))
            batch = self._tensor_dict(
                {
                    "observation": self._expert[0][theirs],
                    "action": self._expert[1][theirs],
                    "collector_observation": flown[0][ours],
                    "collector_action": flown[1][ours],
                },
                [n],
            )
            loss = self._loss(batch)["loss"]
            self._step.zero_grad()
            loss.backward()
            self._step.step()
        if not torch.isfinite(loss):
            raise DataError("GAIL's discriminator diverges: lower learning_rate, or take --irl.type=sfm")
