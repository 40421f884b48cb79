"""Successor features with an actor: a critic of all features at once, which serves every reward w . phi(s).

    psi(s, a) = phi(s) + gamma psi(s', pi(s')),    Q_w(s, a) = w . psi(s, a)

(Dayan 1993, "Improving generalization for temporal difference learning: the successor representation"; Barreto et al.
2017, arXiv 1606.05312, eq. 3 and 4). What was flown before and the critic stay useful when w changes: neither begins
anew. Actor and critics are those of TD3 (Fujimoto et al. 2018, arXiv 1802.09477): two critics, smoothed target actions,
an actor that follows more slowly. But the mean of both critics is believed, not the lower one: which is lower depends
on w, and with gamma near 1 what that takes off grows to more than the gaps to the expert that are to be closed.

Networks give (1 - gamma) psi, a mean of features, which is no longer than 1 whatever gamma is.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from collector.errors import DataError, UsageError
from training.irl.actor import Actor
from training.irl.worlds import Phi, Start, World

_LONGEST = 3.0  # of a predicted mean of features, which are no longer than 1: beyond it diverged


@dataclass(frozen=True)
class RlSettings:
    """How the inner learner learns.

    Attributes:
        discount: gamma.
        hidden_dim: Width of each network.
        n_layers: Hidden layers of each network.
        learning_rate: Adam's, of the critics and the actor.
        batch_size: Transitions an update.
        updates: Updates for each frame flown.
        noise: Standard deviation of exploration, in half ranges of the actions.
        correlation: Of the exploration noise from frame to frame; 0 is white.
        target_noise: Standard deviation of the noise on target actions, cut at twice that.
        polyak: How fast targets follow.
        capacity: Transitions kept.
        imitation: Weight of the expert's actions in the actor's loss, where it showed any; 0 leaves them out.
    """

    discount: float = 0.98
    hidden_dim: int = 128
    n_layers: int = 2
    learning_rate: float = 1e-3
    batch_size: int = 256
    updates: float = 0.5
    noise: float = 0.2
    correlation: float = 0.0
    target_noise: float = 0.1
    polyak: float = 0.02
    capacity: int = 200_000
    imitation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1:
            raise UsageError(f"discount {self.discount}: it must be at least 0 and below 1")
        for name in ("hidden_dim", "n_layers", "batch_size", "capacity"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: it must be at least 1")
        for name in ("learning_rate", "updates", "polyak"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} {getattr(self, name)}: it must be above 0")
        if not 0 <= self.correlation < 1:
            raise UsageError(f"correlation {self.correlation}: it must be at least 0 and below 1")


class Replay:
    """The last transitions flown; each brings its features, so that a new reward costs a product."""

    def __init__(self, capacity: int, observation_dim: int, action_dim: int, n_features: int) -> None:
        self._columns = [
            torch.zeros(capacity, dim)
            for dim in (observation_dim, action_dim, n_features, observation_dim, 1)
        ]
        self._capacity, self._next, self.total = capacity, 0, 0

    def __len__(self) -> int:
        return min(self.total, self._capacity)

    def add(self, *columns: np.ndarray) -> None:
        """Add observations, actions, features, next observations and ends, (n, dim) each."""
        n = len(columns[0])
        places = torch.arange(self._next, self._next + n) % self._capacity
        for kept, new in zip(self._columns, columns):
            kept[places] = torch.as_tensor(new, dtype=torch.float32).reshape(n, -1)
        self._next, self.total = (self._next + n) % self._capacity, self.total + n

    def draw(self, n: int) -> list[Tensor]:
        """Return `n` transitions drawn at random, each column (n, dim)."""
        chosen = torch.randint(len(self), (n,))
        return [column[chosen] for column in self._columns]


class TwinCritic(nn.Module):
    """Two perceptrons in one pass, from (n, n_in) to (2, n, n_out)."""

    def __init__(self, n_in: int, hidden_dim: int, n_layers: int, n_out: int) -> None:
        super().__init__()
        sizes = [n_in] + [hidden_dim] * n_layers + [n_out]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for a, b in pairwise(sizes):
            bound = 1 / math.sqrt(a)  # as nn.Linear
            self.weights.append(nn.Parameter(torch.empty(2, a, b).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(2, 1, b).uniform_(-bound, bound)))

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(2, *x.shape)
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, x, weight)
            if i < last:
                x = relu(x)
        return x


class SuccessorAgent:
    """An actor, its twin vector critic and what was flown.

    Attributes:
        weights: w, what the actor pursues, float32, (n_features,).
        frames: Frames flown so far.
    """

    def __init__(self, world: World, phi: Phi, seen: np.ndarray, settings: RlSettings, seed: int) -> None:
        """Begin with random networks.

        Args:
            world: Where to fly.
            phi: Features of observations, (n, observation_dim) to (n, n_features), ||phi|| <= 1.
            seen: Observations by whose mean and spread the networks' input is scaled, (n, observation_dim).
            settings: As `RlSettings`.
            seed: Of weights, batches, starts and exploration.
        """
        torch.manual_seed(seed)
        self._world, self._phi, self.settings = world, phi, settings
        self._rng = np.random.default_rng(seed)
        n_features, n_in, n_actions = phi(seen[:1]).shape[1], world.observation_dim, len(world.low)
        shape = settings.hidden_dim, settings.n_layers
        self.actor = Actor(seen, world.low, world.high, *shape)
        self.critic = TwinCritic(n_in + n_actions, *shape, n_features)
        self._slow_actor, self._slow_critic = copy.deepcopy(self.actor.net), copy.deepcopy(self.critic)
        self._actor_step = torch.optim.Adam(self.actor.net.parameters(), settings.learning_rate, fused=True)
        self._critic_step = torch.optim.Adam(self.critic.parameters(), settings.learning_rate, fused=True)
        self.replay = Replay(settings.capacity, n_in, n_actions, n_features)
        self.weights = torch.zeros(n_features)
        self._expert: tuple[Tensor, Tensor] | None = None
        self._seen: np.ndarray | None = None
        self._n_updates, self._owed = 0, 0.0

    @property
    def frames(self) -> int:
        return self.replay.total

    def pursue(self, weights: np.ndarray) -> None:
        """Take the reward weights . phi."""
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def pace(self, share: float) -> None:
        """Let the actor learn at a share of `learning_rate`."""
        for group in self._actor_step.param_groups:
            group["lr"] = share * self.settings.learning_rate

    def policy(self) -> dict[str, np.ndarray]:
        """Return the slow actor, an average over the last updates: the other one trembles about it."""
        averaged = copy.copy(self.actor)
        averaged.net = self._slow_actor
        return averaged.policy()

    def take(self, policy: dict[str, np.ndarray]) -> None:
        """Go on with another actor."""
        self.actor.take(policy)
        self._slow_actor.load_state_dict(self.actor.net.state_dict())

    def show(self, observation: np.ndarray, action: np.ndarray) -> None:
        """Take an expert's actions, in the world's units, for `imitation`."""
        scaled = torch.as_tensor(self.actor.scaled(action).clip(-1, 1), dtype=torch.float32)
        self._expert = self.actor.normalised(observation), scaled

    # Flying and learning ---------------------------------------------------------------------------------------

    def learn(self, frames: int, random: bool = False, still: bool = False) -> None:
        """Fly and learn from what is flown.

        Args:
            frames: How many, over all copies of the world.
            random: Fly random actions, and learn nothing yet.
            still: The critics learn, the actor stays: a cloned one would be spoilt by critics that know nothing.

        Raises:
            DataError: If the critic diverges.
        """
        n = self._world.n_copies
        for _ in range(max(1, frames // n)):
            self._fly_one(random)
            self._owed += 0 if random else n * self.settings.updates
            while self._owed >= 1:
                self.update(still)
                self._owed -= 1

    def _fly_one(self, random: bool) -> None:
        world, settings = self._world, self.settings
        if self._seen is None:
            seeds: list[Start] = [int(seed) for seed in self._rng.integers(2**31, size=world.n_copies)]
            self._seen, self._age = world.reset(seeds), 0
            self._drift = self._rng.normal(size=(world.n_copies, len(world.low)))
        seen = self._seen
        fresh = self._rng.normal(size=self._drift.shape)
        self._drift = settings.correlation * self._drift + math.sqrt(1 - settings.correlation**2) * fresh
        if random:
            action = np.tanh(2 * self._drift)
        else:
            with torch.no_grad():
                action = self.actor.net(self.actor.normalised(seen)).tanh().numpy()
            action = np.clip(action + settings.noise * self._drift, -1, 1)
        after, ended = world.step(self.actor.in_units(action))
        self.replay.add(
            self.actor.normalised(seen).numpy(),
            action,
            self._phi(seen),
            self.actor.normalised(after).numpy(),
            ended,
        )
        self._age += 1
        # Copies begin together; a flight that ended sooner leaves its copy to the others' end.
        self._seen = None if self._age >= world.frames or ended.any() else after

    def update(self, still: bool = False) -> None:
        """Learn from one batch: the critics, and every second time the actor, unless it stays `still`."""
        settings, gamma = self.settings, self.settings.discount
        seen, action, phi, after, ended = self.replay.draw(settings.batch_size)
        with torch.no_grad():
            ahead = self._slow_actor(after).tanh()
            noise = (torch.randn_like(ahead) * settings.target_noise).clamp(
                -2 * settings.target_noise, 2 * settings.target_noise
            )
            pair = torch.cat([after, (ahead + noise).clamp(-1, 1)], dim=1)
            target = (1 - gamma) * phi + gamma * (1 - ended) * self._slow_critic(pair).mean(0)
        loss = ((self.critic(torch.cat([seen, action], dim=1)) - target) ** 2).sum(-1).mean(1).sum()
        self._critic_step.zero_grad()
        loss.backward()
        self._critic_step.step()
        self._n_updates += 1
        if self._n_updates % 500 == 0:
            self._check(target)
        if self._n_updates % 2:
            return
        if still:
            self._follow(settings.polyak)
            return
        worth = self.critic(torch.cat([seen, self.actor.net(seen).tanh()], dim=1))[0] @ self.weights
        actor_loss = -worth.mean()
        if settings.imitation and self._expert is not None:
            # By the spread of what it is weighed against, so that one weight serves all features (as TD3+BC,
            # Fujimoto & Gu 2021, arXiv 2106.06860, eq. 5).
            scale = worth.detach().abs().mean().clamp_min(1e-6)
            rows = torch.randint(len(self._expert[0]), (settings.batch_size,))
            apart = self.actor.net(self._expert[0][rows]).tanh() - self._expert[1][rows]
            actor_loss = actor_loss / scale + settings.imitation * (apart**2).mean()
        # The actor's gradient alone: the critics' would be thrown away.
        weights = list(self.actor.net.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(actor_loss, weights)):
            weight.grad = gradient
        self._actor_step.step()
        self._follow(settings.polyak)

    @torch.no_grad()
    def _follow(self, share: float) -> None:
        for slow, fast in ((self._slow_actor, self.actor.net), (self._slow_critic, self.critic)):
            torch._foreach_lerp_(list(slow.parameters()), list(fast.parameters()), share)

    def _check(self, target: Tensor) -> None:
        longest = float(target.norm(dim=-1).mean())
        if not longest < _LONGEST:
            raise DataError(
                f"the critic diverges: mean features reach {longest:.3g}, features of norm 1 give at most 1; lower "
                f"learning_rate (now {self.settings.learning_rate}) or updates ({self.settings.updates}), or raise "
                "batch_size"
            )

    @torch.no_grad()
    def successor(self, observation: np.ndarray) -> np.ndarray:
        """Return (1 - gamma) psi(s, pi(s)), mean of both critics, float64, (n, n_features)."""
        seen = self.actor.normalised(observation)
        both = self.critic(torch.cat([seen, self.actor.net(seen).tanh()], dim=1))
        return both.mean(0).double().numpy()
