"""What good flights foretell about other starts."""

import numpy as np
import pytest

from training.irl.contexts import Good, forecast, padded, smooth_noise


def good_flights(n, roots, rng):
    """Actions are linear in where a flight begins, beside something of each root's own."""
    context = rng.normal(size=(n, 3))
    root = np.arange(n) % roots
    slope = np.array([[1.0, 0.0], [0.0, -2.0], [0.0, 0.0]])
    flown = (context @ slope)[:, None] * np.linspace(0, 1, 5)[:, None] + 10.0 * root[:, None, None]
    return Good(context, flown, root), slope


def test_a_forecast_carries_on_what_good_flights_of_the_same_root_show():
    rng = np.random.default_rng(0)
    good, slope = good_flights(24, 2, rng)
    start = np.array([2.5, -2.5, 0.0])  # further out than all but a few
    told = forecast(good, start, 24, 1e-6, rng)
    expected = (start @ slope) * np.linspace(0, 1, 5)[:, None] + 10.0 * told.root
    assert told.action == pytest.approx(expected, abs=0.02)
    assert told.varied.shape == (24, 5, 2)


def test_a_single_flight_is_flown_again_wherever_one_begins():
    rng = np.random.default_rng(0)
    good, _ = good_flights(1, 1, rng)
    told = forecast(good, np.full(3, 100.0), 12, 0.01, rng)
    assert told.action == pytest.approx(good.action[0]) and told.root == 0
    assert np.allclose(told.varied, 0)


def test_noise_is_smooth_and_leaves_some_actions_alone():
    rng = np.random.default_rng(0)
    drawn = np.array([smooth_noise(60, 6, 6, 0.1, rng) for _ in range(200)])
    assert np.abs(np.diff(drawn, axis=1)).max() < 0.2  # six frames from knot to knot
    still = (drawn == 0).all(axis=1)
    assert 0.3 < still.mean() < 0.5 and not still.all(axis=1).any()


def test_a_flight_is_held_at_its_end():
    assert padded(np.arange(6.0).reshape(3, 2), 5)[2:].tolist() == [[4.0, 5.0]] * 3
