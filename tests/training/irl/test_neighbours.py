"""The decision process made of flights: its values and expectations are those of walking through it step by step."""

import numpy as np
import pytest

from collector.errors import UsageError
from training.irl.neighbours import Choice, NeighbourMdp

DISCOUNT = 0.9


@pytest.fixture(scope="module")
def mdp():
    rng = np.random.default_rng(0)
    states = np.concatenate([np.cumsum(rng.normal(0, 0.3, (12, 2)), axis=0) for _ in range(5)])
    return NeighbourMdp(states, np.full(5, 12), DISCOUNT, n_neighbours=3, reach=4.0)


def walked(mdp, choice, start, reward, price):
    total, at = 0.0, start
    for t in range(400):
        total += DISCOUNT**t * (reward[at] - price * choice.apart[at])
        at = choice.after[at]
    return total


def test_values_are_those_of_walking(mdp):
    reward = np.random.default_rng(1).normal(size=60)
    choice = mdp.drawn(seed=2)
    values = mdp.value(choice, reward, 0.3)
    assert values == pytest.approx([walked(mdp, choice, s, reward, 0.3) for s in range(60)])


def test_the_solution_satisfies_bellmans_equation_and_is_best(mdp):
    reward = np.random.default_rng(3).normal(size=60)
    choice, value = mdp.solve(reward, 0.5)
    assert value == pytest.approx(mdp.q(value, reward, 0.5).max(axis=1))
    assert value == pytest.approx(mdp.value(choice, reward, 0.5))
    for seed in range(5):
        assert (mdp.value(mdp.drawn(seed), reward, 0.5) <= value + 1e-9).all()


def test_sums_of_features_are_those_of_walking(mdp):
    phi = np.random.default_rng(4).normal(size=(60, 3))
    for choice in (mdp.drawn(5), mdp.done()):
        sums = mdp.sums(choice, np.array([0, 12, 59]), phi)
        free = Choice(choice.after, np.zeros(60))
        for row, start in zip(sums, (0, 12, 59)):
            assert row == pytest.approx([walked(mdp, free, start, phi[:, i], 0.0) for i in range(3)])


def test_a_flight_ends_where_it_stays_and_neighbours_are_of_other_flights(mdp):
    assert (mdp.done().after[11::12] == np.arange(11, 60, 12)).all()
    flight = np.arange(60) // 12
    candidates = mdp.after[:, 1:]
    near = np.isfinite(mdp.apart[:, 1:])
    from_frames = np.repeat(flight[:, None], 3, axis=1)
    assert near.any() and (candidates[near] // 12 != from_frames[near]).all()


def test_expectations_are_lstd_mus_with_a_feature_a_frame(mdp):
    """Klein, Geist & Pietquin 2011: A Theta = B with A = Psi' (Psi - gamma Psi'_next), B = Psi' Phi."""
    phi = np.random.default_rng(6).normal(size=(60, 4))
    choice = mdp.drawn(7)
    psi, ahead = np.eye(60), np.eye(60)[choice.after]
    theta = np.linalg.solve(psi.T @ (psi - DISCOUNT * ahead), psi.T @ phi)
    assert mdp.sums(choice, np.arange(60), phi) == pytest.approx(theta)


def test_a_high_price_does_what_was_done(mdp):
    reward = np.random.default_rng(8).normal(size=60)
    choice, _ = mdp.solve(reward, 1e6)
    assert (choice.after == mdp.done().after).all()


def test_one_flight_alone_is_refused():
    with pytest.raises(UsageError, match="one flight alone has no neighbours"):
        NeighbourMdp(np.zeros((5, 2)), np.array([5]), DISCOUNT)
