"""A decision process made of flights alone: in each frame one may do what was done in frames like it.

From frame i an action leads to where it led from one of the nearest frames j, to j + 1, for a price that grows with
the distance of i and j; a flight's last frame leads to itself. That is finite and deterministic, so that any reward
is solved and any policy's feature expectations are computed exactly, whatever the actions are, and nothing can diverge:
every value is a sum of rewards that were seen.

Source: kernel-based reinforcement learning (Ormoneit & Sen 2002, "Kernel-Based Reinforcement Learning"), in the form
with a price for distance of Shrestha et al. 2021, "DeepAveragers: Offline Reinforcement Learning by Solving Derived
Non-Parametric MDPs", ICLR. On these states its feature expectations are LSTD-mu's with a feature for each frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collector.errors import UsageError

_SEARCHED = 4  # times as many neighbours are looked up as are kept, as those of the same flight are left out
_ROUNDS = 200  # of policy iteration, which needs about 10
_TAIL = 1e-9  # what is left of a sum over time when it is cut
_BETTER = 1e-9  # an action must be better by this to replace the last one


@dataclass(frozen=True)
class Choice:
    """A policy: where it goes from each frame, and what that costs in units of distance.

    Attributes:
        after: int64, (n_frames,).
        apart: Distance to the frame whose action is taken, in typical distances between flights, (n_frames,).
    """

    after: np.ndarray
    apart: np.ndarray


class NeighbourMdp:
    """Frames and the ways between them.

    Attributes:
        after: Where each candidate leads, int64, (n_frames, 1 + n_neighbours); the first is what was done.
        apart: How far away it was done, as in `Choice`; infinite where there is no such candidate.
    """

    def __init__(
        self,
        states: np.ndarray,
        lengths: np.ndarray,
        discount: float,
        n_neighbours: int = 8,
        reach: float = 3.0,
    ) -> None:
        """Look up neighbours.

        Args:
            states: Of all frames, in comparable units, (n_frames, dim).
            lengths: Frames of each flight, (n_episodes,).
            discount: gamma.
            n_neighbours: Of other flights, at most.
            reach: How far away a neighbour may be, in typical distances between flights: the median over frames of
                the distance to the nearest frame of another flight.

        Raises:
            UsageError: If there are fewer than two flights.
        """
        from scipy.spatial import cKDTree

        if len(lengths) < 2:
            raise UsageError(
                "one flight alone has no neighbours: give more of the expert's flights, or others by "
                "--dataset.coverage_filter"
            )
        n = len(states)
        self.discount, self._states = discount, states
        flight = np.repeat(np.arange(len(lengths)), lengths)
        last = np.cumsum(lengths) - 1
        self.follow = np.arange(1, n + 1)
        self.follow[last] = last
        self._tree = cKDTree(states)
        distance, place = self._tree.query(states, k=min(n, _SEARCHED * n_neighbours + 1))
        foreign = flight[place] != flight[:, None]
        distance = np.where(foreign, distance, np.inf)
        order = np.argsort(distance, axis=1, kind="stable")[:, :n_neighbours]
        distance = np.take_along_axis(distance, order, axis=1)
        place = np.take_along_axis(place, order, axis=1)
        nearest = distance[:, 0][np.isfinite(distance[:, 0])]
        self.unit = float(np.median(nearest)) if len(nearest) else 1.0
        self.unit = self.unit if self.unit > 0 else 1.0
        apart = distance / self.unit
        apart[apart > reach] = np.inf
        rows = np.arange(n)[:, None]
        place = np.where(np.isfinite(apart), place, rows)
        self.after = np.concatenate([self.follow[:, None], self.follow[place]], axis=1)
        self.apart = np.concatenate([np.zeros((n, 1)), apart], axis=1)
        self.n_connected = int(np.isfinite(apart).any(axis=1).sum())

    def done(self) -> Choice:
        """Return the policy that does in each frame what was done."""
        return Choice(self.after[:, 0].copy(), np.zeros(len(self.after)))

    def like(self, frames: np.ndarray) -> Choice:
        """Return the policy that does everywhere what was done in the nearest of some frames, int64, (n,)."""
        from scipy.spatial import cKDTree

        distance, place = cKDTree(self._states[frames]).query(self._states)
        return Choice(self.follow[frames[place]], distance / self.unit)

    def drawn(self, seed: int) -> Choice:
        """Return the policy that does in each frame what was done in one of its neighbours, drawn for good."""
        keys = np.random.default_rng(seed).random(self.apart.shape)
        return self._choice(np.argmax(np.where(np.isfinite(self.apart), keys, -1.0), axis=1))

    def _choice(self, column: np.ndarray) -> Choice:
        rows = np.arange(len(column))
        return Choice(self.after[rows, column], self.apart[rows, column])

    def value(self, choice: Choice, reward: np.ndarray, price: float) -> np.ndarray:
        """Return V of a policy, sum_t gamma^t (R(s_t) - price apart_t), (n_frames,), by doubling the steps ahead.

        V_2m(s) = V_m(s) + gamma^m V_m(f^m(s)), where f^m(s) is where m steps lead.
        """
        total, after, factor = reward - price * choice.apart, choice.after, self.discount
        while factor > _TAIL:
            total = total + factor * total[after]
            after, factor = after[after], factor * factor
        return total

    def q(self, value: np.ndarray, reward: np.ndarray, price: float) -> np.ndarray:
        """Return Q of every candidate, (n_frames, 1 + n_neighbours)."""
        return reward[:, None] - price * self.apart + self.discount * value[self.after]

    def solve(
        self, reward: np.ndarray, price: float, begin: Choice | None = None
    ) -> tuple[Choice, np.ndarray]:
        """Return an optimal policy and its values, by policy iteration (Puterman 1994, section 6.4).

        Args:
            reward: R, (n_frames,).
            price: Of a typical distance between flights.
            begin: The policy to improve first; None for what was done.
        """
        value = self.value(begin or self.done(), reward, price)
        column = np.full(len(reward), -1)
        for _ in range(_ROUNDS):
            q = self.q(value, reward, price)
            best = q.argmax(axis=1)
            if (column >= 0).all():
                rows = np.arange(len(q))
                best = np.where(q[rows, best] > q[rows, column] + _BETTER, best, column)
            if (best == column).all():
                break
            column = best
            value = self.value(self._choice(column), reward, price)
        return self._choice(column), value

    def frames_to_follow(
        self, states: np.ndarray, value: np.ndarray, reward: np.ndarray, price: float, n_neighbours: int = 8
    ) -> np.ndarray:
        """Return for states that were not flown the frame whose action to take: of the nearest the best, int64, (n,).

        Args:
            states: As those that the process was made of, (n, dim).
            value: V of every frame.
            reward: R of every frame.
            price: Of a typical distance between flights.
            n_neighbours: Frames to choose among.
        """
        distance, place = self._tree.query(states, k=n_neighbours)
        q = reward + self.discount * value[self.follow]
        best = np.argmax(q[place] - price * distance / self.unit, axis=1)
        return place[np.arange(len(states)), best]

    def sums(self, choice: Choice, starts: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return sum_t gamma^t phi(s_t) of a policy from frames, (n_starts, n_features).

        Args:
            choice: The policy.
            starts: Frames to begin in, int64, (n_starts,).
            features: phi of every frame, (n_frames, n_features).
        """
        at, factor = starts, 1.0
        total = np.zeros((len(starts), features.shape[1]))
        while factor > _TAIL:
            ahead = choice.after[at]
            if (ahead == at).all():  # all have come to rest
                return total + factor / (1 - self.discount) * features[at]
            total += factor * features[at]
            at, factor = ahead, factor * self.discount
        return total
