"""Pictures that come late, leap or stutter: the joints say what should move in them, and when (with `--video`)."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, skip
from curation.checks.picture_model import blocks_of, expected_change, expected_difference, over_two

NOT_READ = "the video was not read (run with --video)"
NO_MODEL = "too few flights, or no joints, to know what the pictures should show"
REACH_S = 0.3
"""Latest and earliest pictures that are looked for."""
SURE = 0.1
"""Standard error [frames] up to which a delay counts in full; a less certain one counts as much less."""
EDGE = 8
"""Frames at either end whose neighbours are too few."""
REPEATED, MADE_UP = 0.6, 1.2
"""Shares of the neighbours' differences, of a picture shown twice and of the one after it."""


def _change(episode: Episode, reference: Reference, camera: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a camera's expected and seen change of its blocks, in sigmas, (n_frames - 2, n_blocks) each.

    None where the set or the flight does not tell enough.
    """
    key = f"change {camera}"
    if key not in episode.memo:
        episode.memo[key] = None
        model, blocks = reference.pictures.get(camera), blocks_of(episode.video[camera])
        if model is not None and blocks is not None and len(blocks) == len(episode):
            expected = expected_change(model, episode.state, reference.state_scale)
            if expected is not None:
                episode.memo[key] = expected / model.noise, over_two(blocks) / model.noise
    return episode.memo[key]


def picture_lag(expected: np.ndarray, seen: np.ndarray, most: int) -> tuple[float, float]:
    """Return by how many frames what is seen is later than what is expected, at most `most`, and how unsure that is.

    argmin over k of the mean square of seen[t] - expected[t - k], over the same t, with a parabola through the
    least and its neighbours; NaN if the flight is too short. Its standard error in frames follows from the
    parabola's bend and the least mean square.
    """
    n = len(seen)
    if n < 4 * most:
        return float("nan"), float("inf")
    rows, shifts = np.arange(most, n - most), np.arange(-most, most + 1)
    errors = np.array([np.mean((seen[rows] - expected[rows - k]) ** 2) for k in shifts])
    best = int(np.argmin(errors))
    if not 0 < best < len(shifts) - 1:
        return float(shifts[best]), float("inf")
    left, mid, right = errors[best - 1 : best + 2]
    bend = float(left - 2 * mid + right)
    if bend <= 0:
        return float(shifts[best]), float("inf")
    return float(shifts[best] + 0.5 * (left - right) / bend), float(np.sqrt(2 * mid / (len(rows) * bend)))


def measure_lag(episode: Episode, reference: Reference) -> Measure:
    """Take per camera by how many frames its pictures are later than the joints say; see `picture_lag`."""
    if not episode.video:
        return skip(NOT_READ)
    cameras, most = sorted(episode.video), max(4, round(REACH_S * episode.fps))
    changes = [_change(episode, reference, camera) for camera in cameras]
    if not any(changes):
        return skip(NO_MODEL)
    found = [picture_lag(*change, most) if change else (np.nan, np.inf) for change in changes]
    lags, unsure = np.array(found).T
    weight = np.minimum(1.0, SURE / np.maximum(unsure, 1e-6))
    words = ", ".join(f"{c} by {lag:+.1f} frames" for c, lag in zip(cameras, lags) if np.isfinite(lag))
    return Measure(
        features=lags * weight, labels=cameras, words=f"pictures later than the joints say ({words}): of"
    )


def _steps(episode: Episode, reference: Reference, camera: str) -> tuple[np.ndarray, ...] | None:
    """Return each picture's difference to the one before, that of its neighbours, and both as the joints let expect.

    In usual differences, (n_frames,) each. Neighbours are the second, fourth and sixth picture before and after:
    where every second one is a keyframe, those are coded alike, and keyframes alone differ by more.
    """
    model, seen = reference.pictures.get(camera), episode.video[camera]["difference"]
    usual = reference.usual_difference.get(camera, 0.0)
    if model is None or usual <= 0 or len(seen) != len(episode) or len(seen) <= 2 * EDGE:
        return None
    expected = expected_difference(model, episode.state, reference.state_scale)
    if expected is None:
        return None
    at = np.arange(len(seen)) + np.array([-6, -4, -2, 2, 4, 6])[:, None]
    at = np.clip(at, 0, len(seen) - 1)
    return tuple(
        series / usual for series in (seen, np.median(seen[at], 0), expected, np.median(expected[at], 0))
    )


def measure_jump(episode: Episode, reference: Reference) -> Measure:
    """Take per camera the largest leap: how much more a picture differs than its neighbours and the joints explain.

    (seen - neighbours) - (expected - neighbours' expected), in usual differences. After n lost pictures, and at the
    end of n that were shown again, one picture shows the motion of n + 1.
    """
    if not episode.video:
        return skip(NOT_READ)
    cameras = sorted(episode.video)
    features, known = np.full(len(cameras), np.nan), False
    spans: list[tuple[int, int] | None] = []
    for c, camera in enumerate(cameras):
        steps = _steps(episode, reference, camera)
        spans.append(None)
        if steps is not None:
            seen, near, expected, near_expected = steps
            leap = ((seen - near) - (expected - near_expected))[EDGE:-EDGE]
            t = EDGE + int(np.argmax(leap))
            features[c], spans[c], known = leap[t - EDGE], (t, t + 1), True
    if not known:
        return skip(NO_MODEL)
    words = "a picture leaps as if some before it were lost or shown again: of"
    return Measure(features=features, spans=spans, labels=cameras, words=words)


def measure_stutter(episode: Episode, reference: Reference) -> Measure:
    """Count per camera the pictures that hardly differ from the one before, where the next one makes up for it.

    Hardly: by under 0.6 of what its neighbours do; the next by over 1.2 of what its own do.
    """
    if not episode.video:
        return skip(NOT_READ)
    cameras = sorted(episode.video)
    features, known = np.full(len(cameras), np.nan), False
    spans: list[tuple[int, int] | None] = []
    for c, camera in enumerate(cameras):
        steps = _steps(episode, reference, camera)
        spans.append(None)
        if steps is not None:
            share = steps[0] / np.maximum(steps[1], 1e-9)
            twice = (share[:-1] < REPEATED) & (share[1:] > MADE_UP)
            at = EDGE + np.flatnonzero(twice[EDGE : 1 - EDGE])
            features[c], known = len(at), True
            spans[c] = (int(at[0]), int(at[-1]) + 1) if len(at) else None
    if not known:
        return skip(NO_MODEL)
    words = ", ".join(f"{n:.0f}" for n in features)
    return Measure(
        features=features, spans=spans, labels=cameras, words=f"pictures shown twice ({words} of them): of"
    )


LAG = Check(
    "video_lag",
    "sigma",
    "pictures that are later or earlier than the joints say",
    measure_lag,
    Rule(fault=25, warn=6, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.04, rel=0.0, both=True),
)
JUMP = Check(
    "video_jump",
    "sigma",
    "pictures that were lost, or shown again",
    measure_jump,
    Rule(fault=None, warn=6, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.05, rel=0.0),
)
STUTTER = Check(
    "stutter",
    "sigma",
    "a camera that shows pictures twice",
    measure_stutter,
    Rule(fault=None, warn=6, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.4, rel=0.0),
)
