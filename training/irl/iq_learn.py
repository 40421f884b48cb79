"""Inverse soft Q-learning, offline: one soft Q function is both the expert's reward and its policy.

Garg et al. 2021, "IQ-Learn: Inverse soft-Q Learning for Imitation", arXiv 2106.12142. Among all Q, the one is sought
that maximises, with the soft values V(s) = E_{a ~ pi}[Q(s, a) - T log pi(a|s)] of its own best policy pi and with
the chi-squared divergence, phi(x) = x - x^2 / (4 alpha),

    J(Q) = E_expert[phi(Q(s, a) - gamma V(s'))] - (1 - gamma) E_{s_0}[V(s_0)].

Offline the last term is taken over the expert's own transitions, along whose flights it telescopes ("value_expert" in
the authors' code): (1 - gamma) E[V(s_0)] = E_expert[V(s) - gamma V(s')]. No step is taken in the world, and no
adversary is trained. The reward it found is r(s, a) = Q(s, a) - gamma V(s').

The network gives V and pi, and Q(s, a) = V(s) + T log pi(a|s). With discrete actions that is any Q there is, V being
T log sum_a exp(Q(s, a) / T) and pi = softmax(Q / T): a network of Q itself must draw a kink wherever the expert changes
its mind, and learns slower. With continuous actions pi is a Gaussian, so that Q is a parabola over the actions (as in
Gu et al. 2016, "Continuous Deep Q-Learning with Model-based Acceleration", arXiv 1603.00748). The paper fits another
network to Q instead, as SAC does; offline that one runs after a Q which nothing corrects where the expert never was,
and on Pendulum it learnt nothing from two sets of flights in five. A parabola needs none: V and pi are exact, and no
action is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from collector.errors import DataError, UsageError
from training.irl.transitions import Transitions
from training.policies.denoisers import mlp

_LOG_STD = (-3.0, 1.0)  # range of the policy's spread [half ranges of the actions]
_REPORT_EVERY = 500
_DIVERGED = 1e6  # |Q|, where rewards are of the order of 1


@dataclass(frozen=True)
class IqSettings:
    """How to learn.

    Attributes:
        steps: Gradient steps.
        batch_size: Transitions a step.
        discount: gamma.
        temperature: T: what entropy is worth in rewards.
        alpha: Of the chi-squared regulariser; rewards are drawn to 0 by r^2 / (4 alpha).
        learning_rate: Adam's.
        hidden_dim: Width of each network's two hidden layers.
        seed: Of weights and batches.
    """

    steps: int = 3000
    batch_size: int = 64
    discount: float = 0.99
    temperature: float = 0.1
    alpha: float = 0.5
    learning_rate: float = 3e-3
    hidden_dim: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "hidden_dim"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: it must be at least 1")
        for name in ("temperature", "alpha", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name}={getattr(self, name)}: it must be above 0")
        if not 0 <= self.discount < 1:
            raise UsageError(f"discount={self.discount}: it must be at least 0 and below 1")


class SoftQ(nn.Module):
    """Normalised observations, the objective's loss, and a policy; one network gives V, then the policy's numbers."""

    mean: Tensor
    std: Tensor

    def __init__(self, shown: Transitions, settings: IqSettings, n_policy: int) -> None:
        """Take the observations' mean and spread from the expert's; `n_policy`: numbers that describe the policy."""
        super().__init__()
        self.settings = settings
        seen = torch.as_tensor(shown.observation, dtype=torch.float32)
        self.register_buffer("mean", seen.mean(0))
        self.register_buffer("std", seen.std(0, correction=0).clamp_min(1e-3))
        self.net = mlp(seen.shape[1], settings.hidden_dim, 2, 1 + n_policy)

    def normalised(self, observation: Tensor) -> Tensor:
        """Return observations in standard deviations of the expert's, (n, observation_dim)."""
        return (observation - self.mean) / self.std

    def log_likely(self, policy: Tensor, action: Tensor) -> Tensor:
        """Return log pi(a|s), (n,), of the numbers that describe the policy, (n, n_policy)."""
        raise NotImplementedError

    def likeliest(self, policy: Tensor) -> Tensor:
        """Return the likeliest actions as the flights have them."""
        raise NotImplementedError

    def value(self, observation: Tensor) -> Tensor:
        """Return V, (n,); observations are normalised."""
        return self.net(observation)[:, 0]

    def q_and_value(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return Q of pairs and V, (n,) each; observations are normalised."""
        value, policy = self.net(observation).tensor_split([1], dim=1)
        return value[:, 0] + self.settings.temperature * self.log_likely(policy, action), value[:, 0]

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Return the policy's most likely actions.

        Args:
            observation: As trained on, float, (..., observation_dim).

        Returns:
            int64, (...), or float32, (..., action_dim).
        """
        seen = torch.as_tensor(observation, dtype=torch.float32)
        return self.likeliest(self.net(self.normalised(seen))[..., 1:]).numpy()

    def objective(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return -J(Q), a scalar, and the rewards r(s, a), (n,)."""
        observation, action, after, ended = batch
        gamma, alpha = self.settings.discount, self.settings.alpha
        ahead = gamma * (1 - ended) * self.value(after)  # behind an end comes nothing: V = 0
        q, value = self.q_and_value(observation, action)
        reward = q - ahead
        soft = reward - reward**2 / (4 * alpha)  # phi
        worth = value - ahead  # telescopes to (1 - gamma) V(s_0)
        return (worth - soft).mean(), reward

    @torch.no_grad()
    def rewards(self, shown: Transitions) -> np.ndarray:
        """Return the learnt reward of transitions, float32, (n,)."""
        return self.objective(tensors(shown, self))[1].numpy()


class DiscreteSoftQ(SoftQ):
    """One of `n_actions` actions; the policy is described by its logits."""

    def __init__(self, shown: Transitions, settings: IqSettings) -> None:
        """Build the network."""
        super().__init__(shown, settings, shown.n_actions)

    def log_likely(self, policy: Tensor, action: Tensor) -> Tensor:
        return policy.log_softmax(1).gather(1, action[:, None])[:, 0]

    def likeliest(self, policy: Tensor) -> Tensor:
        return policy.argmax(-1)


class ContinuousSoftQ(SoftQ):
    """Actions in a box, which scales them and cuts what is flown; the policy is described by means and spreads."""

    low: Tensor
    high: Tensor

    def __init__(self, shown: Transitions, settings: IqSettings) -> None:
        """Build the network."""
        super().__init__(shown, settings, 2 * shown.action.shape[1])
        assert shown.low is not None and shown.high is not None  # Transitions
        self.register_buffer("low", torch.as_tensor(shown.low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(shown.high, dtype=torch.float32))

    def log_likely(self, policy: Tensor, action: Tensor) -> Tensor:
        mean, spread = policy.chunk(2, dim=1)
        least, most = _LOG_STD
        log_std = least + (most - least) * spread.sigmoid()
        apart = (action - mean) / log_std.exp()
        return (-0.5 * apart**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(1)

    def likeliest(self, policy: Tensor) -> Tensor:
        action = policy.chunk(2, dim=-1)[0].clamp(-1, 1)
        return self.low + (action + 1) / 2 * (self.high - self.low)


def tensors(shown: Transitions, model: SoftQ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return transitions as a model takes them: normalised, discrete actions int64, others in [-1, 1]."""
    action = torch.as_tensor(shown.action)
    if isinstance(model, ContinuousSoftQ):
        action = (action.float() - model.low) / (model.high - model.low) * 2 - 1
    return (
        model.normalised(torch.as_tensor(shown.observation, dtype=torch.float32)),
        action,
        model.normalised(torch.as_tensor(shown.next_observation, dtype=torch.float32)),
        torch.as_tensor(shown.ended, dtype=torch.float32),
    )


def iq_learn(
    shown: Transitions,
    settings: IqSettings,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
    stopped: Callable[[], bool] = lambda: False,
) -> SoftQ:
    """Learn Q from an expert's transitions alone.

    Args:
        shown: The expert's transitions.
        settings: As `IqSettings`.
        report: Told every 500 steps of `step`, `loss` (-J), `reward` and `value` (means over a batch).
        stopped: Asked as often; what is learnt by then is returned.

    Raises:
        DataError: If the networks diverge.
    """
    torch.manual_seed(settings.seed)
    model = (DiscreteSoftQ if shown.n_actions else ContinuousSoftQ)(shown, settings)
    data, rng = tensors(shown, model), np.random.default_rng(settings.seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    for step in range(1, settings.steps + 1):
        chosen = torch.as_tensor(rng.integers(len(shown), size=settings.batch_size))
        batch = tuple(column[chosen] for column in data)
        loss, reward = model.objective(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % _REPORT_EVERY == 0 or step == settings.steps:
            with torch.no_grad():
                value = float(model.value(batch[0]).mean())
            if not abs(value) < _DIVERGED:
                raise DataError(
                    f"IQ-Learn diverges: values reach {value:.3g} at step {step}; lower learning_rate (now "
                    f"{settings.learning_rate}) or alpha ({settings.alpha}), or raise temperature "
                    f"({settings.temperature})"
                )
            report({"step": step, "loss": loss.item(), "reward": reward.mean().item(), "value": value})
            if stopped():
                break
    return model.eval()
