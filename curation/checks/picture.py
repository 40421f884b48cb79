"""What the decoded video shows: a dark, frozen or blurred camera (only with `--video`)."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, longest, runs, skip
from curation.checks.picture_model import change_of
from curation.checks.still import moving

STAYS = 0.08
"""Of the usual difference: two pictures in a row that differ by less are the same."""
SHOULD = 0.2
"""Mean square of a picture's expected change, in what is left unexplained of it, from which on it should change."""
DARK_LEVEL = 16.0


def measure_broken(episode: Episode, reference: Reference) -> Measure:
    """Count the cameras whose video is missing, damaged or too short for the episode."""
    if not episode.video:
        return skip("the video was not read (run with --video)")
    broken = [camera for camera, series in episode.video.items() if "broken" in series]
    return Measure(float(len(broken)), None, f"the video cannot be read to its end: {', '.join(broken)}")


def measure_dark(episode: Episode, reference: Reference) -> Measure:
    """Score the share of frames whose mean grey level is under 16 of 255, in %, of the worst camera."""
    if not episode.video:
        return skip("the video was not read (run with --video)")
    worst = Measure(0.0)
    for camera, series in episode.video.items():
        dark = series["brightness"] < DARK_LEVEL
        score = 100 * float(dark.mean()) if len(dark) else 0.0
        if score > worst.score:
            worst = Measure(score, longest(runs(dark)), f"{camera} is dark")
    return worst


def measure_frozen(episode: Episode, reference: Reference) -> Measure:
    """Take per camera the longest run, in frames, in which its picture stays while the robot moves.

    It stays where of two pictures in a row one differs by under 0.08 of the usual from that before: of a frozen camera
    every keyframe is coded anew. Where the set says by what the picture should change, that must be something.
    """
    if not episode.video:
        return skip("the video was not read (run with --video)")
    active = moving(episode, reference)
    cameras = sorted(episode.video)
    found = np.full(len(cameras), np.nan)
    spans: list[tuple[int, int] | None] = [None] * len(cameras)
    for c, camera in enumerate(cameras):
        difference = episode.video[camera]["difference"]
        usual, change = reference.usual_difference.get(camera, 0.0), change_of(episode, reference, camera)
        if usual <= 0 or len(difference) != len(active):
            continue
        stays = np.minimum(difference, np.append(difference[1:], np.inf)) < STAYS * usual
        if change is not None:
            stays[1:-1] &= (change[0] ** 2).mean(axis=1) > SHOULD
        span = spans[c] = longest(runs(stays & active))
        found[c] = 0 if span is None else span[1] - span[0]
    words = "the same picture while the robot moves: of"
    return Measure(features=found, spans=spans, labels=cameras, words=words)


def measure_blur(episode: Episode, reference: Reference) -> Measure:
    """Take per camera minus the log10 of the median Laplacian variance, of pictures as bright as each other."""
    if not episode.video:
        return skip("the video was not read (run with --video)")
    names = sorted(episode.video)
    blur = np.full(len(names), np.nan)
    for c, name in enumerate(names):
        series = episode.video[name]
        if len(series["sharpness"]):
            light = max(1.0, float(np.median(series["brightness"])))
            blur[c] = -np.log10(max(float(np.median(series["sharpness"])), 1e-3) / light**2)
    return Measure(features=blur, labels=names, words="blurred pictures of")


BROKEN = Check(
    "video_broken",
    "cameras",
    "a video that cannot be read to its end",
    measure_broken,
    Rule(fault=1, warn=None, against_set=False),
    video=True,
)


def measure_exposure(episode: Episode, reference: Reference) -> Measure:
    """Take per camera the logarithm of its pictures' median grey level, and by how much it is off the others'.

    A room that is darker is so in every camera.
    """
    if not episode.video:
        return skip("the video was not read (run with --video)")
    names = sorted(episode.video)
    series = [episode.video[name]["brightness"] for name in names]
    light = np.log([max(1.0, float(np.median(b))) if len(b) else np.nan for b in series])
    labels = names
    if len(names) > 1:
        others = [float(np.median(np.delete(light, c))) for c in range(len(names))]
        light = np.concatenate([light, light - others])
        labels = [*names, *(f"{name} beside the others" for name in names)]
    return Measure(features=light, labels=labels, words="pictures much darker or brighter than usual of")


EXPOSURE = Check(
    "exposure",
    "sigma",
    "a camera darker or brighter than in the set, or exchanged",
    measure_exposure,
    Rule(fault=None, warn=7, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.045, rel=0.0, both=True),
)
DARK = Check(
    "dark",
    "% of the frames",
    "a dark camera",
    measure_dark,
    Rule(fault=50, warn=5, against_set=False),
    video=True,
)
FROZEN = Check(
    "frozen",
    "sigma",
    "a camera that shows the same picture while the robot moves",
    measure_frozen,
    Rule(fault=15, warn=4, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.8, rel=0.0),
)
BLUR = Check(
    "blur",
    "sigma",
    "a camera blurrier than in the set",
    measure_blur,
    Rule(fault=None, warn=6, against_set=False),
    video=True,
    per_joint=PerJoint(floor=0.05, rel=0.0),
)
