"""Pictures that come late, leap or stutter: the joints say what should move in them, and when (with `--video`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, skip
from curation.checks.picture_model import change_of

NOT_READ = "the video was not read (run with --video)"
NO_MODEL = "too few flights, or no joints, to know what the pictures should show"
NO_STEPS = "too short, no joints, or a camera in which nothing moves"
REACH_S = 0.3
"""Latest and earliest pictures that are looked for."""
SURE = 0.1
"""Standard error [frames] up to which a delay counts in full; a less certain one counts as much less."""
RAISED = 1.5
"""How often at most a limit is raised for the set's tail: of a set's cameras many may be at fault at once."""
EDGE = 8
"""Frames at either end whose neighbours are too few."""
STOOD = 0.2
"""Of the neighbours' differences: a picture that differs by less was shown before."""
REPEATED, MADE_UP = 0.3, 1.0
"""Shares of the neighbours' differences, of a picture shown twice and of the one after it."""
LEAPS = 1.5
"""Of the neighbours' differences: less than that out of a standstill is no leap."""
GOES_ON = 0.5
"""Of the joints' motion around a frame: with less the picture need not change."""
SHOULD = 0.15
"""Mean square of a picture's expected change, in what is left unexplained of it, from which on it should change."""
MOVES = 0.3
"""Usual differences from which on neighbours count as moving."""


def lag_errors(expected: np.ndarray, seen: np.ndarray, most: int) -> np.ndarray:
    """Return the mean square of seen[t] - expected[t - k], for each k from -`most` to `most` and the t that all have.

    Args:
        expected: Expected changes, (n, n_blocks).
        seen: Seen ones, likewise.
        most: Largest delay [frames].

    Returns:
        (2 most + 1, n - 2 most); without columns if the flight is too short.
    """
    rows = np.arange(most, max(most, len(seen) - most))
    squares = (seen**2).sum(axis=1)[rows], (expected**2).sum(axis=1)
    return np.array(
        [
            squares[0] + squares[1][rows - k] - 2 * np.einsum("tb,tb->t", seen[rows], expected[rows - k])
            for k in range(-most, most + 1)
        ]
    ) / max(1, seen.shape[1])


def picture_lag(errors: np.ndarray) -> tuple[float, float]:
    """Return by how many frames what is seen is later than what is expected, and how unsure that is.

    argmin over k of the mean error, with a parabola through the least and its neighbours; NaN where there is none.
    Its standard error in frames follows from the parabola's bend and the least mean square.

    Args:
        errors: Of each k and frame, as `lag_errors` gives them.
    """
    most, n = len(errors) // 2, errors.shape[1]
    if n < 2 * most:
        return float("nan"), float("inf")
    mean = errors.mean(axis=1)
    best = int(np.argmin(mean))
    # Beyond the longest delay that is looked for lies what is on its other side.
    left, mid, right = np.pad(mean, 1, mode="reflect")[best : best + 3]
    bend = float(left - 2 * mid + right)
    if bend <= 0:
        return float(best - most), float("inf")
    return float(best - most + 0.5 * (left - right) / bend), float(np.sqrt(2 * max(0.0, mid) / (n * bend)))


def measure_lag(episode: Episode, reference: Reference) -> Measure:
    """Take per camera by how many frames its pictures are later than the joints say, in all and in the last third.

    After lost pictures all the later ones come early.
    """
    if not episode.video:
        return skip(NOT_READ)
    cameras, most = sorted(episode.video), max(4, round(REACH_S * episode.fps))
    n = len(episode)
    found: list[tuple[float, float]] = []
    for camera in cameras:
        change = change_of(episode, reference, camera)
        errors = lag_errors(*change, most) if change else np.zeros((2 * most + 1, 0))
        found += [picture_lag(errors), picture_lag(errors[:, 2 * errors.shape[1] // 3 :])]
    lags, unsure = np.array(found).T
    if np.isnan(lags).all():
        return skip(NO_MODEL)
    words = ", ".join(f"{c} by {lag:+.1f} frames" for c, lag in zip(cameras, lags[::2]))
    spans: list[tuple[int, int] | None] = [(0, n), (2 * n // 3, n)]
    return Measure(
        features=lags * np.minimum(1.0, SURE / np.maximum(unsure, 1e-6)),
        spans=spans * len(cameras),
        labels=[name for camera in cameras for name in (camera, f"{camera} (last third)")],
        words=f"pictures later than the joints say ({words}): of",
    )


def _steps(episode: Episode, reference: Reference, camera: str) -> tuple[np.ndarray, ...] | None:
    """Return each picture's difference to the one before, that of its neighbours, and whether the joints went on.

    In usual differences, (n_frames,) each; they went on where they moved by at least half of what they did around
    it, and the picture should change. Neighbours are the second, fourth and sixth picture before and after: where
    every second one is a keyframe, those are coded alike, and keyframes alone differ by more.
    """
    seen, usual = episode.video[camera]["difference"], reference.usual_difference.get(camera, 0.0)
    if usual <= 0 or len(seen) != len(episode) or len(seen) <= 2 * EDGE or not episode.state.shape[1]:
        return None
    at = np.arange(len(seen)) + np.array([-6, -4, -2, 2, 4, 6])[:, None]
    at = np.clip(at, 0, len(seen) - 1)
    went = np.max(
        np.abs(np.diff(episode.state, axis=0, prepend=episode.state[:1])) / reference.state_scale, axis=1
    )
    goes_on = (went > 0) & (went >= GOES_ON * np.median(went[at], axis=0))
    change = change_of(episode, reference, camera)
    if change is not None:
        goes_on[1:-1] &= (change[0] ** 2).mean(axis=1) > SHOULD
    return seen / usual, np.median(seen[at], axis=0) / usual, goes_on


def _of_steps(
    episode: Episode,
    reference: Reference,
    names: Sequence[str],
    score: Callable[[np.ndarray, np.ndarray, np.ndarray], list[tuple[float, tuple[int, int] | None]]],
    words: str,
) -> Measure:
    """Take of each camera what `score` makes of its steps: a feature for each of the names, and its frames."""
    if not episode.video:
        return skip(NOT_READ)
    features: list[float] = []
    spans: list[tuple[int, int] | None] = []
    for camera in sorted(episode.video):
        steps = _steps(episode, reference, camera)
        found = [(np.nan, None)] * len(names) if steps is None else score(*steps)
        features += [value for value, _ in found]
        spans += [span for _, span in found]
    if np.isnan(features).all():
        return skip(NO_STEPS)
    labels = [f"{camera}{name}" for camera in sorted(episode.video) for name in names]
    return Measure(features=np.array(features), spans=spans, labels=labels, words=words)


def measure_jump(episode: Episode, reference: Reference) -> Measure:
    """Take per camera the largest leap, out of a standstill and out of motion, in its neighbours' differences.

    Out of a standstill: a picture's difference over its neighbours', where one of the two before hardly differed from
    the one before it. Out of motion: over the larger of the differences before and after. After n lost pictures, and
    at the end of n that were shown again, one picture shows the motion of n + 1.
    """

    def leaps(
        seen: np.ndarray, near: np.ndarray, goes_on: np.ndarray
    ) -> list[tuple[float, tuple[int, int] | None]]:
        t = np.arange(EDGE, len(seen) - EDGE)
        stays = np.where(goes_on, seen, np.inf)
        stood = np.minimum(stays[t - 1], stays[t - 2]) < STOOD * near[t]
        again = np.where(stood, np.maximum(0.0, seen[t] / np.maximum(near[t], 1 / 3) - LEAPS), 0.0)
        lost = seen[t] / np.maximum(np.maximum(seen[t - 1], seen[t + 1]), 1 / 2)
        return [
            (float(leap.max()), (EDGE + int(leap.argmax()), EDGE + int(leap.argmax()) + 1))
            for leap in (again, lost)
        ]

    names = (", after it stood still", "")
    words = "a picture leaps as if some before it were lost or shown again: of"
    return _of_steps(episode, reference, names, leaps, words)


def measure_stutter(episode: Episode, reference: Reference) -> Measure:
    """Sum per camera over the pictures that hardly differ from the one before, where the next one makes up for it.

    Hardly: by a share under 0.3 of what their moving neighbours do; each counts by log2(0.3 / share), up to 5, but one
    alone for nothing. The next differs by at least what its own neighbours do.
    """

    def twice(
        seen: np.ndarray, near: np.ndarray, goes_on: np.ndarray
    ) -> list[tuple[float, tuple[int, int] | None]]:
        least = np.maximum(near, MOVES)
        share = np.clip(seen / least, REPEATED / 32, REPEATED)
        made_up = (seen[1:] > MADE_UP * least[1:]) & goes_on[:-1]
        alone = np.append(True, share[:-2] >= REPEATED)  # of a picture that stays for long `frozen` tells
        worth = (np.log2(REPEATED / share[:-1]) * (made_up & alone))[EDGE : 1 - EDGE]
        at = EDGE + np.flatnonzero(worth)
        if len(at) < 2:
            return [(0.0, None)]
        return [(float(worth.sum()), (int(at[0]), int(at[-1]) + 1))]

    return _of_steps(episode, reference, ("",), twice, "pictures shown twice: of")


LAG = Check(
    "video_lag",
    "sigma",
    "pictures that are later or earlier than the joints say",
    measure_lag,
    Rule(fault=25, warn=6, against_set=False, raised=RAISED),
    video=True,
    per_joint=PerJoint(floor=0.03, rel=0.0, both=True),
)
JUMP = Check(
    "video_jump",
    "sigma",
    "pictures that were lost, or shown again",
    measure_jump,
    Rule(fault=None, warn=6, against_set=False, raised=RAISED),
    video=True,
    per_joint=PerJoint(floor=0.25, rel=0.0),
)
STUTTER = Check(
    "stutter",
    "sigma",
    "a camera that shows pictures twice",
    measure_stutter,
    Rule(fault=None, warn=6, against_set=False, raised=10),
    video=True,
    per_joint=PerJoint(floor=0.5, rel=0.0),
)
