"""Rank several evaluations by paired tests of each against each, and say which cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from training.intervals import holm

ALPHA = 0.05

# Wins and losses of the first on the seeds that both flew, and p; None where nothing is paired.
PairedP = Callable[[dict[str, Any], dict[str, Any]], tuple[int, int, float | None]]


def rank(names: list[str], results: list[dict[str, Any]], paired_p: PairedP) -> dict[str, Any]:
    """Rank evaluations by success rate; two that no test tells apart share a letter.

    Args:
        names: Distinct names.
        results: The evaluations, in the same order.
        paired_p: The test of two of them.

    Returns:
        `alpha`; `n_tests`, the pairs that share seeds, for which p is corrected (Holm); `pairs`, each with `a`,
        `b`, `a_wins`, `b_wins`, `p`, `p_holm` (None where they share no seed) and `better` (a name, or None where
        they cannot be told apart); `policies`, best first: `name`, `rate`, `letters`, `best_rank` and `worst_rank`
        (1 more than the number of those shown to be better; and as if all that are not shown to be worse were
        better).

    Source: letters by insertion and absorption, Piepho 2004, J. Comput. Graph. Statist. 13, 456-466.
    """
    order = sorted(range(len(names)), key=lambda i: -results[i]["rate"])
    found = [(i, j, *paired_p(results[i], results[j])) for i, j in combinations(order, 2)]
    corrected = iter(holm([p for *_, p in found if p is not None]))
    pairs = [_pair(names, i, j, wins, losses, p, corrected) for i, j, wins, losses, p in found]
    beats = [(pair["better"], pair["a"] if pair["better"] == pair["b"] else pair["b"]) for pair in pairs]
    beats = [(winner, loser) for winner, loser in beats if winner is not None]
    ordered = [names[i] for i in order]
    groups = groups_not_told_apart(ordered, beats)
    policies = [
        {
            "name": names[i],
            "rate": results[i]["rate"],
            "letters": "".join(_letter(g) for g, group in enumerate(groups) if names[i] in group),
            "best_rank": 1 + sum(loser == names[i] for _, loser in beats),
            "worst_rank": len(names) - sum(winner == names[i] for winner, _ in beats),
        }
        for i in order
    ]
    n_tests = sum(p is not None for *_, p in found)
    return {"alpha": ALPHA, "n_tests": n_tests, "pairs": pairs, "policies": policies}


def _pair(
    names: list[str], i: int, j: int, wins: int, losses: int, p: float | None, corrected: Any
) -> dict[str, Any]:
    p_holm = None if p is None else next(corrected)
    told_apart = p_holm is not None and p_holm <= ALPHA and wins != losses
    better = (names[i] if wins > losses else names[j]) if told_apart else None
    counts = {"a": names[i], "b": names[j], "a_wins": wins, "b_wins": losses}
    return {**counts, "p": p, "p_holm": p_holm, "better": better}


def groups_not_told_apart(names: list[str], told_apart: list[tuple[str, str]]) -> list[list[str]]:
    """Return the largest groups within which no two are told apart; each name is in one or more.

    Args:
        names: All names, in the order that groups shall have.
        told_apart: The pairs that differ.
    """
    groups = [frozenset(names)]
    for pair in told_apart:
        split = [group - {out} for group in groups if set(pair) <= group for out in pair]
        kept = [group for group in groups if not set(pair) <= group]
        candidates = set(kept + split)
        groups = [group for group in candidates if not any(group < other for other in candidates)]
    ordered = [[name for name in names if name in group] for group in groups]
    return sorted(ordered, key=lambda group: [names.index(name) for name in group])


def _letter(i: int) -> str:
    """Return a, b, ..., z, then (27), (28), ..."""
    return chr(ord("a") + i) if i < 26 else f"({i + 1})"
