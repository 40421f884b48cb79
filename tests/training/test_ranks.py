"""Ranks: who shares a letter is not told apart, and the other way round."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from training.ranks import groups_not_told_apart, rank

NAMES = list("abcdef")


@given(st.sets(st.sampled_from(list(combinations(NAMES, 2)))))
@settings(deadline=None)
def test_two_share_a_group_if_and_only_if_they_are_not_told_apart(told_apart):
    groups = groups_not_told_apart(NAMES, sorted(told_apart))
    for pair in combinations(NAMES, 2):
        assert any(set(pair) <= set(group) for group in groups) == (pair not in told_apart)
    assert set(NAMES) == {name for group in groups for name in group}
    assert not any(set(a) < set(b) for a in groups for b in groups)


def result(rate):
    return {"rate": rate}


def test_best_first_with_the_range_of_ranks_that_the_tests_leave_open():
    wins = {(0.9, 0.8): (5, 2, 0.4), (0.9, 0.1): (9, 0, 0.004), (0.8, 0.1): (8, 1, 0.02)}
    ranks = rank(
        ["low", "high", "middle"],
        [result(0.1), result(0.9), result(0.8)],
        lambda a, b: wins[a["rate"], b["rate"]],
    )
    assert [p["name"] for p in ranks["policies"]] == ["high", "middle", "low"]
    assert [p["letters"] for p in ranks["policies"]] == ["a", "a", "b"]
    assert [(p["best_rank"], p["worst_rank"]) for p in ranks["policies"]] == [(1, 2), (1, 2), (3, 3)]
    assert [p["better"] for p in ranks["pairs"]] == [None, "high", "middle"]
    assert [p["p_holm"] for p in ranks["pairs"]] == [0.4, 0.012, 0.04]


def test_pairs_without_a_seed_in_common_are_no_tests_and_stay_together():
    ps = iter([(0, 0, None), (0, 9, 0.004), (0, 0, None)])
    ranks = rank(["a", "b", "c"], [result(0.9), result(0.5), result(0.4)], lambda a, b: next(ps))
    assert ranks["n_tests"] == 1
    assert ranks["pairs"][0]["p_holm"] is None
    assert (
        ranks["pairs"][1]["better"] == "c"
    )  # who wins is said by the seeds that both flew, not by the rates
    assert [p["letters"] for p in ranks["policies"]] == ["a", "ab", "b"]
