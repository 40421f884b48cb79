"""Intervals and tests for success counts."""

from __future__ import annotations

import math
from statistics import NormalDist


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
