"""Stable-Baselines3's SAC as inner learner: warm, with what was flown before seen in the light of each new reward.

Soft actor-critic (Haarnoja et al. 2018, arXiv 1801.01290) learns off-policy: when the reward changes, the transitions
in its memory stay true, and only their rewards are computed anew. Actor, critics and memory go on from where they were.

Needs the extra `irl` (stable-baselines3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

from collector.errors import DataError, UsageError
from training.irl.actor import Actor
from training.irl.simulated import AgentLearner, Setup, parts
from training.irl.successor import RlSettings
from training.irl.worlds import World

Reward = Callable[[np.ndarray, np.ndarray], np.ndarray]
_WORST = 1e3  # of a mean reward beyond this the learner is not to be believed


def import_sb3() -> Any:
    """Import Stable-Baselines3.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import stable_baselines3
    except ImportError as error:
        raise UsageError(
            f"this learner needs stable-baselines3 ({error}): run \"pip install 'demodeck[irl]'\", or take the learner "
            "'successor'"
        ) from error
    return stable_baselines3


class _RewardedWorld(gymnasium.Env):
    """One copy of a world as SAC flies it: scaled observations and actions, and a reward that may be exchanged."""

    def __init__(self, world: World, actor: Actor, seed: int) -> None:
        dim, n_actions = world.observation_dim, len(world.low)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (dim,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (n_actions,), np.float32)
        self._world, self._actor, self._rng = world, actor, np.random.default_rng(seed)
        self.reward: Reward = lambda seen, after: np.zeros(len(seen))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        self._seen, self._age = self._world.reset([int(self._rng.integers(2**31))]), 0
        return self._actor.normalised(self._seen)[0].numpy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        after, ended = self._world.step(self._actor.in_units(action[None]))
        reward = float(self.reward(self._seen, after)[0])
        self._seen, self._age = after, self._age + 1
        seen = self._actor.normalised(after)[0].numpy()
        return seen, reward, bool(ended[0]), self._age >= self._world.frames, {}


class SacAgent:
    """SAC with a memory whose rewards can be computed anew.

    Attributes:
        actor: What it would fly without noise; brought up to date by `learn`.
    """

    def __init__(self, world: World, seen: np.ndarray, settings: RlSettings, warmup: int, seed: int) -> None:
        """Begin with random networks.

        Args:
            world: Where to fly, one copy of it.
            seen: Observations that scale the networks' input, (n, observation_dim).
            settings: As `RlSettings`; SAC explores by its own entropy instead of `noise`.
            warmup: Random frames before it learns.
            seed: Of everything.
        """
        sb3 = import_sb3()
        torch.manual_seed(seed)
        self.actor = Actor(seen, world.low, world.high, settings.hidden_dim, settings.n_layers)
        self._env = _RewardedWorld(world, self.actor, seed)
        every = max(1, round(1 / settings.updates))
        self._sac = sb3.SAC(
            "MlpPolicy",
            self._env,
            learning_rate=settings.learning_rate,
            buffer_size=settings.capacity,
            learning_starts=warmup,
            batch_size=settings.batch_size,
            tau=settings.polyak,
            gamma=settings.discount,
            train_freq=every,
            gradient_steps=max(1, round(settings.updates * every)),
            ent_coef="auto_0.1",
            policy_kwargs={
                "net_arch": [settings.hidden_dim] * settings.n_layers,
                "activation_fn": nn.GELU,  # as `Actor`, which its weights are copied to
            },
            seed=seed,
            device="cpu",
        )

    @property
    def frames(self) -> int:
        """Frames flown."""
        return int(self._sac.num_timesteps)

    @property
    def _flown(self) -> slice:
        memory = self._sac.replay_buffer
        return slice(None) if memory.full else slice(memory.pos)

    def transitions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is in the memory: observations and those after them, in the world's units, (n, dim) each."""
        memory, mean, std = self._sac.replay_buffer, self.actor.mean.numpy(), self.actor.std.numpy()
        columns = (memory.observations, memory.next_observations)
        seen, after = (column[self._flown, 0] * std + mean for column in columns)
        return seen, after

    def pursue(self, reward: Reward) -> None:
        """Take another reward, for what is flown from now on and for all that was.

        Args:
            reward: From observations and those after them, (n, dim) each, to (n,).

        Raises:
            DataError: If it is not finite or far too large.
        """
        self._env.reward = reward
        if not self.frames:
            return
        values = reward(*self.transitions())
        if not np.abs(values).mean() < _WORST:
            raise DataError(
                f"rewards of {np.abs(values).mean():.3g} in the mean: features must be bounded, ||phi|| <= 1, and a "
                "discriminator needs its gradient penalty"
            )
        self._sac.replay_buffer.rewards[self._flown, 0] = values

    def take(self, policy: dict[str, np.ndarray]) -> None:
        """Go on with another actor."""
        self.actor.take(policy)
        theirs, ours = self._layers(), [layer for layer in self.actor.net if isinstance(layer, nn.Linear)]
        for their, our in zip(theirs, ours):
            their.load_state_dict(our.state_dict())

    def learn(self, frames: int) -> None:
        """Fly and learn.

        Raises:
            DataError: If the actor diverges.
        """
        self._sac.learn(frames, reset_num_timesteps=self.frames == 0, progress_bar=False)
        for their, our in zip(self._layers(), [x for x in self.actor.net if isinstance(x, nn.Linear)]):
            our.load_state_dict(their.state_dict())
        if not all(torch.isfinite(weight).all() for weight in self.actor.net.parameters()):
            raise DataError(
                "SAC diverges: its actor holds NaN; lower learning_rate or updates, or raise batch_size"
            )

    def _layers(self) -> list[nn.Module]:
        theirs = self._sac.policy.actor
        return [*(layer for layer in theirs.latent_pi if isinstance(layer, nn.Linear)), theirs.mu]


class SacLearner(AgentLearner[SacAgent]):
    """The inner learner by SAC: `apprenticeship.Learner`; its world has one copy."""

    def __init__(self, setup: Setup) -> None:
        """Begin."""
        world, seen = setup.make_world(), setup.shown.seen
        super().__init__(setup, SacAgent(world, seen, setup.settings, setup.schedule.warmup, setup.seed))

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Go on from the last policy; a resumed run begins with an empty memory."""
        phi = self._phi
        self.agent.take(last)
        self.agent.pursue(lambda seen, after: phi(seen) @ weights)
        for frames in parts(self._schedule.frames + (0 if self.agent.frames else self._schedule.warmup)):
            self.agent.learn(frames)
            self.look_up()
        return self.actor.policy()
