"""The three ways to the next reward, and the mixture of policies that is nearest to the expert.

Each takes the expert's feature expectations mu_E and those of the policies so far, mu_0 .. mu_{i-1}, and gives
the weights w_i of the reward w_i . phi(s), with the margin t_i by which the expert is still better under it.
Equation numbers are those of Abbeel & Ng 2004.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collector.errors import DataError

_HAS_NO_SOLUTION = -1  # daqp's exit flag: the constraints contradict each other


@dataclass(frozen=True)
class Update:
    """What step 2 of the algorithm gives.

    Attributes:
        weights: w_i, float64, (n_features,), of norm 1, or 0 where the expert is reached.
        margin: t_i >= 0; the loop ends where it falls to epsilon.
        nearest: The point that w_i leads from to mu_E, float64, (n_features,): for `max_margin` the nearest of all
            mixtures, for `projection` mu_bar_{i-1}, for `literal` mu_{i-1}.
    """

    weights: np.ndarray
    margin: float
    nearest: np.ndarray


def max_margin(expert: np.ndarray, policies: np.ndarray) -> Update:
    """Maximise t over w with w . mu_E >= w . mu_j + t for all j < i and ||w||_2 <= 1 (eq. 10 to 12).

    Scaled by t it is a strictly convex quadratic program: minimise ||u||^2 with u . (mu_E - mu_j) >= 1 for all j;
    then t = 1 / ||u|| and w = u t. Its multipliers, scaled to sum 1, are the nearest mixture of the policies, to which
    mu_E - t w is the point: the dual problem. Where no u exists, the expert is a mixture of the policies.

    Args:
        expert: mu_E, (n_features,).
        policies: mu_j, (n_policies, n_features).

    Raises:
        DataError: If the solver fails.
    """
    import daqp

    apart = expert - policies
    scale = float(np.linalg.norm(apart, axis=1).min())  # t is at most this: u is then no shorter than 1
    if scale == 0:
        return _reached(expert)
    k, n = len(expert), len(policies)
    above, at_least = np.full(n, 1e30), np.ones(n)
    u, _, flag, _ = daqp.solve(np.eye(k), np.zeros(k), np.ascontiguousarray(apart / scale), above, at_least)
    if flag == _HAS_NO_SOLUTION:
        return _reached(expert)
    if flag <= 0:
        raise DataError(
            f"daqp gave up on the margin of {n} policies with flag {flag}: features or weights are degenerate; "
            "take update=projection, which needs no solver"
        )
    length = float(np.linalg.norm(u))
    weights, margin = u / length, scale / length
    return Update(weights, margin, expert - margin * weights)


def projection(expert: np.ndarray, policies: np.ndarray) -> Update:
    """Project mu_E onto the line from mu_bar_{i-2} through mu_{i-1}, for each policy in turn (section 3.1).

    mu_bar_0 = mu_0;  mu_bar_{i-1} = mu_bar_{i-2} + s (mu_{i-1} - mu_bar_{i-2}),
    s = (mu_{i-1} - mu_bar_{i-2}) . (mu_E - mu_bar_{i-2}) / ||mu_{i-1} - mu_bar_{i-2}||^2;
    w_i = mu_E - mu_bar_{i-1};  t_i = ||w_i||.

    s is kept within [0, 1], so that mu_bar remains a mixture of the policies also where an inner learner was
    poor, which the paper need not care for. w_i is scaled to norm 1: the same reward, comparable between updates.

    Args:
        expert: mu_E, (n_features,).
        policies: mu_j, (n_policies, n_features).
    """
    nearest = policies[0]
    for mean in policies[1:]:
        step = mean - nearest
        length = step @ step
        if length > 0:
            nearest = nearest + np.clip(step @ (expert - nearest) / length, 0.0, 1.0) * step
    return _towards(expert, nearest)


def literal(expert: np.ndarray, policies: np.ndarray) -> Update:
    """w_i = argmax_{||w||_2 <= 1} w . (mu_E - mu_{i-1}): against the last policy alone, t_i = ||mu_E - mu_{i-1}||.

    It forgets the policies before: an optimal policy overshoots to where the reward points, the next one back, and so
    on. It is kept because it shows what the other two are for.

    Args:
        expert: mu_E, (n_features,).
        policies: mu_j, (n_policies, n_features).
    """
    return _towards(expert, policies[-1])


def matching(expert: np.ndarray, policies: np.ndarray) -> Update:
    """w_i along sum_j MEMORY^(i-1-j) (mu_E - mu_j): the gap, with those before it, the older the less.

    For learners that take a few steps for each w (`matching.MatchingLearner`). By the last gap alone a policy that has
    come near is sent to and fro; what alternates falls out of the sum, and what persists adds up (the heavy ball:
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods"). t_i = ||mu_E - mu_{i-1}||.

    Args:
        expert: mu_E, (n_features,).
        policies: mu_j, (n_policies, n_features).
    """
    gaps = expert - policies
    total = MEMORY ** np.arange(len(gaps))[::-1] @ gaps
    length = float(np.linalg.norm(total))
    if length == 0:
        return _reached(expert)
    return Update(total / length, float(np.linalg.norm(gaps[-1])), policies[-1])


MEMORY = 0.8
UPDATES: dict[str, Callable[[np.ndarray, np.ndarray], Update]] = {
    "max_margin": max_margin,
    "projection": projection,
    "literal": literal,
}
STEPWISE = {"matching": matching}  # no best responses: for learners of their own


def _towards(expert: np.ndarray, nearest: np.ndarray) -> Update:
    apart = expert - nearest
    margin = float(np.linalg.norm(apart))
    return Update(apart / margin, margin, nearest) if margin > 0 else _reached(expert)


def _reached(expert: np.ndarray) -> Update:
    return Update(np.zeros_like(expert), 0.0, expert.copy())


def nearest_mixture(expert: np.ndarray, policies: np.ndarray) -> tuple[np.ndarray, float]:
    """Minimise ||mu_E - sum_j lambda_j mu_j||_2 over lambda_j >= 0, sum_j lambda_j = 1 (section 3, after step 6).

    The policy of this mixture draws one j by lambda before each episode and flies it to the end; its feature
    expectations are the sum, as expectations are linear.

    Solved as nonnegative least squares: with D = (mu_E - mu_j)_j, the v >= 0 that minimises
    ||D v||^2 + (1 - sum_j v_j)^2 is a multiple of lambda (Lawson & Hanson 1974, section 23.3).

    Args:
        expert: mu_E, (n_features,).
        policies: mu_j, (n_policies, n_features).

    Returns:
        lambda, float64, (n_policies,), and the distance.
    """
    from scipy.optimize import nnls

    apart = (expert - policies).T
    scale = np.linalg.norm(apart, axis=0).min()
    if scale == 0:
        share = (np.linalg.norm(apart, axis=0) == 0).astype(float)
        return share / share.sum(), 0.0
    system = np.vstack([apart / scale, np.ones(apart.shape[1])])
    v, _ = nnls(system, np.append(np.zeros(len(expert)), 1.0), maxiter=100 * system.shape[1])
    share = v / v.sum()
    return share, float(np.linalg.norm(apart @ share))
