"""Behaviour cloning in tabular tasks: the three rivals of Abbeel & Ng 2004, section 5.1 and figure 4.

Each counts which actions the expert took, by state or by group of states (the paper's macrocells: a policy with a
parameter for each group), and is a table of action probabilities, float64, (n_states, n_actions). Where nothing was
seen every action is as likely.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.irl.tabular_learner import Demonstrations


def mimic(shown: Demonstrations, group: np.ndarray, n_actions: int) -> np.ndarray:
    """In a state that the expert was in, what it did there most often; elsewhere anything. `group` is not used."""
    return _majority(shown.counts(np.arange(len(group)), n_actions))


def stochastic(shown: Demonstrations, group: np.ndarray, n_actions: int) -> np.ndarray:
    """In each group of states every action as often as the expert took it there."""
    counts = shown.counts(group, n_actions).astype(float)
    seen = counts.sum(axis=1, keepdims=True)
    return np.where(seen > 0, counts / np.maximum(seen, 1), 1 / n_actions)[group]


def majority(shown: Demonstrations, group: np.ndarray, n_actions: int) -> np.ndarray:
    """In each group of states the action that the expert took most often there."""
    return _majority(shown.counts(group, n_actions))[group]


BASELINES: dict[str, Callable[[Demonstrations, np.ndarray, int], np.ndarray]] = {
    "mimic the expert": mimic,
    "parameterised, stochastic": stochastic,
    "parameterised, majority vote": majority,
}


def _majority(counts: np.ndarray) -> np.ndarray:
    """Return the most frequent action for sure; several that are as frequent share, as all do where none was seen."""
    most = counts == counts.max(axis=1, keepdims=True)
    return most / most.sum(axis=1, keepdims=True)
