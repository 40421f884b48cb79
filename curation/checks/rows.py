"""Frames that are missing or repeated, seen in action and state together: no clock is needed."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, runs, skip

SPEED = 0.004
"""Slower than this share of the range a frame, a missing or repeated frame cannot be seen."""


def _steps(episode: Episode, reference: Reference) -> list[np.ndarray]:
    """Return the steps from frame to frame in shares of the range, of action and state, (n_frames - 1, dim)."""
    if "steps" not in episode.memo:
        episode.memo["steps"] = [
            np.diff(values, axis=0) / scale
            for values, scale in (
                (episode.action, reference.action_scale),
                (episode.state, reference.state_scale),
            )
            if values.shape[1]
        ]
    return episode.memo["steps"]


def _usual(steps: np.ndarray) -> np.ndarray:
    """Return the mean of the two steps before and the two after each step, (n_steps - 4, dim)."""
    return (steps[:-4] + steps[1:-3] + steps[3:-1] + steps[4:]) / 4


def measure_dropped(episode: Episode, reference: Reference) -> Measure:
    """Score the most frames missing between two frames, by the steps of action and of state.

    Where frames are missing, both steps are (missing + 1) times as long as those around them, at the same
    frame and in the same direction: their ratio is the step's projection on the mean of the four steps around
    it. A leap of the action alone is answered by the state later, and with a delay.
    """
    if len(episode) < 8 or (not reference.tracks.any() and episode.state.shape[1] == 0):
        return skip("fewer than 8 frames")
    ratios = []
    for steps in _steps(episode, reference):
        around = _usual(steps)
        energy = (around**2).sum(axis=1)
        along = (steps[2:-2] * around).sum(axis=1) / np.maximum(energy, 1e-12)
        ratios.append(np.where(energy > SPEED**2, along, 1.0))
    least = np.min(ratios, axis=0)
    t = int(np.argmax(least))
    return Measure(max(0.0, float(least[t]) - 1), (t + 2, t + 4), "frames are missing")


def measure_repeated(episode: Episode, reference: Reference) -> Measure:
    """Score the most often that a frame's action and state are repeated in the middle of a motion."""
    steps = _steps(episode, reference)
    if len(episode) < 8 or len(steps) < 2:
        return skip("fewer than 8 frames, or no state or no action")
    same = np.logical_and.reduce([(s == 0).all(axis=1) for s in steps])
    worst, span = 0, None
    n = len(same)
    for first, last in runs(same):
        before = steps[0][max(0, first - 2) : first]
        after = steps[0][last : min(n, last + 2)]
        if not len(before) or not len(after):
            continue
        speed = min(np.linalg.norm(before.mean(axis=0)), np.linalg.norm(after.mean(axis=0)))
        if speed > SPEED and last - first > worst:
            worst, span = int(last - first), (int(first), int(last) + 1)
    return Measure(float(worst), span, "a frame is repeated in the middle of a motion")


DROPPED = Check(
    "dropped_frames",
    "frames",
    "frames missing, by leaps of action and state together",
    measure_dropped,
    Rule(fault=6, warn=4, floor=0.15, rel=0.1, at_least=1.4),
)
REPEATED = Check(
    "repeated_rows",
    "frames",
    "frames repeated in the middle of a motion",
    measure_repeated,
    Rule(fault=6, warn=4, floor=0.25, rel=0.5, at_least=1),
)
