"""Whole flights compared with one another: the wrong words, and the same flight twice.

Paths are re-sampled to the same number of points, reduced to their main directions and kept in a KD-tree:
n log n, never each with each.
"""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip
from curation.checks.nearest import nearest

POINTS = 16
DIRECTIONS = 12
NEIGHBOURS = 5


def path_of(episode: Episode, reference: Reference) -> np.ndarray | None:
    """Return the re-sampled path of state and action, in shares of the range, and the length; (n_features,)."""
    n = len(episode)
    if n < 4:
        return None
    if "path" not in episode.memo:
        at = np.linspace(0, n - 1, POINTS)
        low = at.astype(int)
        part = (at - low)[:, None]
        parts = []
        for values, scale in (
            (episode.state, reference.state_scale),
            (episode.action, reference.action_scale),
        ):
            alive = np.isfinite(scale)
            v = values[:, alive] / scale[alive]
            parts.append(((1 - part) * v[low] + part * v[np.minimum(low + 1, n - 1)]).ravel())
        episode.memo["path"] = np.clip(np.concatenate(parts), -1e3, 1e3)
    return episode.memo["path"]


def measure_task(episode: Episode, reference: Reference) -> Measure:
    """Take the task's number and the path; `combine_task` compares them."""
    tasks = episode.columns.get("task_index")
    path = path_of(episode, reference)
    if tasks is None or path is None or not len(path):
        return skip("no task, no motion or fewer than 4 frames")
    return Measure(features=np.concatenate([[float(np.asarray(tasks).ravel()[0])], path]), words="the words")


def _reduced(paths: np.ndarray) -> np.ndarray:
    """Return the paths along their main directions, (n, at most DIRECTIONS), by principal components."""
    clipped = np.clip(paths, *np.quantile(paths, [0.005, 0.995], axis=0))
    centred = clipped - np.median(clipped, axis=0)
    rows = centred[:: max(1, len(centred) // 2000)]
    _, _, directions = np.linalg.svd(rows, full_matrices=False)
    return centred @ directions[:DIRECTIONS].T


def combine_task(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score log2(distance to the own task's flights / distance to another task's), (n, 1 + path) -> (n,).

    Distances are to the 5th neighbour. NaN where only one task has more than 10 flights: then nobody can tell.
    """
    task, paths = features[:, 0], features[:, 1:]
    scores, words = np.full(len(task), np.nan), [""] * len(task)
    known = [t for t in np.unique(task) if (task == t).sum() > 2 * NEIGHBOURS]
    if len(known) < 2:
        return scores, words
    reduced = _reduced(paths)
    distances = np.stack(
        [nearest(reduced[task == t], NEIGHBOURS + 1, reduced)[0][:, NEIGHBOURS] for t in known], axis=1
    )
    for i in range(len(task)):
        if task[i] not in known:
            continue
        own = known.index(task[i])
        others = np.delete(distances[i], own)
        other = int(np.argmin(others))
        scores[i] = np.log2(max(distances[i, own], 1e-9) / max(others[other], 1e-9))
        words[i] = (
            f"are those of task {int(task[i])}, the flight is like task {int(np.delete(known, own)[other])}'s"
        )
    return scores, words


def measure_duplicate(episode: Episode, reference: Reference) -> Measure:
    """Take the path; `combine_duplicate` looks for its double."""
    path = path_of(episode, reference)
    if path is None or not len(path):
        return skip("no motion or fewer than 4 frames")
    return Measure(
        features=np.concatenate([[float(episode.index), float(len(episode))], path]),
        words="the same flight as",
    )


def combine_duplicate(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score log2(usual distance / distance) to the nearest earlier flight, (n, 2 + path) -> (n,).

    The usual distance is the set's median distance to the nearest neighbour, in the full path. Only the later of
    two flights is accused: the earlier one may stay.
    """
    index, paths = features[:, 0], features[:, 2:]
    n = len(paths)
    scores, words = np.full(n, np.nan), [""] * n
    if n < 2 * NEIGHBOURS:
        return scores, words
    reduced = _reduced(paths)
    _, near = nearest(reduced, NEIGHBOURS)
    apart = np.sqrt(((paths[near] - paths[:, None]) ** 2).mean(axis=2))
    apart[near == np.arange(n)[:, None]] = np.inf
    usual = float(np.median(apart.min(axis=1)))
    if usual <= 0:
        return scores, words
    for i in range(n):
        earlier = np.where(index[near[i]] < index[i], apart[i], np.inf)
        k = int(np.argmin(earlier))
        scores[i] = 0.0
        if np.isfinite(earlier[k]):
            scores[i] = max(0.0, float(np.log2(usual / max(earlier[k], 1e-6 * usual))))
            words[i] = f"episode {int(index[near[i][k]])}"
    return scores, words


WRONG_TASK = Check(
    "wrong_task",
    "doublings",
    "a flight whose words are another task's",
    measure_task,
    Rule(fault=0.9, warn=0.6, against_set=False),
    combine=combine_task,
)
DUPLICATE = Check(
    "duplicate",
    "halvings of the usual distance",
    "nearly the same flight as an earlier one",
    measure_duplicate,
    Rule(fault=3.0, warn=2.0, against_set=False),
    combine=combine_duplicate,
)
