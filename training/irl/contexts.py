"""What to fly from a start, by what was good from others: good actions as a function of where a flight begins.

A flight's actions are regressed on its first observation over the good flights nearby: locally weighted ridge
regression (Atkeson, Moore & Schaal 1997, "Locally Weighted Learning", section 4), with a mean of its own for each root,
the flight that a flight was varied from; for flights of different people are not in step, and what lies between them is
no flight. So what was found at a few starts foretells what to do at the next one, and a search spreads from the
demonstrations outwards (contextual policy search; Kupcsik et al. 2013, "Data-Efficient Generalization of Robot Skills
with Contextual Policy Search", AAAI).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CANDIDATES = 3  # the nearest ones whose root is followed
_TINY = 1e-6


@dataclass(frozen=True)
class Good:
    """Good flights.

    Attributes:
        context: First observation of each, in comparable units, (n, observation_dim).
        action: Actions within [-1, 1], behind a flight's end its last one, (n, frames, action_dim).
        root: Number of the flight that each was varied from, int, (n,).
    """

    context: np.ndarray
    action: np.ndarray
    root: np.ndarray


@dataclass(frozen=True)
class Forecast:
    """What the good flights say about a start.

    Attributes:
        action: What to fly, (frames, action_dim); it may leave [-1, 1].
        root: Number of the flight that it goes back to.
        varied: How nearby good flights of the same root differ, a row for each, whose squares sum to their variance,
            (n, frames, action_dim).
    """

    action: np.ndarray
    root: int
    varied: np.ndarray


def forecast(good: Good, context: np.ndarray, near: int, ridge: float, rng: np.random.Generator) -> Forecast:
    """Return what to fly from a start.

    Args:
        good: At least one flight.
        context: The start's first observation, (observation_dim,).
        near: Flights within one bandwidth.
        ridge: How much slopes are held back, in squared bandwidths.
        rng: Draws which of the nearest flights' roots is followed.
    """
    apart = np.linalg.norm(good.context - context, axis=1)
    order = np.argsort(apart)
    width = max(float(apart[order[min(near, len(order)) - 1]]), _TINY)
    share = np.exp(-0.5 * (apart / width) ** 2) + _TINY**2
    root = int(good.root[order[rng.integers(min(_CANDIDATES, len(order)))]])
    x, a = good.context.copy(), good.action.reshape(len(good.action), -1).copy()
    begin, middle = context, a[0]
    for one in np.unique(good.root):
        of = good.root == one
        mean_x, mean_a = share[of] @ x[of] / share[of].sum(), share[of] @ a[of] / share[of].sum()
        x[of] -= mean_x
        a[of] -= mean_a
        if one == root:
            begin, middle = context - mean_x, mean_a
    weighted = x * share[:, None]
    slope = np.linalg.solve(
        weighted.T @ x + ridge * width**2 * share.sum() * np.eye(x.shape[1]), weighted.T @ a
    )
    varied = a * np.sqrt(share / share.sum())[:, None]
    shape = good.action.shape[1:]
    return Forecast((middle + begin @ slope).reshape(shape), root, varied.reshape(-1, *shape))


def smooth_noise(
    frames: int, dim: int, knot_frames: int, size: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a smooth disturbance, (frames, dim).

    Pace and the actions that are disturbed are drawn: some shift one joint all along, others shake everything for a
    moment.

    Args:
        frames: Length.
        dim: Actions.
        knot_frames: Least frames between two independent values, at most a whole flight; between them it is
            interpolated.
        size: Standard deviation at the knots.
        rng: Draws it.
    """
    pace = np.exp(rng.uniform(*np.log([min(knot_frames, frames), frames])))
    at = np.arange(frames) / pace + rng.uniform()
    before = at.astype(int)
    knots = rng.normal(size=(before[-1] + 2, dim))
    share = (at - before)[:, None]
    chosen = rng.random(dim) < 0.5
    chosen[rng.integers(dim)] = True
    return size * chosen * ((1 - share) * knots[before] + share * knots[before + 1])


def padded(action: Sequence[np.ndarray] | np.ndarray, frames: int) -> np.ndarray:
    """Return a flight's actions with the last one held, or cut, (frames, action_dim)."""
    given = np.asarray(action, float)
    return given[np.minimum(np.arange(frames), len(given) - 1)]
