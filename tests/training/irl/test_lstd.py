"""LSTD-mu is exact where its features are, LSPI finds the best policy there, and what diverges is said."""

import numpy as np
import pytest

from collector.errors import DataError
from training.irl.lstd import LspiLearner, lstd_mu

DISCOUNT = 0.9
N = 6


def ring(ridge=1e-9, phi=None):
    """A ring of states in which 0 goes on and 1 goes back: every transition once, as flights of two frames."""
    table = np.eye(N) if phi is None else phi
    at = np.repeat(np.arange(N), 2)
    action = np.tile([0, 1], N)
    to = (at + 1 - 2 * action) % N
    frames = table[np.stack([at, to], axis=1).ravel()]
    now = np.arange(0, len(frames), 2)
    ended = np.zeros(len(now), bool)
    names = tuple(map(str, range(table.shape[1])))
    return LspiLearner(frames, now, action, ended, np.array([0]), 2, names, DISCOUNT, ridge)


def test_expectations_are_exact_where_features_are():
    learner = ring()
    forward = {"q": np.concatenate([np.ones(N + 1), np.zeros(N + 1)])}
    exact = np.zeros(N)
    for t in range(500):
        exact[t % N] += DISCOUNT**t
    found = learner.expectations(forward, 0)
    assert found.mean == pytest.approx(exact, abs=1e-4)


def test_lspi_finds_the_shorter_way():
    learner = ring()
    best = learner.improve(np.eye(N)[2], learner.first(0), 0)
    states = np.concatenate([np.eye(N), np.ones((N, 1))], axis=1)
    actions = learner.act(best, states)
    assert actions[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]


def test_an_unstable_inner_learner_is_said():
    """Fifty transitions between sixty states in twenty features of no meaning: LSTD's system is nearly singular."""
    rng = np.random.default_rng(3)
    table = rng.normal(size=(60, 20))
    table /= np.linalg.norm(table, axis=1).max()
    kept = rng.permutation(120)[:50]
    at, action = np.repeat(np.arange(60), 2)[kept], np.tile([0, 1], 60)[kept]
    frames = table[np.stack([at, rng.integers(60, size=50)], axis=1).ravel()]
    now, never = np.arange(0, 100, 2), np.zeros(50, bool)
    learner = LspiLearner(
        frames, now, action, never, np.array([0]), 2, tuple(map(str, range(20))), 0.98, 1e-9
    )
    weights = rng.normal(size=20)
    with pytest.raises(DataError, match=r"the inner learner is unstable: values reach .* raise --irl\.ridge"):
        learner.improve(weights / np.linalg.norm(weights), learner.first(3), 0)


def test_a_system_without_a_solution_is_said():
    with pytest.raises(
        DataError, match=r"LSTD has no solution from 4 transitions and 2 features: raise --irl\.ridge"
    ):
        lstd_mu(np.zeros((4, 2)), np.zeros((4, 2)), np.ones((4, 3)), DISCOUNT, 0.1)
