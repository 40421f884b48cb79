"""What the decoded video shows: a dark, frozen or blurred camera (only with `--video`)."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, longest, runs, skip
from curation.checks.still import moving

FROZEN_FRAMES = 4
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
    """Score the longest run, in frames, that changes under a quarter of the usual while the robot moves."""
    if not episode.video:
        return skip("the video was not read (run with --video)")
    active = moving(episode, reference)
    worst = Measure(0.0)
    for camera, series in episode.video.items():
        usual = reference.usual_difference.get(camera, 0.0)
        n = min(len(active), len(series["difference"]))
        if usual <= 0 or n == 0:
            continue
        span = longest(runs((series["difference"][:n] < 0.25 * usual) & active[:n]))
        if span is not None and span[1] - span[0] > worst.score:
            worst = Measure(float(span[1] - span[0]), span, f"{camera} is frozen while the robot moves")
    return worst


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
    """Take per camera the median grey level of its pictures, 0 to 255."""
    if not episode.video:
        return skip("the video was not read (run with --video)")
    names = sorted(episode.video)
    grey = [float(np.median(b)) if len(b := episode.video[name]["brightness"]) else np.nan for name in names]
    return Measure(
        features=np.array(grey), labels=names, words="pictures much darker or brighter than usual of"
    )


EXPOSURE = Check(
    "exposure",
    "sigma",
    "a camera darker or brighter than in the set, or exchanged",
    measure_exposure,
    Rule(fault=None, warn=7, against_set=False),
    video=True,
    per_joint=PerJoint(floor=3.0, rel=0.045, both=True),
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
    "frames",
    "a camera that shows the same picture while the robot moves",
    measure_frozen,
    Rule(fault=6, warn=4, floor=0.75, rel=0.35, at_least=FROZEN_FRAMES),
    video=True,
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
