"""Learners that fly a simulator: the vector critic is what it says, and gaps to the expert close."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from collector.errors import DataError, UsageError
from training.irl.apprenticeship import Settings, learn
from training.irl.iterates import Iterate
from training.irl.matching import SETTLED, MatchingLearner, SuccessorLearner, concluded
from training.irl.search import SearchLearner, SearchSettings
from training.irl.simulated import Demonstrations, Schedule, Setup, flown_expectations, shortfall
from training.irl.successor import RlSettings, SuccessorAgent
from training.irl.worlds import fly


class Chain:
    """Three states in a row, the last for good; actions do nothing."""

    name, n_copies, observation_dim, frames = "chain", 1, 3, 6
    low, high = np.array([-1.0]), np.array([1.0])

    def reset(self, starts):
        self.at = np.array([start % 3 for start in starts])
        return np.eye(3, dtype=np.float32)[self.at]

    def step(self, action):
        self.at = np.minimum(self.at + 1, 2)
        return np.eye(3, dtype=np.float32)[self.at], np.zeros(len(self.at), bool)


class Slider:
    """A point that goes where it is sent, slowly: x' = .7 x + .3 a."""

    name, observation_dim, frames = "slider", 1, 20
    low, high = np.array([-1.0]), np.array([1.0])

    def __init__(self, n_copies=4):
        self.n_copies = n_copies

    def reset(self, starts):
        given = [
            s[0] if isinstance(s, np.ndarray) else np.random.default_rng(s).uniform(-0.3, 0.3) for s in starts
        ]
        self.x = np.array(given, float)
        return self.x[:, None].astype(np.float32)

    def step(self, action):
        self.x = 0.7 * self.x + 0.3 * action[:, 0]
        return self.x[:, None].astype(np.float32), np.zeros(len(self.x), bool)


NAMES = ("place", "middle")


def phi(seen):
    """Where it is, and how near to the middle."""
    x = np.asarray(seen, float)[:, 0]
    return np.stack([x, np.exp(-((x / 0.2) ** 2))], axis=1) / np.sqrt(2)


@pytest.fixture(scope="module")
def shown():
    """Three flights to x = .6, with what was done."""
    flown = fly(Slider(), lambda: lambda seen: np.full((len(seen), 1), 0.6), [11, 12, 13])
    observations, actions, _ = zip(*flown)
    return Demonstrations(list(observations), list(actions), [flight[0] for flight in observations])


def distance(learner, policy, expert):
    return np.linalg.norm(learner.expectations(policy, 0).mean - expert.mean) / expert.norm


def test_the_critic_satisfies_its_bellman_equation():
    settings = RlSettings(discount=0.8, hidden_dim=32, batch_size=64, learning_rate=3e-3, polyak=0.2)
    states = np.eye(3, dtype=np.float32)
    agent = SuccessorAgent(Chain(), lambda seen: np.asarray(seen, float), states, settings, 0)
    agent.learn(120, random=True)
    for _ in range(300):
        agent.update()
    step = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 1]])
    exact = (1 - 0.8) * np.linalg.inv(np.eye(3) - 0.8 * step)
    assert agent.successor(states) == pytest.approx(exact, abs=0.05)


def test_matching_comes_nearer_without_actions(shown):
    settings = RlSettings(discount=0.9, hidden_dim=32, batch_size=64, updates=0.5, polyak=0.05)
    expert = shown.expectations(phi, 0.9)
    schedule = Schedule(frames=120, warmup=200)
    setup = Setup(Slider, phi, NAMES, shown.without_actions(), schedule, settings, 0)
    learner = MatchingLearner(expert, setup)
    outcome = learn(learner, expert, Settings("matching", iterations=5, epsilon=0.02, patience=9))
    first, best = outcome.iterates[0], outcome.iterates[outcome.best]
    assert best.distance < 0.3 * first.distance
    assert learner.frames > 200


class Around:
    """Policies that tremble about a clone of the expert, the first one far off."""

    names = NAMES

    def __init__(self, learner):
        self.learner, self.rng = learner, np.random.default_rng(0)

    def first(self, seed):
        return self.learner.actor.policy()

    def improve(self, weights, last, seed):
        if not hasattr(self, "clone"):
            self.clone = self.learner.first(seed)
        moved = {name: array + self.rng.normal(0, 0.02, array.shape) for name, array in self.clone.items()}
        return self.clone | {
            name: moved[name].astype(np.float32) for name in moved if name.startswith("actor.")
        }

    def expectations(self, policy, seed):
        return self.learner.expectations(policy, seed)


def test_matching_ends_when_it_has_been_near_and_takes_the_mean_of_what_trembled(shown):
    settings = RlSettings(discount=0.9, hidden_dim=32)
    given = Setup(Slider, phi, NAMES, shown, Schedule(1, 1, clone=True, clone_steps=300), settings, 0)
    expert = shown.expectations(phi, 0.9)
    learner = MatchingLearner(expert, given)
    ends = Settings("matching", iterations=60, epsilon=1e-4, patience=SETTLED, near=0.1)
    outcome = learn(Around(learner), expert, ends)
    assert outcome.reason == "near" and len(outcome.iterates) <= 1 + 4 * SETTLED
    near = [iterate.distance for iterate in outcome.iterates if iterate.distance < 0.1 * expert.norm]
    mean = concluded(learner, outcome, expert)
    assert mean.best == len(outcome.iterates) == len(mean.mixture) - 1
    assert mean.iterates[-1].distance < np.mean(near)
    assert concluded(learner, replace(outcome, iterates=outcome.iterates[:2]), expert).best == outcome.best


def test_a_clone_begins_near_and_needs_actions(shown):
    settings = RlSettings(discount=0.9, hidden_dim=32)
    given = Setup(Slider, phi, NAMES, shown, Schedule(1, 1, clone=True, clone_steps=150), settings, 0)
    learner = SuccessorLearner(given)
    assert distance(learner, learner.first(0), shown.expectations(phi, 0.9)) < 0.1
    with pytest.raises(UsageError, match="no actions to clone"):
        SuccessorLearner(replace(given, shown=shown.without_actions())).first(0)


def test_a_clone_is_left_alone_until_the_critics_know_something(shown):
    agent = SuccessorAgent(Slider(), phi, shown.seen, RlSettings(hidden_dim=16, batch_size=32), 0)
    agent.pursue(np.array([1.0, 0.0]))
    before, critic = agent.policy(), agent.successor(shown.seen)
    agent.learn(40, still=True)
    assert all(np.array_equal(before[name], array) for name, array in agent.policy().items())
    assert not np.allclose(agent.successor(shown.seen), critic)
    agent.learn(40)
    assert any(not np.array_equal(before[name], array) for name, array in agent.policy().items())


def test_search_finds_what_is_rewarded_and_keeps_flights_for_the_next_reward(shown):
    settings = SearchSettings(
        discount=0.9, starts=8, flights=600, measured=4, fit_steps=500, hidden_dim=32, horizon=4,
        n_action_steps=2, disturbance=(0.05, 0.5), slack=0.05, knot_frames=20,
    )  # fmt: skip
    learner = SearchLearner(Slider(), phi, NAMES, shown.without_actions(), settings, 0)
    first = learner.first(0)
    right = np.array([1.0, 0.0])
    policy = learner.improve(right, first, 0)
    before, after = (learner.expectations(p, 0).mean @ right for p in (first, policy))
    assert after > before + 1  # of at most 7 on either side of 0
    _, worth = learner._best(right)
    assert (worth >= learner.good_from(right)).all()
    flown = learner.frames
    learner.improve(2 * right, policy, 0)
    assert learner.frames == flown  # good flights from all starts are known


def test_search_spreads_from_a_demonstration(shown):
    settings = SearchSettings(discount=0.9, starts=40, flights=60, measured=4, fit_steps=5, hidden_dim=8)
    learner = SearchLearner(Slider(), phi, NAMES, shown, settings, 0)
    learner.improve(np.array([1.0, 0.0]), learner.first(0), 0)
    _, worth = learner._best(np.array([1.0, 0.0]))
    assert np.isfinite(worth).all() and learner._tries.max() == 1  # what was shown goes well from everywhere
    assert {flight.root for flights in learner._kept for flight in flights} <= {0, 1, 2}


def test_a_flight_that_was_cut_off_stays_where_it_was():
    still = flown_expectations([np.full((3, 1), 0.5)], phi, 0.9)
    long = flown_expectations([np.full((300, 1), 0.5)], phi, 0.9)
    assert still.mean == pytest.approx(long.mean)
    over = flown_expectations([np.full((3, 1), 0.5)], phi, 0.9, ended=[True])
    assert over.mean == pytest.approx(still.mean * (1 - 0.9**3))


def test_an_inner_learner_that_misses_its_own_reward_is_found_out():
    def iterate(number, weights, mean):
        return Iterate(number, np.array(weights), 1.0, np.array(mean), 1.0, 0.0, 0.0, {})

    good = [iterate(0, [0.0, 0.0], [0.0, 0.0]), iterate(1, [1.0, 0.0], [0.5, 0.0])]
    assert shortfall(good) == (0.0, 0) and shortfall(good[:1]) == (0.0, 0)
    assert shortfall([*good, iterate(2, [1.0, 0.0], [0.1, 0.9])]) == (pytest.approx(0.4), 1)


def test_a_learner_that_approximates_may_be_given_patience(shown):
    class Lazy:
        names = NAMES

        def first(self, seed):
            return {"x": np.zeros(1)}

        def improve(self, weights, last, seed):
            return last

        def expectations(self, policy, seed):
            return flown_expectations([np.zeros((5, 1))], phi, 0.9)

    expert = shown.expectations(phi, 0.9)
    assert len(learn(Lazy(), expert, Settings(iterations=5)).iterates) == 2
    patient = learn(Lazy(), expert, Settings(iterations=5, patience=3))
    assert len(patient.iterates) == 4 and patient.reason == "settled"


def test_features_without_bounds_and_a_critic_that_diverges_are_named(shown):
    with pytest.raises(DataError, match="allowed is 1"):
        shown.expectations(lambda seen: 100 * phi(seen), 0.9)
    agent = SuccessorAgent(Slider(), phi, shown.seen, RlSettings(hidden_dim=8), 0)
    with pytest.raises(DataError, match="lower learning_rate"):
        agent._check(torch.full((4, 2), 50.0))


def test_what_makes_no_sense_is_refused(shown):
    with pytest.raises(UsageError, match="at least one demonstration"):
        Demonstrations([], None, [])
    with pytest.raises(UsageError, match="starts"):
        Demonstrations(shown.observations, None, [1])
    with pytest.raises(DataError, match="actions"):
        Demonstrations(shown.observations, [a[:-1] for a in shown.actions], shown.starts)
    with pytest.raises(UsageError, match="updates"):
        RlSettings(updates=0)
