"""The inner learner for tasks that are small enough to be solved exactly."""

from __future__ import annotations

import numpy as np

from training.irl.expectations import Expectations, estimate
from training.irl.tabular import TabularMdp

ACTION = "action"  # the policy's one array: an action for each state


class TabularLearner:
    """Solves for a reward by policy iteration, begun at the last policy."""

    def __init__(self, model: TabularMdp) -> None:
        """Take the model whose features the rewards weigh."""
        self.model, self.names = model, model.names

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a policy that takes a random action in each state."""
        actions = np.random.default_rng(seed).integers(self.model.n_actions, size=self.model.n_states)
        return {ACTION: actions.astype(np.int8)}

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Return an optimal policy; nothing is drawn."""
        actions, _ = self.model.solve(self.model.features @ weights, last[ACTION].astype(np.int64))
        return {ACTION: actions.astype(np.int8)}

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return a policy's expectations, exactly; nothing is drawn."""
        return self.model.expectations(policy[ACTION].astype(np.int64))


def demonstrate(
    model: TabularMdp, policy: np.ndarray, n: int, horizon: int, seed: int, complete: bool = False
) -> Demonstrations:
    """Fly a policy, and estimate its feature expectations from that alone.

    Args:
        model: Where to fly.
        policy: As `TabularMdp.transitions` takes it.
        n: Flights.
        horizon: Frames of each; what is cut off is reported as `Expectations.truncation`.
        seed: Of the random numbers.
        complete: As in `estimate`.
    """
    states, actions = model.sample(policy, n, horizon, seed)
    return Demonstrations(
        states, actions, estimate([model.features[row] for row in states], model.discount, complete=complete)
    )


class Demonstrations:
    """Flights of an expert in a tabular task.

    Attributes:
        states: int64, (n, horizon).
        actions: int64, (n, horizon).
        expectations: What they say of mu_E.
    """

    def __init__(self, states: np.ndarray, actions: np.ndarray, expectations: Expectations) -> None:
        """Take flights of equal length."""
        self.states, self.actions, self.expectations = states, actions, expectations

    def counts(self, group: np.ndarray, n_actions: int) -> np.ndarray:
        """Return how often each action was taken in each group of states, int64, (n_groups, n_actions).

        Args:
            group: Each state's group, int, (n_states,).
            n_actions: Number of actions.
        """
        n_groups = int(group.max()) + 1
        cells = group[self.states.ravel()] * n_actions + self.actions.ravel()
        return np.bincount(cells, minlength=n_groups * n_actions).reshape(n_groups, n_actions)
