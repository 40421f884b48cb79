"""Markov decision processes small enough to be solved exactly: the inner learner that leaves no error of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.errors import DataError, UsageError
from training.irl.expectations import Expectations, bounded, check_discount

_SWEEPS = 60  # of evaluation between two improvements
_NEARLY = 1e-6  # Bellman error, in shares of the largest reward, at which the exact solver takes over
_EXACT = 1e-12  # residual of the policy's equations, in shares of their right side
_STEPS = 1000  # of the iterative solver, which breaks down now and then
_TIE = (
    1e-9  # share of the values' range that a better action must be better by, or rounding would never settle
)


@dataclass(frozen=True)
class TabularMdp:
    """States 0..n-1, the same actions in each, and `n_outcomes` places that each action may lead to.

    Attributes:
        successor: Where action a leads from state s in outcome b, int, (n_actions, n_states, n_outcomes).
        probability: How likely that is, sums to 1 over outcomes, float64, (n_actions, n_states, n_outcomes).
        start: Distribution of the first state, float64, (n_states,).
        features: phi, float64, (n_states, n_features), ||phi|| <= 1 (see `of`).
        discount: gamma.
        names: The features' names.
    """

    successor: np.ndarray
    probability: np.ndarray
    start: np.ndarray
    features: np.ndarray
    discount: float
    names: tuple[str, ...]

    @staticmethod
    def of(
        successor: np.ndarray,
        probability: np.ndarray,
        start: np.ndarray,
        features: np.ndarray,
        discount: float,
        names: tuple[str, ...],
    ) -> TabularMdp:
        """Check a model, and scale its features to ||phi|| <= 1.

        Raises:
            UsageError: If gamma is not within [0, 1).
            DataError: If shapes contradict each other, probabilities are none, or features are no numbers.
        """
        check_discount(discount)
        n = len(start)
        if successor.shape != probability.shape or successor.shape[1] != n or len(features) != n:
            raise DataError(
                f"a model of {n} states with successors {successor.shape}, probabilities {probability.shape} and "
                f"features {features.shape}: the second, the second and the first axis must be the states"
            )
        if features.shape[1] != len(names):
            raise DataError(f"{features.shape[1]} features with {len(names)} names: give each its name")
        for what, sums in (("actions'", probability.sum(axis=-1)), ("first states'", start.sum())):
            if not np.allclose(sums, 1.0):
                raise DataError(f"the {what} probabilities do not sum to 1: they sum to {np.min(sums):.6g}")
        return TabularMdp(successor, probability, start, bounded(features)[0], discount, names)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.start)

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.successor)

    def solve(self, reward: np.ndarray, policy: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return an optimal policy and its values: policy iteration, the first steps of it approximate for speed.

        The last steps solve the policy's equations exactly, so that what is returned no action improves on.

        Args:
            reward: R(s), float64, (n_states,).
            policy: Where to begin, int, (n_states,); kept where no action is better.

        Returns:
            Actions, int64, (n_states,), and values, float64, (n_states,).

        Raises:
            DataError: If the reward holds NaN or infinity.

        Source: Puterman 1994, "Markov Decision Processes", sections 6.4 and 6.5 (modified policy iteration).
        """
        if not np.isfinite(reward).all():
            raise DataError("a reward holds NaN or infinity: check the weights and the features")
        values = np.zeros(self.n_states)
        if policy is None:
            policy = np.zeros(self.n_states, np.int64)
        else:
            values = self.values(policy, reward)
        policy, values = self._nearly_solve(reward, policy, values)
        while True:
            values = self.values(policy, reward)
            better = self._improve(policy, values)
            if (better == policy).all():
                return policy, values
            policy = better

    def _nearly_solve(
        self, reward: np.ndarray, policy: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        enough = _NEARLY * float(np.abs(reward).max())
        while True:
            policy = self._improve(policy, values)
            moves = self.discount * self.transitions(policy)
            backed_up = reward + moves @ values
            error = float(np.abs(backed_up - values).max())
            values = backed_up
            if error <= enough:
                return policy, values
            for _ in range(_SWEEPS):
                values = reward + moves @ values

    def _improve(self, policy: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the greedy policy; where the present action is as good as any, that one."""
        ahead = (self.probability * values[self.successor]).sum(axis=-1)
        here = np.take_along_axis(ahead, policy[None], axis=0)[0]
        tie = _TIE * float(np.ptp(values))
        return np.where(here >= ahead.max(axis=0) - tie, policy, ahead.argmax(axis=0))

    def transitions(self, policy: np.ndarray) -> Any:
        """Return P_pi, a sparse matrix (n_states, n_states).

        Args:
            policy: Actions, int, (n_states,), or their probabilities, float, (n_states, n_actions).
        """
        from scipy.sparse import csr_array

        states = np.arange(self.n_states)
        if policy.ndim == 1:
            columns, shares = self.successor[policy, states], self.probability[policy, states]
        else:
            columns = self.successor.transpose(1, 0, 2).reshape(self.n_states, -1)
            shares = (self.probability.transpose(1, 0, 2) * policy[:, :, None]).reshape(self.n_states, -1)
        ends = np.arange(self.n_states + 1) * columns.shape[1]
        matrix = csr_array((shares.ravel(), columns.ravel(), ends), shape=(self.n_states, self.n_states))
        matrix.sum_duplicates()
        return matrix

    def values(self, policy: np.ndarray, reward: np.ndarray) -> np.ndarray:
        """Return V_pi, float64, (n_states,): the solution of V = R + gamma P_pi V.

        Args:
            policy: As in `transitions`.
            reward: R(s), (n_states,).
        """
        return self._solve_linear(self.transitions(policy), reward)

    def expectations(self, policy: np.ndarray) -> Expectations:
        """Return a policy's feature expectations, exactly: mu = phi^T (1 - gamma P_pi^T)^-1 start, to infinity.

        Args:
            policy: As in `transitions`.
        """
        visits = self._solve_linear(self.transitions(policy).T, self.start)
        return Expectations(self.features.T @ visits, self.discount)

    def _solve_linear(self, moves: Any, right: np.ndarray) -> np.ndarray:
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import bicgstab, splu

        system = eye_array(self.n_states) - self.discount * moves
        found, failed = bicgstab(system.tocsr(), right, rtol=_EXACT, atol=0.0, maxiter=_STEPS)
        if (
            failed
        ):  # elimination never does, but where many states lead to many it takes a hundred times as long
            return splu(system.tocsc()).solve(right)
        return found

    def sample(self, policy: np.ndarray, n: int, horizon: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Fly a policy.

        Args:
            policy: As in `transitions`.
            n: Flights.
            horizon: Frames of each.
            seed: Of the random numbers.

        Returns:
            States and actions, int64, (n, horizon) each.

        Raises:
            UsageError: If a number is not positive.
        """
        if n < 1 or horizon < 1:
            raise UsageError(f"{n} flights of {horizon} frames: both must be at least 1")
        rng = np.random.default_rng(seed)
        states, actions = np.empty((2, n, horizon), np.int64)
        state = rng.choice(self.n_states, size=n, p=self.start)
        for t in range(horizon):
            action = policy[state] if policy.ndim == 1 else _draw(policy[state], rng)
            states[:, t], actions[:, t] = state, action
            outcome = _draw(self.probability[action, state], rng)
            state = self.successor[action, state, outcome]
        return states, actions


def _draw(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one column for each row by its probabilities, int64, (n,)."""
    below = np.cumsum(probability, axis=1)
    drawn = (rng.random(len(probability))[:, None] * below[:, -1:] >= below).sum(axis=1)
    return np.minimum(drawn, probability.shape[1] - 1)
