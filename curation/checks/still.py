"""Standing still: a stall between two motions, and idle time before the first or after the last one."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, longest, runs, skip

STILL_PER_S = 0.01
"""Under this share of a joint's range a second, nothing moves (1 degree a second of 100)."""


def moving(episode: Episode, reference: Reference, window_s: float = 0.3) -> np.ndarray:
    """Return per frame whether any joint or any action moves, bool, (n_frames,).

    Speed is the displacement over `window_s` centred on the frame, so that encoder steps are not motion.
    """
    n = len(episode)
    half = max(1, round(window_s * episode.fps / 2))
    result = np.zeros(n, bool)
    for values, scale in ((episode.state, reference.state_scale), (episode.action, reference.action_scale)):
        if values.shape[1] == 0:
            continue
        ahead = values[np.minimum(np.arange(n) + half, n - 1)]
        behind = values[np.maximum(np.arange(n) - half, 0)]
        speed = np.abs(ahead - behind) / scale * episode.fps / (2 * half)
        result |= (speed > STILL_PER_S).any(axis=1)
    # Motion must last: a lone blip (a spike, one encoder step) does not end a stall.
    for first, last in runs(result):
        if last - first <= 2 * half and first > 0 and last < n:
            result[first:last] = False
    return result


def measure_stall(episode: Episode, reference: Reference) -> Measure:
    """Score the longest still run before the last real motion and after the first, in seconds."""
    active = np.flatnonzero(moving(episode, reference))
    if len(active) == 0:
        return Measure(len(episode) / episode.fps, None, "no motion at all")
    first, last = int(active[0]), int(active[-1])
    spans = runs(~moving(episode, reference)[first : last + 1])
    span = longest(spans)
    if span is None:
        return Measure(0.0)
    return Measure(
        (span[1] - span[0]) / episode.fps, (first + span[0], first + span[1]), "standing still in the middle"
    )


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
    Rule(fault=None, warn=6, floor=0.25, rel=0.3, at_least=1.5),
)
