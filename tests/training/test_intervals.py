"""Intervals and tests against values worked out elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr, bdtrc

from training.intervals import bootstrap_mean, clopper_pearson, holm, mcnemar_exact, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_limits(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=6e-5)


def test_wilson_is_symmetric_and_exact_at_the_ends():
    low, high = wilson(20, 20)
    assert high == 1.0
    assert low == pytest.approx(1 - wilson(0, 20)[1])
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_refuses_impossible_counts():
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson(5, 4)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 32),
        (1, 9, 2 * (1 + 10) / 1024),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_mcnemar_counts_fair_coins(only_a, only_b, p):
    assert mcnemar_exact(only_a, only_b) == pytest.approx(p)
    assert mcnemar_exact(only_b, only_a) == pytest.approx(p)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 5.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_gives_newcombes_published_limits(successes, n, low, high):
    assert clopper_pearson(successes, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 300), st.integers(0, 300))
@settings(deadline=None)
def test_at_clopper_pearsons_limits_either_tail_has_its_share(successes, failures):
    n = successes + failures
    low, high = clopper_pearson(successes, n)
    if successes:
        assert bdtrc(successes - 1, n, low) == pytest.approx(0.025, rel=1e-6)
    else:
        assert low == 0
    if failures:
        assert bdtr(successes, n, high) == pytest.approx(0.025, rel=1e-6)
    else:
        assert high == 1


def test_clopper_pearson_refuses_impossible_counts():
    with pytest.raises(ValueError, match="5 successes of 4"):
        clopper_pearson(5, 4)


def test_holm_steps_down_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_bootstrap_is_the_same_each_time_and_as_scipys():
    from scipy.stats import bootstrap

    values = np.clip(np.random.default_rng(0).normal(0.2, 0.5, 60), 0, 1)  # in heaps at the ends, skewed
    low, high = bootstrap_mean(values.tolist())
    assert (low, high) == bootstrap_mean(values.tolist())
    theirs = bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(7)).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.005)


def test_a_bootstrap_of_values_that_do_not_vary_is_none():
    assert bootstrap_mean([0.5] * 9) is None
    assert bootstrap_mean([0.5]) is None
    assert bootstrap_mean([]) is None
