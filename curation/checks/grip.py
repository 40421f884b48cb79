"""What is held, by the joints that stay off their goals: never, or let go where nobody else does."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, runs, skip
from curation.checks.nearest import nearest

HELD_SHARE = 0.05
"""A joint holds something while it is off its goal by more than this share of its range."""
LONG_S = 0.5
USUAL = 0.85
"""Share of a task's flights that must hold something before one that does not is unusual."""
NEIGHBOURS = 5


def measure(episode: Episode, reference: Reference) -> Measure:
    """Take per joint how long it pressed against something [s], the pose when that ended, and the task.

    A joint presses while its state stays above its action, which rests, by over 5 % of its range for at least
    half a second. A gripper around a thing does; closed on nothing it reaches its goal.
    """
    n = len(episode)
    if not reference.tracks.any():
        return skip("the action is not a position of the same joints")
    if n < 20:
        return skip("fewer than 20 frames")
    width, wait = len(reference.tracks), max(2, round(LONG_S / 2 * episode.fps))
    seconds, ends = np.zeros(width), np.full((width, episode.state.shape[1]), np.nan)
    alive = np.isfinite(reference.state_scale)
    pose = episode.state / np.where(alive, reference.state_scale, 1)
    joints = np.flatnonzero(reference.tracks)
    action = episode.action[:, joints] / reference.state_scale[joints]
    off = episode.state[:, joints] / reference.state_scale[joints] - action
    rests = np.abs(action - action[np.maximum(np.arange(n) - wait, 0)]) < HELD_SHARE
    holds = (off > HELD_SHARE) & rests
    for k, j in enumerate(joints):
        if not holds[:, k].any():
            continue
        spans = runs(holds[:, k])
        spans = spans[spans[:, 1] - spans[:, 0] >= LONG_S * episode.fps]
        if len(spans):
            seconds[j] = (spans[:, 1] - spans[:, 0]).sum() / episode.fps
            ends[j] = np.where(alive, pose[min(n - 1, int(spans[-1, 1]))], 0.0)
            ends[j, j] = 0.0
    tasks = episode.columns.get("task_index")
    task = float(np.asarray(tasks).ravel()[0]) if tasks is not None and len(tasks) else 0.0
    return Measure(features=np.concatenate([[task], seconds, ends.ravel()]), words="")


def combine(features: np.ndarray, reference: Reference) -> tuple[np.ndarray, list[str]]:
    """Score against the flights of the same task, in multiples of the limit.

    Of each joint that presses in at least 85 % of the task's flights: 2 where it never does; else the mean
    distance of the pose in which it let go to the 5 nearest others, over 3 times that distance's 95th
    percentile. (n, 1 + n_joints + n_joints n_state) -> (n,).
    """
    width = len(reference.tracks)
    task, seconds = features[:, 0], features[:, 1 : 1 + width]
    ends = features[:, 1 + width :].reshape(len(features), width, -1)
    scores, words = np.full(len(features), np.nan), [""] * len(features)
    for t in np.unique(task):
        rows = np.flatnonzero(task == t)
        if len(rows) < 2 * NEIGHBOURS:
            continue
        for j in range(width):
            holds = seconds[rows, j] > 0
            if holds.mean() < USUAL:
                continue
            name = reference.state_names[j] if j < len(reference.state_names) else f"entry {j}"
            for i in rows[~holds]:
                scores[i], words[i] = 2.0, f"{name} closes on nothing"
            holding = rows[holds]
            places = ends[holding, j]
            distance = nearest(places, NEIGHBOURS + 1)[0][:, 1:].mean(axis=1)
            limit = max(3 * float(np.quantile(distance, 0.9)), 0.02)
            for i, d in zip(holding, distance):
                if not scores[i] > d / limit:
                    scores[i], words[i] = d / limit, f"{name} lets go where no other flight does"
    return scores, words


CHECK = Check(
    "grip",
    "of the limit",
    "nothing is held, or it is let go elsewhere",
    measure,
    Rule(fault=1.3, warn=1.0, against_set=False),
    combine=combine,
)
