"""Tests and intervals that hold whenever one looks: fly until it is decided, not for a number fixed beforehand.

A fixed-n test that is looked at after each flight errs far more often than it says. What is here is a bet against
the null hypothesis: fair under it, so that a fortune of 20 is reached with a probability of at most 1/20, ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

# Krichevsky and Trofimov's mixture (1981, IEEE Trans. Inf. Theory 27): seven wins in a row decide at 5 %, where the
# uniform one needs eight.
_PRIOR = 0.5
# More than that is no more convincing, and exp would overflow.
_LARGEST_LOG_E = 690.0


def e_value(wins: int, losses: int) -> float:
    """Return the evidence of decided pairs against a fair coin: the fortune of a bet that began with 1.

    The bet is the likelihood of the sequence under an unknown coin, mixed over Beta(1/2, 1/2), by that under a fair
    one: e = 2^n B(wins + 1/2, losses + 1/2) / B(1/2, 1/2), with n = wins + losses. Under a fair coin it is a
    martingale that begins at 1, so that P(e ever reaches 1/alpha) <= alpha (Ville's inequality), two-sided.

    Args:
        wins: Pairs in which only the first succeeded.
        losses: Pairs in which only the second succeeded.

    Returns:
        The e-value, > 0, at most about 1e299.

    Raises:
        ValueError: If a count is negative.

    Source: Ville 1939, "Etude critique de la notion de collectif"; Robbins 1970, Ann. Math. Stat. 41, 1397-1409
    (mixtures); Ramdas, Gruenwald, Vovk & Shafer 2023, Statist. Sci. 38, 576-601 (arXiv 2210.01948).
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins and {losses} losses")
    log_e = (wins + losses) * math.log(2) + _log_mixture(wins, losses)
    return math.exp(min(log_e, _LARGEST_LOG_E))


def e_path(pairs: Iterable[tuple[bool, bool]]) -> list[float]:
    """Return the e-value after each pair of outcomes; pairs that agree leave it as it was.

    Args:
        pairs: Whether the first and the second succeeded, in the order in which they are looked at, which must not
            depend on their outcomes.
    """
    counts = accumulate(
        pairs,
        lambda so_far, pair: (so_far[0] + (pair[0] > pair[1]), so_far[1] + (pair[1] > pair[0])),
        initial=(0, 0),
    )
    return [e_value(*count) for count in counts][1:]


def anytime_p(path: Iterable[float]) -> float:
    """Return the p-value of a path of e-values, 1 / the largest: it holds whenever one stops, for any reason.

    Source: Ramdas et al. 2023 (arXiv 2210.01948), by Ville's inequality.
    """
    return min(1.0, 1.0 / max(path, default=1.0))


@dataclass
class PairedTest:
    """The test of one pilot against another, seed by seed.

    Attributes:
        alpha: Probability allowed for deciding that two differ where they do not.
        wins: Pairs so far in which only the first succeeded.
        losses: Pairs so far in which only the second succeeded.
        e_value: The evidence so far; see `e_value`.
        largest_e: The largest evidence so far.
    """

    alpha: float = 0.05
    wins: int = 0
    losses: int = 0
    e_value: float = 1.0
    largest_e: float = 1.0

    def add(self, first: bool, second: bool) -> None:
        """Take the outcomes of the next pair."""
        self.wins += first > second
        self.losses += second > first
        self.e_value = e_value(self.wins, self.losses)
        self.largest_e = max(self.largest_e, self.e_value)

    @property
    def p(self) -> float:
        """The anytime-valid p."""
        return anytime_p([self.largest_e])

    @property
    def decided(self) -> str | None:
        """`better` or `worse`, of the first, as soon as the evidence reached 1 / alpha; None before."""
        if self.e_value < 1 / self.alpha:
            return None
        return "better" if self.wins > self.losses else "worse"


def confidence_sequence(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval of a success rate that holds whenever one stops flying, for whatever reason.

    It keeps the rates p that the bet of `e_value` has not refuted, with p in the place of the fair coin:
    B(s + 1/2, n - s + 1/2) / (B(1/2, 1/2) p^s (1 - p)^(n - s)) < 1 / (1 - confidence). Its logarithm is convex in
    p and at most 0 at s / n, so that the limits are found by bisection.

    Args:
        successes: Number of successes so far.
        n: Number of trials so far.
        confidence: Probability that the interval holds at all times at once, between 0 and 1.

    Returns:
        Lower and upper limit, within [0, 1]; (0, 1) where nothing was tried.

    Raises:
        ValueError: If `successes` is not within 0..n.

    Source: Robbins 1970, Ann. Math. Stat. 41, 1397-1409; Ramdas et al. 2023 (arXiv 2210.01948).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    if n == 0:
        return 0.0, 1.0
    failures, bound = n - successes, -math.log(1 - confidence) - _log_mixture(successes, n - successes)

    def refuted(p: float) -> bool:
        return -_times_log(successes, p) - _times_log(failures, 1 - p) >= bound

    rate = successes / n
    low = 0.0 if successes == 0 else _limit(refuted, outside=0.0, inside=rate)
    high = 1.0 if failures == 0 else _limit(refuted, outside=1.0, inside=rate)
    return low, high


def _log_mixture(successes: int, failures: int) -> float:
    """Return ln(B(successes + a, failures + a) / B(a, a))."""
    return _log_beta(successes + _PRIOR, failures + _PRIOR) - _log_beta(_PRIOR, _PRIOR)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, p: float) -> float:
    """Return count * ln(p), where 0 * ln(0) is 0."""
    if count == 0:
        return 0.0
    return count * math.log(p) if p > 0 else -math.inf


def _limit(refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return where a rate begins to be refuted, on the side of `outside`."""
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if refuted(middle) else (outside, middle)
    return outside
