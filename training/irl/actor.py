"""The policy that learners in a simulator train: a perceptron of what is seen, squeezed into the actions' box.

Critics ask for one action a state. A policy that is fitted to flights may give several at once and fly some of them
before it looks again, as `training.policies.bc` does: it errs less often.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.irl.worlds import Act
from training.policies.denoisers import mlp

NETWORK = "actor."  # what its arrays' names begin with where a policy is kept
MEAN, STD, LOW, HIGH = "observation.mean", "observation.std", "action.low", "action.high"
STEPS = "action.steps"  # flown before it looks again
_LEAST_STD = 1e-3  # of an observation: one that hardly changes must not be blown up
_NOISE = 0.02  # on what is fitted to [standard deviations], as `training.policies.bc` has it


class Actor:
    """a_{1:H} = low + (tanh(f((s - mean) / std)) + 1) / 2 (high - low).

    Attributes:
        net: f.
        mean: Of the observations, float32, (observation_dim,).
        std: Their spread.
        low: Least of each action, float64, (action_dim,).
        high: Greatest of each.
        horizon: H, actions predicted at once.
        n_action_steps: Actions flown before it looks again.
    """

    def __init__(
        self,
        seen: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        hidden_dim: int,
        n_layers: int,
        horizon: int = 1,
        n_action_steps: int = 1,
    ) -> None:
        """Begin with random weights.

        Args:
            seen: Observations by whose mean and spread the network's input is scaled, (n, observation_dim).
            low: As the attribute.
            high: As the attribute.
            hidden_dim: Width of the network.
            n_layers: Its hidden layers.
            horizon: As the attribute.
            n_action_steps: As the attribute.
        """
        self.horizon, self.n_action_steps = horizon, n_action_steps
        observations = torch.as_tensor(seen, dtype=torch.float32)
        self.mean = observations.mean(0)
        self.std = observations.std(0, correction=0).clamp_min(_LEAST_STD)
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        self.net = mlp(observations.shape[1], hidden_dim, n_layers, horizon * len(self.low))

    def normalised(self, observation: np.ndarray) -> Tensor:
        """Return observations as the network takes them, float32, (n, observation_dim)."""
        return (torch.as_tensor(observation, dtype=torch.float32) - self.mean) / self.std

    def scaled(self, action: np.ndarray) -> np.ndarray:
        """Return actions of the world within [-1, 1], (n, action_dim)."""
        return 2 * (np.asarray(action, float) - self.low) / (self.high - self.low) - 1

    def in_units(self, action: np.ndarray) -> np.ndarray:
        """Return actions within [-1, 1] in the world's units; the inverse of `scaled`."""
        return self.low + (action + 1) / 2 * (self.high - self.low)

    @torch.no_grad()
    def predict(self, observation: np.ndarray) -> np.ndarray:
        """Return the next actions in the world's units, float64, (n, horizon, action_dim)."""
        flat = self.net(self.normalised(observation)).tanh().double().numpy()
        return self.in_units(flat.reshape(len(flat), self.horizon, -1))

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Return the very next actions, float64, (n, action_dim)."""
        return self.predict(observation)[:, 0]

    def pilot(self) -> Act:
        """Return what flies it from the beginning of flights on, frame by frame, all of them in step."""
        queue: list[np.ndarray] = []

        def act(observation: np.ndarray) -> np.ndarray:
            if not queue:
                queue.extend(self.predict(observation)[:, : self.n_action_steps].transpose(1, 0, 2))
            return queue.pop(0)

        return act

    def policy(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays, as iterates keep it."""
        kept = {NETWORK + name: value.numpy().copy() for name, value in self.net.state_dict().items()}
        box = {MEAN: self.mean.numpy(), STD: self.std.numpy(), LOW: self.low, HIGH: self.high}
        steps = {STEPS: np.array(self.n_action_steps)}
        return kept | steps | {name: array.copy() for name, array in box.items()}

    def take(self, policy: dict[str, np.ndarray]) -> None:
        """Become a kept policy."""
        self.mean, self.std = torch.as_tensor(policy[MEAN]), torch.as_tensor(policy[STD])
        self.low, self.high = policy[LOW], policy[HIGH]
        kept = {name.removeprefix(NETWORK): v for name, v in policy.items() if name.startswith(NETWORK)}
        self.net.load_state_dict({name: torch.as_tensor(array) for name, array in kept.items()})

    @staticmethod
    def mean_of(policies: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the mean of the weights of policies that came one from another in small steps.

        What drove them about falls out of it (Polyak & Juditsky 1992, "Acceleration of stochastic approximation by
        averaging"; for networks Izmailov et al. 2018, arXiv 1803.05407).
        """
        first = policies[0]
        mean = {
            name: np.mean([policy[name] for policy in policies], axis=0).astype(first[name].dtype)
            for name in first
            if name.startswith(NETWORK)
        }
        return first | mean

    def of(self, policy: dict[str, np.ndarray]) -> Actor:
        """Return a kept policy of the same shape."""
        other = copy.copy(self)
        other.net = copy.deepcopy(self.net)
        other.take(policy)
        return other

    def fit(
        self,
        observations: Sequence[np.ndarray],
        actions: Sequence[np.ndarray],
        steps: int,
        rng: np.random.Generator,
        weight: Sequence[float] | None = None,
        learning_rate: float = 1e-3,
        batch_size: int = 256,
    ) -> None:
        """Go on towards actions that were taken, by squared error: behaviour cloning.

        Args:
            observations: Of each flight, (n_frames, observation_dim).
            actions: In the world's units, (n_frames, action_dim) each; behind a flight's end its last one stands.
            steps: Gradient steps; the learning rate falls to 0 by a cosine.
            rng: Draws the batches and the noise on observations.
            weight: How often frames of each flight are drawn, to a factor; None for all alike.
            learning_rate: Adam's at the beginning.
            batch_size: Rows a step.
        """
        seen = self.normalised(np.concatenate(list(observations)))
        chunks = np.concatenate([self._chunks(self.scaled(one).clip(-1, 1)) for one in actions])
        target = torch.as_tensor(chunks, dtype=torch.float32)
        share = None
        if weight is not None:
            share = np.concatenate([np.full(len(one), w) for one, w in zip(observations, weight)])
            share = share / share.sum()
        optimiser = torch.optim.Adam(self.net.parameters(), learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        chosen = torch.as_tensor(rng.choice(len(seen), size=(steps, batch_size), p=share))
        # Torch's own generator, seeded from ours: drawing as many numbers in numpy costs as much as the gradient.
        noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
        for rows in chosen:
            x = seen[rows]
            x = x + _NOISE * torch.randn(x.shape, generator=noise)
            loss = ((self.net(x).tanh() - target[rows]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    def _chunks(self, actions: np.ndarray) -> np.ndarray:
        """Return each frame's next actions, (n_frames, horizon * action_dim)."""
        ahead = np.minimum(np.arange(len(actions))[:, None] + np.arange(self.horizon), len(actions) - 1)
        return actions[ahead].reshape(len(actions), -1)
