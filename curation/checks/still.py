"""Standing still: a stall between two motions, and idle time before the first or after the last one."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, longest, runs, skip

STILL_PER_S = 0.01
"""Under this share of a joint's range a second, nothing moves (1 degree a second of 100)."""


def _half_window(fps: float) -> int:
    """Frames on either side over which speed is measured: 0.3 s in all."""
    return max(1, round(0.15 * fps))


def moving(episode: Episode, reference: Reference) -> np.ndarray:
    """Return per frame whether any joint or any action moves, bool, (n_frames,).

    Speed is the displacement over 0.3 s centred on the frame, so that encoder steps are not motion.
    """
    if "moving" not in episode.memo:
        episode.memo["moving"] = _moving(episode, reference)
    return episode.memo["moving"]


def _moving(episode: Episode, reference: Reference) -> np.ndarray:
    n, half = len(episode), _half_window(episode.fps)
    result = np.zeros(n, bool)
    at = np.arange(n)
    ahead, behind = np.minimum(at + half, n - 1), np.maximum(at - half, 0)
    step = reference.quantum if len(reference.quantum) == episode.state.shape[1] else 0.0
    for values, scale, noise in (
        (episode.state, reference.state_scale, 2.5 * step),
        (episode.action, reference.action_scale, 0.0),
    ):
        if values.shape[1] == 0:
            continue
        moved = np.abs(values[ahead] - values[behind])
        speed = moved / scale * episode.fps / (2 * half)
        # An encoder that wavers by a step to either side is no motion.
        result |= ((speed > STILL_PER_S) & (moved > noise)).any(axis=1)
    # Motion must last: a lone blip (a spike, one encoder step) does not end a stall.
    for first, last in runs(result):
        if last - first <= 2 * half and first > 0 and last < n:
            result[first:last] = False
    return result


def measure_stall(episode: Episode, reference: Reference) -> Measure:
    """Score the longest still run before the last real motion and after the first, in seconds."""
    active = moving(episode, reference)
    at = np.flatnonzero(active)
    if len(at) == 0:
        return Measure(len(episode) / episode.fps, None, "no motion at all")
    first, last = int(at[0]), int(at[-1])
    span = longest(runs(~active[first : last + 1]))
    if span is None:
        return Measure(0.0)
    # The window looks beyond the still frames on both sides: what it saw was still too.
    half = _half_window(episode.fps)
    span = (first + span[0] - half, first + span[1] + half)
    return Measure((span[1] - span[0]) / episode.fps, span, "standing still in the middle")


def measure_idle_ends(episode: Episode, reference: Reference) -> Measure:
    """Score the longer of the still runs at the start and at the end, in seconds."""
    active = np.flatnonzero(moving(episode, reference))
    if len(active) == 0:
        return skip("no motion at all (see the check 'stall')")
    head, tail = int(active[0]), len(episode) - 1 - int(active[-1])
    if head >= tail:
        return Measure(head / episode.fps, (0, max(1, head)), "idle before the first motion")
    return Measure(tail / episode.fps, (len(episode) - tail, len(episode)), "idle after the last motion")


STALL = Check(
    "stall",
    "s",
    "standing still between two motions",
    measure_stall,
    Rule(fault=6, warn=4, floor=0.2, rel=0.3, at_least=0.8),
)
IDLE_ENDS = Check(
    "idle_ends",
    "s",
    "idle before the first or after the last motion",
    measure_idle_ends,
    Rule(fault=None, warn=6, floor=0.1, rel=0.3, at_least=0.7),
)
