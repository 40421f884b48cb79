"""Simulated worlds that learners may fly in, many copies side by side: plain arrays in, plain arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from training.irl import swing

Start = int | np.ndarray
Act = Callable[[np.ndarray], np.ndarray]
Pilot = Callable[[], Act]  # what flies a group of flights from their beginning on
Phi = Callable[[np.ndarray], np.ndarray]  # features of observations, ||phi|| <= 1


class World(Protocol):
    """Copies of one task, without its reward: that is what is to be learnt.

    Attributes:
        name: What it is called.
        n_copies: How many fly at once.
        observation_dim: Length of an observation.
        low: Least of each action, float64, (action_dim,).
        high: Greatest of each, (action_dim,).
        frames: Observations of a flight that does not end sooner.
    """

    name: str
    n_copies: int
    observation_dim: int
    low: np.ndarray
    high: np.ndarray
    frames: int

    def reset(self, starts: Sequence[Start]) -> np.ndarray:
        """Begin flights in the first `len(starts)` copies, at most `n_copies`.

        Args:
            starts: For each a seed, or the observation to begin at, (observation_dim,).

        Returns:
            The observations, float32, (len(starts), observation_dim).
        """
        ...

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fly one frame in the copies that were reset.

        Args:
            action: Within `low` and `high`, (n, action_dim).

        Returns:
            The observations, float32, (n, observation_dim), and whether each flight really ended, bool, (n,).
        """
        ...


class PendulumWorld:
    """gymnasium's Pendulum-v1, computed as a whole (`swing` is held to gymnasium's by a test)."""

    name = "pendulum"
    observation_dim = 3
    low, high = np.array([-swing.MAX_TORQUE]), np.array([swing.MAX_TORQUE])
    frames = swing.FRAMES

    def __init__(self, n_copies: int = 8) -> None:
        self.n_copies = n_copies

    def reset(self, starts: Sequence[Start]) -> np.ndarray:
        """As `World`; a seed begins at any angle, at up to 1 rad/s, as Pendulum-v1 does."""
        states = []
        for start in starts:
            if isinstance(start, np.ndarray):
                states.append(swing.state_of(np.asarray(start, float)))
            else:
                states.append(np.random.default_rng([start, 0x9E4D]).uniform([-np.pi, -1], [np.pi, 1]))
        self._state = np.array(states)
        return swing.observe(self._state).astype(np.float32)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `World`; a pendulum never ends."""
        self._state = swing.step(self._state, np.clip(action[:, 0], self.low, self.high))
        return swing.observe(self._state).astype(np.float32), np.zeros(len(self._state), bool)


def fly(
    world: World, pilot: Pilot, starts: Sequence[Start], frames: int | None = None
) -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Fly a policy from each start.

    Args:
        world: Where.
        pilot: Gives, for each group that flies at once, what takes observations (n, observation_dim) to actions (n,
            action_dim), in the world's units.
        starts: As `World.reset` takes them, any number.
        frames: Observations of a flight, at most; None for the world's.

    Returns:
        For each flight its observations, (n_frames, observation_dim), its actions, (n_frames, action_dim), and
        whether it really ended; one that did has the observation at its end as its last, with a NaN action.
    """
    flights: list[tuple[np.ndarray, np.ndarray, bool]] = []
    for first in range(0, len(starts), world.n_copies):
        group = starts[first : first + world.n_copies]
        act, seen, over = pilot(), world.reset(group), np.zeros(len(group), bool)
        paths: list[list[np.ndarray]] = [[] for _ in group]
        done: list[list[np.ndarray]] = [[] for _ in group]
        ended = over.copy()
        for _ in range(frames or world.frames):
            action = np.clip(act(seen), world.low, world.high)
            for i in np.flatnonzero(~over):
                paths[i].append(seen[i])
                done[i].append(action[i] if not ended[i] else np.full_like(action[i], np.nan))
            over = over | ended
            if over.all():
                break
            seen, now = world.step(action)
            ended = ended | now
        flights += [(np.array(p), np.array(d), bool(e)) for p, d, e in zip(paths, done, ended)]
    return flights
