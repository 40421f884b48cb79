"""Intervals and tests for a number of flights that was fixed beforehand; `sequential` has those for any number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_RESAMPLES = 9999


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a success rate.

    Args:
        successes: Number of successes.
        n: Number of trials.
        confidence: Coverage, between 0 and 1.

    Returns:
        Lower and upper limit, within [0, 1]; (0, 1) where nothing was tried.

    Raises:
        ValueError: If `successes` is not within 0..n.

    Source: Wilson 1927, "Probable Inference", J. Am. Stat. Assoc. 22, eq. 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and n successes one limit is exactly 0 or 1; rounding must not push it past.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p of McNemar's test on paired successes.

    Under the null hypothesis each discordant pair falls to either side like a fair coin.

    Args:
        only_a: Pairs in which only A succeeded.
        only_b: Pairs in which only B succeeded.

    Raises:
        ValueError: If a count is negative.

    Source: McNemar 1947, Psychometrika 12; exact form by the binomial distribution.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"discordant pairs {only_a} and {only_b}")
    n, least = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(n, k) for k in range(least + 1))
    return min(1.0, 2 * tail / 2**n)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a success rate: it covers the truth at least as often as it says, for every n.

    Wilson's covers it so often on average, and less at some rates; for a claim take this one.

    Args:
        successes: Number of successes.
        n: Number of trials, fixed before they were flown.
        confidence: Coverage, between 0 and 1.

    Returns:
        Lower and upper limit, within [0, 1]; (0, 1) where nothing was tried.

    Raises:
        ValueError: If `successes` is not within 0..n.

    Source: Clopper & Pearson 1934, Biometrika 26; limits as quantiles of Beta distributions.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number: all of them together err as often as one would.

    Args:
        p_values: The p-values, within [0, 1].

    Returns:
        The corrected ones, in the given order: the k-th smallest of m is multiplied by m - k + 1, and none is
        smaller than one before it.

    Source: Holm 1979, Scand. J. Statist. 6, 65-70.
    """
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = least
    return corrected


def bootstrap_mean(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the interval of a mean by a bootstrap, the bias-corrected and accelerated one, with a fixed seed.

    Rewards are bounded and lie in heaps at their ends, so that neither a normal distribution nor a symmetric one,
    which a sign-flip test needs, may be assumed; and an interval says how much, where a p says only whether.

    Args:
        values: One value for each seed, such as differences of rewards.
        confidence: Coverage, between 0 and 1; fewer than about 20 values are covered less often.

    Returns:
        Lower and upper limit, in the values' unit; None for fewer than two values, or where all are the same.

    Source: Efron 1987, J. Am. Stat. Assoc. 82, 171-185 (BCa); Efron & Tibshirani 1993, "An Introduction to the
    Bootstrap", section 14.3 (acceleration by the jackknife, which for a mean is its third moment).
    """
    if len(set(values)) < 2:
        return None
    import numpy as np

    seen, normal = np.asarray(values, float), NormalDist()
    deviations = seen - seen.mean()
    acceleration = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    means = _resampled_means(seen)
    below = ((means < seen.mean()).mean() + (means <= seen.mean()).mean()) / 2
    if not 0 < below < 1:
        return None
    bias = normal.inv_cdf(below)
    tail = normal.inv_cdf((1 - confidence) / 2)
    shares = [normal.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (tail, -tail)]
    low, high = np.quantile(means, shares)
    return float(low), float(high)


def _resampled_means(values: np.ndarray) -> np.ndarray:
    """Return the means of samples drawn from the values with replacement, float64, (_RESAMPLES,)."""
    import numpy as np

    rng, n = np.random.default_rng(0), len(values)
    at_once = max(1, 1_000_000 // n)
    sizes = [min(at_once, _RESAMPLES - i) for i in range(0, _RESAMPLES, at_once)]
    return np.concatenate([values[rng.integers(0, n, (size, n))].mean(axis=1) for size in sizes])
