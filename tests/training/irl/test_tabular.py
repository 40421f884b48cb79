"""The exact solver, against brute force, and feature expectations against flights."""

import itertools

import numpy as np
import pytest

from collector.errors import DataError, UsageError
from training.irl.expectations import Expectations, bounded, estimate
from training.irl.tabular import TabularMdp
from training.irl.tabular_learner import demonstrate


def random_model(seed, n_states=5, n_actions=3, n_outcomes=3, k=4, discount=0.9):
    rng = np.random.default_rng(seed)
    return TabularMdp.of(
        rng.integers(n_states, size=(n_actions, n_states, n_outcomes)),
        rng.dirichlet(np.ones(n_outcomes), size=(n_actions, n_states)),
        rng.dirichlet(np.ones(n_states)),
        rng.random((n_states, k)),
        discount,
        tuple("abcd"[:k]),
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_policy_of_all_there_are_is_better_in_any_state(seed):
    model = random_model(seed)
    reward = np.random.default_rng(seed).normal(size=model.n_states)
    policy, values = model.solve(reward)
    every = itertools.product(range(model.n_actions), repeat=model.n_states)
    best = np.max([model.values(np.array(other), reward) for other in every], axis=0)
    assert values == pytest.approx(best, abs=1e-9)
    assert model.values(policy, reward) == pytest.approx(values)


def test_a_policy_value_is_its_expectations_times_the_weights():
    model = random_model(3)
    weights = np.array([1.0, -2.0, 0.5, 0.0])
    policy = np.array([0, 2, 1, 1, 0])
    by_value = model.start @ model.values(policy, model.features @ weights)
    assert weights @ model.expectations(policy).mean == pytest.approx(by_value)


def test_a_table_of_action_probabilities_is_flown_between_its_actions():
    model = random_model(4)
    actions = np.array([0, 2, 1, 1, 0])
    assert model.transitions(np.eye(3)[actions]).toarray() == pytest.approx(
        model.transitions(actions).toarray()
    )
    even = model.transitions(np.full((5, 3), 1 / 3)).toarray()
    each = [model.transitions(np.full(5, action)).toarray() for action in range(3)]
    assert even == pytest.approx(np.mean(each, axis=0))


def test_flights_estimate_the_expectations_within_what_they_claim():
    model = random_model(1)
    policy = np.array([1, 0, 2, 2, 1])
    exact = model.expectations(policy).mean
    shown = demonstrate(model, policy, n=400, horizon=100, seed=0)
    error = np.linalg.norm(shown.expectations.mean - exact)
    assert error < 3 * shown.expectations.sampling_error + shown.expectations.truncation
    assert shown.expectations.sampling_error < 0.1
    counts = shown.counts(np.arange(model.n_states), model.n_actions)
    assert counts.sum() == 400 * 100
    assert (counts.argmax(axis=1) == policy).all()


def test_the_truncation_bound_holds_and_is_tight():
    """A feature that is always 1 loses exactly gamma^T / (1 - gamma)."""
    found = estimate([np.ones((10, 1))] * 2, discount=0.9)
    assert found.truncation == pytest.approx(0.9**10 / 0.1)
    assert found.mean[0] == pytest.approx(10 - found.truncation)
    assert found.sampling_error == 0
    assert estimate([np.ones((10, 1))], 0.9, complete=True).mean[0] == pytest.approx(10)
    assert estimate([np.ones((10, 1))], 0.9, ended=[True]).truncation == 0


def test_features_are_scaled_to_norm_1():
    table, scale = bounded(np.array([[3.0, 4.0], [1.0, 0.0]]))
    assert scale == 5 and np.linalg.norm(table, axis=1).max() == pytest.approx(1)
    assert bounded(np.array([[0.1, 0.2]]))[1] == 1


@pytest.mark.parametrize(
    ("episodes", "discount", "error", "words"),
    [
        ([], 0.9, UsageError, "no expert"),
        ([np.ones((3, 1))], 1.0, UsageError, "below 1"),
        ([np.ones((0, 1))], 0.9, DataError, "no frame"),
        ([np.full((3, 1), np.nan)], 0.9, DataError, "NaN"),
        ([np.full((3, 2), 1.0)], 0.9, DataError, "norm 1.414"),
    ],
)
def test_what_cannot_be_learnt_from_is_said(episodes, discount, error, words):
    with pytest.raises(error, match=words):
        estimate(episodes, discount)


@pytest.mark.parametrize(("mean", "words"), [([np.inf], "diverge"), ([11.0], "at most 10")])
def test_expectations_that_cannot_be_are_refused(mean, words):
    with pytest.raises(DataError, match=words):
        Expectations(np.array(mean), 0.9).check("the expert")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": np.full(5, 0.3)}, "do not sum to 1"),
        ({"names": ("a",)}, "4 features with 1 names"),
        ({"features": np.full((5, 4), np.nan)}, "NaN"),
        ({"features": np.ones((4, 4))}, "must be the states"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(change, words):
    model = random_model(0)
    given = {name: getattr(model, name) for name in TabularMdp.__dataclass_fields__}
    with pytest.raises(DataError, match=words):
        TabularMdp.of(**(given | change))


def test_a_reward_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="reward holds NaN"):
        random_model(0).solve(np.full(5, np.nan))
