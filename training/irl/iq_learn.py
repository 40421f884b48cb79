"""Inverse soft Q-learning, offline: one soft Q function is both the expert's reward and its policy.

Garg et al. 2021, "IQ-Learn: Inverse soft-Q Learning for Imitation", arXiv 2106.12142. Among all Q, the one is sought
that maximises, with the soft values V(s) = E_{a ~ pi}[Q(s, a) - T log pi(a|s)] of its own best policy pi and with
the chi-squared divergence, phi(x) = x - x^2 / (4 alpha),

    J(Q) = E_expert[phi(Q(s, a) - gamma V(s'))] - (1 - gamma) E_{s_0}[V(s_0)].

Offline the last term is taken over the expert's own transitions, along whose flights it telescopes ("value_expert" in
the authors' code): (1 - gamma) E[V(s_0)] = E_expert[V(s) - gamma V(s')]. No step is taken in the world, and no
adversary is trained. The reward it found is r(s, a) = Q(s, a) - gamma V(s').

Discrete actions: V(s) = T log sum_a exp(Q(s, a) / T), pi = softmax(Q / T). The network gives V and pi, and
Q = V + T log pi, which is any Q there is: a network of Q itself must draw a kink wherever the expert changes its mind,
and learns slower.

Continuous actions in a box: pi is a Gaussian squeezed by tanh, fitted beside Q as in SAC (Haarnoja et al. 2018, arXiv
1812.05905), with two Q of which it believes the lower one (Fujimoto et al. 2018, arXiv 1802.09477).
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

_LOG_STD = (-5.0, 2.0)  # range of the policy's spread
_EDGE = 1e-6  # keeps the density of an action at the box's edge finite
_REPORT_EVERY = 500
_LEAST_Q = 1e-3  # to divide by
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
        cloning: Of the policy's squared distance from what the expert did, in its loss, where actions are continuous.
        hidden_dim: Width of each network's two hidden layers.
        seed: Of weights and batches.
    """

    steps: int = 3000
    batch_size: int = 64
    discount: float = 0.99
    temperature: float = 0.1
    alpha: float = 0.5
    learning_rate: float = 3e-3
    cloning: float = 0.0
    hidden_dim: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "hidden_dim"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: it must be at least 1")
        for name in ("temperature", "alpha", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name}={getattr(self, name)}: it must be above 0")
        if not 0 <= self.cloning < math.inf:
            raise UsageError(f"cloning={self.cloning}: it must be at least 0")
        if not 0 <= self.discount < 1:
            raise UsageError(f"discount={self.discount}: it must be at least 0 and below 1")


class SoftQ(nn.Module):
    """What both kinds of action share: normalised observations, the objective's loss, and a policy."""

    mean: Tensor
    std: Tensor

    def __init__(self, shown: Transitions, settings: IqSettings) -> None:
        """Take the observations' mean and spread from the expert's."""
        super().__init__()
        self.settings = settings
        seen = torch.as_tensor(shown.observation, dtype=torch.float32)
        self.register_buffer("mean", seen.mean(0))
        self.register_buffer("std", seen.std(0, correction=0).clamp_min(1e-3))

    def normalised(self, observation: Tensor) -> Tensor:
        """Return observations in standard deviations of the expert's, (n, observation_dim)."""
        return (observation - self.mean) / self.std

    def q(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return Q of pairs by each critic, (n_critics, n); observations are normalised."""
        raise NotImplementedError

    def value(self, observation: Tensor) -> Tensor:
        """Return V by each critic, (n_critics, n), differentiable in Q alone; observations are normalised."""
        raise NotImplementedError

    def q_and_value(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return both, for networks that have them from one pass."""
        return self.q(observation, action), self.value(observation)

    def policy_loss(self, observation: Tensor, action: Tensor) -> Tensor | None:
        """Return what the policy's own network minimises; None where Q is the policy. `action`: the expert's."""
        return None

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Return the policy's most likely actions.

        Args:
            observation: As trained on, float, (..., observation_dim).

        Returns:
            int64, (...), or float32, (..., action_dim).
        """
        raise NotImplementedError

    def objective(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return -J(Q) summed over the critics, a scalar, and the rewards r(s, a), (n_critics, n)."""
        observation, action, after, ended = batch
        gamma, alpha = self.settings.discount, self.settings.alpha
        ahead = gamma * (1 - ended) * self.value(after)  # behind an end comes nothing: V = 0
        q, value = self.q_and_value(observation, action)
        reward = q - ahead
        soft = reward - reward**2 / (4 * alpha)  # phi
        worth = value - ahead  # telescopes to (1 - gamma) V(s_0)
        return (worth - soft).mean(dim=1).sum(), reward

    @torch.no_grad()
    def rewards(self, shown: Transitions) -> np.ndarray:
        """Return the learnt reward of transitions, float32, (n,): the mean of the critics'."""
        observation, action, after, ended = tensors(shown, self)
        return self.objective((observation, action, after, ended))[1].mean(0).numpy()


class DiscreteSoftQ(SoftQ):
    """One of `n_actions` actions."""

    def __init__(self, shown: Transitions, settings: IqSettings) -> None:
        """Build a network with an output for V and one for each action."""
        super().__init__(shown, settings)
        self.net = mlp(shown.observation.shape[1], settings.hidden_dim, 2, 1 + shown.n_actions)

    def q(self, observation: Tensor, action: Tensor) -> Tensor:
        return self.q_and_value(observation, action)[0]

    def q_and_value(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        value, logits = self.net(observation).tensor_split([1], dim=1)
        log_likely = logits.log_softmax(1).gather(1, action[:, None])
        return (value + self.settings.temperature * log_likely).T, value.T

    def value(self, observation: Tensor) -> Tensor:
        return self.net(observation)[:, :1].T

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        seen = torch.as_tensor(observation, dtype=torch.float32)
        return self.net(self.normalised(seen))[..., 1:].argmax(-1).numpy()


class ContinuousSoftQ(SoftQ):
    """Actions in a box."""

    low: Tensor
    high: Tensor

    def __init__(self, shown: Transitions, settings: IqSettings) -> None:
        """Build two critics and a policy."""
        super().__init__(shown, settings)
        n_in, n_actions = shown.observation.shape[1], shown.action.shape[1]
        assert shown.low is not None and shown.high is not None  # Transitions
        self.register_buffer("low", torch.as_tensor(shown.low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(shown.high, dtype=torch.float32))
        self.critics = nn.ModuleList(mlp(n_in + n_actions, settings.hidden_dim, 2, 1) for _ in range(2))
        self.actor = mlp(n_in, settings.hidden_dim, 2, 2 * n_actions)

    def q(self, observation: Tensor, action: Tensor) -> Tensor:
        pair = torch.cat([observation, action], dim=1)
        return torch.cat([critic(pair) for critic in self.critics], dim=1).T

    def draw(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions in [-1, 1] drawn from the policy, (n, action_dim), and their log density, (n,)."""
        mean, log_std = self.actor(observation).chunk(2, dim=1)
        log_std = log_std.clamp(*_LOG_STD)
        noise = torch.randn_like(mean)
        raw = mean + noise * log_std.exp()
        action = raw.tanh()
        density = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        return action, (density - (1 - action**2 + _EDGE).log()).sum(1)

    def value(self, observation: Tensor) -> Tensor:
        with torch.no_grad():
            action, density = self.draw(observation)
        return self.q(observation, action) - self.settings.temperature * density

    def policy_loss(self, observation: Tensor, action: Tensor) -> Tensor:
        drawn, density = self.draw(observation)
        q = self.q(observation, drawn).min(0).values
        loss = (self.settings.temperature * density - q).mean()
        if not self.settings.cloning:
            return loss
        # Offline nothing corrects Q where the expert never was: Fujimoto & Gu 2021, arXiv 2106.06860, eq. 3 and 5.
        mean = self.actor(observation).chunk(2, dim=1)[0].tanh()
        scale = q.abs().mean().detach().clamp_min(_LEAST_Q)
        return loss / scale + self.settings.cloning * ((mean - action) ** 2).mean()

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        seen = torch.as_tensor(observation, dtype=torch.float32)
        action = self.actor(self.normalised(seen)).chunk(2, dim=-1)[0].tanh()
        return (self.low + (action + 1) / 2 * (self.high - self.low)).numpy()


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
    actor = list(model.actor.parameters()) if isinstance(model, ContinuousSoftQ) else []
    critic = [weight for weight in model.parameters() if all(weight is not other for other in actor)]
    critic_step = torch.optim.Adam(critic, lr=settings.learning_rate, fused=True)
    actor_step = torch.optim.Adam(actor, lr=settings.learning_rate, fused=True) if actor else None
    for step in range(1, settings.steps + 1):
        chosen = torch.as_tensor(rng.integers(len(shown), size=settings.batch_size))
        batch = tuple(column[chosen] for column in data)
        loss, reward = model.objective(batch)
        critic_step.zero_grad()
        loss.backward()
        critic_step.step()
        if actor_step is not None:
            actor_loss = model.policy_loss(batch[0], batch[1])
            assert actor_loss is not None
            actor_step.zero_grad()
            actor_loss.backward()
            actor_step.step()
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
