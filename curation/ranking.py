"""Soft scores: they order the review queue and never accuse or drop anything.

Most published quality scores of demonstrations are episode length in disguise, so each is shown with its rank
correlation to length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.checks.base import Episode
from curation.checks.paths import path_of
from curation.checks.reference import Reference

MOST_POINTS = 6_000
"""Frames among which mutual information is estimated; more would cost time."""
DISGUISE = 0.7
"""From this rank correlation on, a score says little but length."""
NEIGHBOURS = 5


@dataclass(frozen=True)
class Ranking:
    """A soft score.

    Attributes:
        name: Its name, a column of the episode view.
        about: What is better, in a few words.
        high_first: Whether high values come first.
        of: Scores of all episodes, (n_episodes,); NaN where there is none.
    """

    name: str
    about: str
    high_first: bool
    of: Callable[[Sequence[Episode], Reference], np.ndarray]


def smoothness(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
    """Return minus the log dimensionless jerk of the action's speed, the mean over entries that move.

    LDLJ = -ln(T^3 / v_peak^2 * integral of (d2v/dt2)^2 dt) (Balasubramanian, Melendez-Calderon and Burdet 2015,
    "On the analysis of movement smoothness", eq. 3 and 4). Higher is smoother.
    """
    result = np.full(len(episodes), np.nan)
    for i, episode in enumerate(episodes):
        alive = np.isfinite(reference.action_scale)
        action = episode.action[:, alive] / reference.action_scale[alive]
        if len(action) < 8 or not action.shape[1]:
            continue
        dt = 1 / episode.fps
        v = np.diff(action, axis=0) / dt
        peak = np.abs(v).max(axis=0)
        jerk = (np.diff(v, n=2, axis=0) / dt**2) ** 2
        seconds = len(v) * dt
        moves = peak > 0.02
        if moves.any():
            value = seconds**3 / peak[moves] ** 2 * jerk[:, moves].sum(axis=0) * dt
            result[i] = -float(np.log(np.maximum(value, 1e-12)).mean())
    return result


def path_length(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
    """Return the length of the action's path, in ranges of its entries (root of the sum of their squares)."""
    return np.array(
        [
            float(np.sqrt(((np.diff(e.action, axis=0) / reference.action_scale) ** 2).sum(axis=1)).sum())
            if len(e) > 1 and e.action.shape[1]
            else np.nan
            for e in episodes
        ]
    )


def coverage(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
    """Return the mean distance to the 5 most similar flights, over re-sampled paths, in ranges: what is new."""
    from scipy.spatial import cKDTree

    paths = [path_of(e, reference) for e in episodes]
    rows = [i for i, p in enumerate(paths) if p is not None and len(p)]
    result = np.full(len(episodes), np.nan)
    if len(rows) > NEIGHBOURS:
        table = np.stack([p for i in rows if (p := paths[i]) is not None])
        distance, _ = cKDTree(table).query(table, k=NEIGHBOURS + 1)
        result[rows] = distance[:, 1:].mean(axis=1) / np.sqrt(table.shape[1])
    return result


def end_consistency(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
    """Return the mean distance of the last state to the 5 nearest others, in ranges; small is usual."""
    from scipy.spatial import cKDTree

    alive = np.isfinite(reference.state_scale)
    rows = [i for i, e in enumerate(episodes) if len(e)]
    result = np.full(len(episodes), np.nan)
    if len(rows) > NEIGHBOURS and alive.any():
        last = np.stack([episodes[i].state[-1, alive] / reference.state_scale[alive] for i in rows])
        distance, _ = cKDTree(last).query(last, k=NEIGHBOURS + 1)
        result[rows] = distance[:, 1:].mean(axis=1)
    return result


def mutual_information(
    episodes: Sequence[Episode], reference: Reference, k: int = NEIGHBOURS, seed: int = 0
) -> np.ndarray:
    """Return each episode's mean contribution to the mutual information of state and action, in nats.

    The estimator of Kraskov, Stoegbauer and Grassberger (2004, eq. 8): psi(k) + psi(N) - psi(n_x + 1) -
    psi(n_y + 1) at each frame, with the maximum norm. Episodes are compared by their mean as in DemInf (Hejna et
    al. 2025), on 4 main directions of the state and of the action that is still to be done (action - state where
    they are the same joints) instead of learned ones. Of long sets a sample of the frames is taken, as many of
    each episode.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    rng = np.random.default_rng(seed)
    share = max(8, MOST_POINTS // max(1, len(episodes)))
    xs, ys, owner = [], [], []
    for i, episode in enumerate(episodes):
        if len(episode) < 2 or not episode.state.shape[1] or not episode.action.shape[1]:
            continue
        at = rng.choice(len(episode), min(share, len(episode)), replace=False)
        action = episode.action[at]
        if episode.action.shape[1] == len(reference.tracks):
            action = action - np.where(reference.tracks, episode.state[at], 0.0)
        xs.append(episode.state[at])
        ys.append(action)
        owner.append(np.full(len(at), i))
    result = np.full(len(episodes), np.nan)
    if not xs or sum(map(len, xs)) < 20 * k:
        return result
    x, y = _main(np.concatenate(xs), rng), _main(np.concatenate(ys), rng)
    of = np.concatenate(owner)
    n = len(x)
    if not x.shape[1] or not y.shape[1]:
        return result
    distance = cKDTree(np.hstack([x, y])).query(np.hstack([x, y]), k=k + 1, p=np.inf)[0][:, k]
    inside = np.nextafter(distance, 0)
    counts = [
        np.asarray(cKDTree(v).query_ball_point(v, inside, p=np.inf, return_length=True)) for v in (x, y)
    ]
    local = digamma(k) + digamma(n) - digamma(counts[0]) - digamma(counts[1])
    for i in np.unique(of):
        result[i] = float(local[of == i].mean())
    return result


def _main(values: np.ndarray, rng: np.random.Generator, directions: int = 4) -> np.ndarray:
    """Return the values along their main directions, of unit spread, with a trace of noise against ties."""
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred[:, spread > 0] / spread[spread > 0]
    if not centred.shape[1]:
        return centred
    _, size, main = np.linalg.svd(centred, full_matrices=False)
    kept = min(directions, int((size > 1e-6 * size[0]).sum()))
    scores = centred @ main[:kept].T
    return scores / scores.std(axis=0) + rng.normal(0, 1e-8, scores.shape)


RANKINGS: tuple[Ranking, ...] = (
    Ranking("smoothness", "smooth actions", True, smoothness),
    Ranking("path_length", "short ways", False, path_length),
    Ranking("coverage", "flights unlike the others", True, coverage),
    Ranking("mutual_information", "actions that follow from the state", True, mutual_information),
    Ranking("end_consistency", "usual ends", False, end_consistency),
)


def rank(
    episodes: Sequence[Episode], reference: Reference, rankings: Sequence[Ranking] = RANKINGS
) -> dict[str, np.ndarray]:
    """Return soft scores, (n_episodes,) each."""
    return {ranking.name: ranking.of(episodes, reference) for ranking in rankings}


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Return the rank correlation of two series, NaN pairs left out; NaN where one of them is constant."""
    good = np.isfinite(x) & np.isfinite(y)
    if good.sum() < 3:
        return float("nan")
    a, b = _ranks(x[good]), _ranks(y[good])
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def ordered(ranking: Ranking, scores: np.ndarray) -> np.ndarray:
    """Return episode positions, the best first; those without a score are left out."""
    known = np.flatnonzero(np.isfinite(scores))
    order = np.argsort(scores[known], kind="stable")
    return known[order[::-1] if ranking.high_first else order]
