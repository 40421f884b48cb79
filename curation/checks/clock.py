"""The measured clocks against the nominal ones: gaps between ticks, and camera images that were old."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, skip


def measure_gap(episode: Episode, reference: Reference) -> Measure:
    """Score the largest step of `clock.tick` in nominal periods; 1 is perfect, running backwards infinite."""
    ticks = episode.columns.get("clock.tick")
    if ticks is None:
        return skip("the column clock.tick is absent: the dataset does not know when its frames were taken")
    ticks = np.asarray(ticks, np.float64).ravel()
    if len(ticks) < 2 or not np.isfinite(ticks).all():
        return skip("clock.tick has fewer than 2 finite values")
    steps = np.diff(ticks) * episode.fps
    t = int(np.argmin(steps)) if steps.min() <= 0 else int(np.argmax(steps))
    if steps[t] <= 0:
        return Measure(float("inf"), (t, t + 2), "the clock runs backwards")
    return Measure(float(steps[t]), (t, t + 2), "gap between two frames")


def measure_camera(episode: Episode, reference: Reference) -> Measure:
    """Score the oldest image's age, max of clock.observation - clock.<camera>, in seconds."""
    seen = episode.columns.get("clock.observation")
    cameras = [
        name
        for name in episode.columns
        if name.startswith("clock.") and name not in ("clock.tick", "clock.observation", "clock.action")
    ]
    if seen is None or not cameras:
        return skip("the dataset has no camera clocks")
    worst = Measure(0.0)
    for name in cameras:
        age = np.asarray(seen, np.float64).ravel() - np.asarray(episode.columns[name], np.float64).ravel()
        age = np.where(np.isfinite(age), age, 0.0)
        t = int(np.argmax(age)) if len(age) else 0
        if len(age) and age[t] > worst.score:
            worst = Measure(float(age[t]), (t, t + 1), f"image of {name.removeprefix('clock.')} is old")
    return worst


GAP = Check(
    "clock_gap",
    "periods",
    "frames missing between two ticks",
    measure_gap,
    # A tick that is half a period late still has its frame; from 2.5 on, at least one frame is missing.
    Rule(fault=2.5, warn=1.5, against_set=False),
)
CAMERA_AGE = Check(
    "camera_age",
    "s",
    "images that were old when they were recorded",
    measure_camera,
    Rule(fault=0.5, warn=0.2, against_set=False),
)
