"""The pendulum is gymnasium's, its solver solves it, and what is learnt from demonstrations swings it up."""

import numpy as np
import pytest

from collector.errors import UsageError
from training.irl import swing
from training.irl.apprenticeship import Settings
from training.irl.features import NamedFeatures, RandomFourier
from training.irl.pendulum import (
    FEATURES,
    demonstrate,
    experiment,
    first_states,
    learnt_features,
    returns,
    transitions,
)


def test_it_moves_and_rewards_as_gymnasiums():
    import gymnasium

    world = gymnasium.make("Pendulum-v1")
    state = swing.state_of(np.array(world.reset(seed=3)[0], float))[None]
    rng = np.random.default_rng(0)
    for torque in rng.uniform(-2, 2, size=(150, 1)):
        reward = returns(state[:, None], torque[:, None])
        state = swing.step(state, torque)
        seen, theirs, *_ = world.step(torque)
        assert swing.observe(state)[0] == pytest.approx(seen, abs=2e-4)
        assert reward[0] == pytest.approx(theirs, abs=3e-3)


def test_corners_interpolate_exactly_what_is_linear():
    rng = np.random.default_rng(0)
    state = rng.uniform([-3, -8], [3, 8], size=(100, 2))
    places, weights = swing.corners(state)
    assert weights.min() >= 0 and weights.sum(axis=1) == pytest.approx(1)
    assert (swing.grid()[places] * weights[..., None]).sum(axis=1) == pytest.approx(state)
    around = swing.corners(state + np.array([2 * np.pi, 0]))
    assert (around[0] == places).all() and around[1] == pytest.approx(weights)


def test_the_demonstrator_swings_it_up_and_holds_it():
    states, torques = demonstrate(3, 0)
    assert states.shape == (3, 200, 2) and np.abs(torques).max() <= 2
    assert (np.cos(states[:, -50:, 0]) > 0.99).all()
    assert len(transitions(states, torques)) == 3 * 199


def test_it_is_learnt_from_two_flights_without_their_torques():
    lines = []
    found = experiment("named", 2, Settings(iterations=8), 10, rivals=False, report=lines.append)
    assert found["first"] < 4 * found["expert"]
    assert found["mixture"] > 1.3 * found["expert"]  # returns are negative
    assert set(found["weights"]) == {"height", "angle squared", "speed squared"}
    assert len(lines) == found["iterations"] + 1


@pytest.mark.parametrize("kind", FEATURES)
def test_features_are_no_longer_than_1(kind):
    phi = learnt_features(0, steps=20) if kind == "dynamics" else FEATURES[kind](0)
    seen = swing.observe(swing.grid())
    features = phi(seen)
    assert features.shape == (len(seen), len(phi.names))
    assert np.linalg.norm(features, axis=1).max() <= 1 + 1e-9


def test_fourier_features_approximate_the_gaussian_kernel():
    phi = RandomFourier(np.array([1.0, 2.0]), 4000, bandwidth=0.7, seed=0)
    x, y = np.array([[0.3, -0.2], [0.9, 1.5]])
    near = np.sum(((x - y) / [1, 2]) ** 2)
    assert (phi(x[None]) @ phi(y[None]).T).item() == pytest.approx(np.exp(-near / (2 * 0.7**2)), abs=0.05)
    assert np.linalg.norm(phi(x[None])) == pytest.approx(1)


def test_named_features_keep_their_names():
    phi = NamedFeatures({"left": lambda seen: seen[:, 0], "right": lambda seen: -seen[:, 0]})
    assert phi.names == ("left", "right")
    assert phi(np.array([[1.0]]))[0] == pytest.approx([0.5**0.5, -(0.5**0.5)])


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="even number"):
        RandomFourier(np.ones(2), 3, 1.0, 0)
    with pytest.raises(UsageError, match="at least 1"):
        demonstrate(0, 0)
    assert first_states(2, 0).shape == (2, 2)
