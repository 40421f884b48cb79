"""The bet against a fair coin: fair under it whatever the order of looks, and convincing where the coin is not."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.intervals import wilson
from training.sequential import PairedTest, anytime_p, confidence_sequence, e_path, e_value

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@pytest.mark.parametrize("n", range(1, 13))
def test_under_a_fair_coin_the_expectation_over_all_sequences_is_one(n):
    ends = [e_path((won, not won) for won in sequence)[-1] for sequence in product((True, False), repeat=n)]
    assert math.fsum(ends) / 2**n == pytest.approx(1, abs=1e-12)


@given(st.integers(0, 400), st.integers(0, 400))
@settings(deadline=None)
def test_each_flip_of_a_fair_coin_leaves_the_expectation_as_it_is(wins, losses):
    after = (e_value(wins + 1, losses) + e_value(wins, losses + 1)) / 2
    assert after == pytest.approx(e_value(wins, losses), rel=1e-9)


def test_among_fair_sequences_at_most_one_in_twenty_is_ever_decided():
    """A thousand pairs, looked at after each: with ties and without, as often as Ville allows, or less."""
    rng = np.random.default_rng(1)
    n_runs, n_pairs = 4000, 1000
    leads = np.array([_lead_that_decides(n) for n in range(n_pairs + 1)])
    for tie_rate in (0.0, 0.7):
        wins = losses = np.zeros(n_runs, int)
        decided = np.zeros(n_runs, bool)
        for _ in range(n_pairs):
            step = np.where(rng.random(n_runs) < tie_rate, 0, rng.choice((-1, 1), n_runs))
            wins, losses = wins + (step > 0), losses + (step < 0)
            decided |= np.abs(wins - losses) >= leads[wins + losses]
        assert 0.005 < decided.mean() <= 0.05


def _lead_that_decides(n):
    """Return the smallest lead after n flips at which e >= 20."""
    leads = range(n % 2, n + 1, 2)
    return next((lead for lead in leads if e_value((n + lead) // 2, (n - lead) // 2) >= 20), n + 1)


def test_a_better_pilot_is_found_and_named():
    test, rng = PairedTest(), np.random.default_rng(2)
    n = 0
    while not test.decided:
        test.add(bool(rng.random() < 0.9), bool(rng.random() < 0.5))
        n += 1
    assert test.decided == "better"
    assert n < 60
    assert test.p == pytest.approx(1 / test.e_value)


def test_seven_in_a_row_decide_at_five_percent():
    test = PairedTest(alpha=0.05)
    for _ in range(6):
        test.add(False, True)
    assert test.decided is None
    test.add(False, True)
    assert test.decided == "worse"
    assert test.e_value == pytest.approx(26.8125)


@given(PAIRS)
@settings(deadline=None)
def test_only_pairs_that_differ_count_and_sides_are_alike(pairs):
    path = e_path(pairs)
    assert len(path) == len(pairs)
    differing = e_path(pair for pair in pairs if pair[0] != pair[1])
    assert (path[-1:] or [1.0]) == (differing[-1:] or [1.0])
    assert path == pytest.approx(e_path((b, a) for a, b in pairs))


@given(PAIRS)
@settings(deadline=None)
def test_the_anytime_p_never_rises_and_the_running_test_agrees(pairs):
    path, test = e_path(pairs), PairedTest()
    ps = [anytime_p(path[: i + 1]) for i in range(len(path))]
    assert ps == sorted(ps, reverse=True)
    assert all(0 < p <= 1 for p in ps)
    for pair in pairs:
        test.add(*pair)
    assert test.p == anytime_p(path)


def test_impossible_counts_are_refused_and_large_ones_are_numbers():
    with pytest.raises(ValueError, match="-1 wins"):
        e_value(-1, 3)
    assert math.isfinite(e_value(100_000, 0))
    assert anytime_p([]) == 1.0


@given(st.integers(0, 200), st.integers(0, 200))
@settings(deadline=None)
def test_a_confidence_sequence_holds_the_rate_and_is_wider_than_wilsons(successes, failures):
    n = successes + failures
    low, high = confidence_sequence(successes, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= successes / n <= high
        assert high - low >= wilson(successes, n)[1] - wilson(successes, n)[0]


@given(st.integers(1, 60), st.data())
@settings(deadline=None)
def test_the_limits_are_the_rates_at_which_the_bet_reaches_twenty(n, data):
    successes = data.draw(st.integers(0, n))
    for p in confidence_sequence(successes, n):
        if 0 < p < 1:
            mixture = math.lgamma(successes + 0.5) + math.lgamma(n - successes + 0.5) - math.lgamma(n + 1)
            log_e = mixture - math.log(math.pi) - successes * math.log(p) - (n - successes) * math.log(1 - p)
            assert log_e == pytest.approx(math.log(20), abs=1e-6)


def test_at_least_nineteen_of_twenty_sequences_hold_the_truth_all_along():
    """Also for whoever stops at the worst moment; a fixed-n interval does not."""
    rng, n_runs, n_flights, truth = np.random.default_rng(3), 300, 300, 0.8
    tables = {n: [confidence_sequence(k, n) for k in range(n + 1)] for n in range(1, n_flights + 1, 7)}
    won = np.cumsum(rng.random((n_runs, n_flights)) < truth, axis=1)
    held = [
        all(low <= truth <= high for n, table in tables.items() for low, high in [table[row[n - 1]]])
        for row in won
    ]
    fixed = [
        all(low <= truth <= high for n in range(20, n_flights) for low, high in [wilson(int(row[n - 1]), n)])
        for row in won[:100]
    ]
    assert np.mean(held) >= 0.95
    assert np.mean(fixed) < 0.9


def test_impossible_successes_are_refused_and_nothing_tried_says_nothing():
    with pytest.raises(ValueError, match="5 successes of 4"):
        confidence_sequence(5, 4)
    assert confidence_sequence(0, 0) == (0.0, 1.0)
