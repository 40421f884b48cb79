"""Actions that are held exactly: one entry cut off at a limit, or all of them, as a lost leader's."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, PerJoint, Reference, Rule, joint_name, runs, skip

FEWEST = 3


def measure_limit(episode: Episode, reference: Reference) -> Measure:
    """Take per entry of the action how far it would have gone beyond a limit at which it stays, in % of the range.

    A turn without a limit is a parabola: passing a height with speed v and coming back through it after the
    time L, its top is v L / 4 above. So that is the estimate for a stay of L (half a second at most) at the
    flight's exact extreme, come to and left with a mean speed of v; a natural turn, and a stop that slows down
    before, give about one encoder step.
    """
    n = len(episode)
    if n < 12 or episode.action.shape[1] == 0:
        return skip("fewer than 12 frames, or no action")
    width = episode.action.shape[1]
    most = max(FEWEST, round(0.5 * episode.fps))
    height: np.ndarray = np.zeros(width)
    spans: list[tuple[int, int] | None] = [None] * width
    after = episode.action[1:]
    stays = after == episode.action[:-1]
    stays &= (after == episode.action.max(axis=0)) | (after == episode.action.min(axis=0))
    stays &= np.isfinite(reference.action_scale)
    for j in np.flatnonzero((stays[1:] & stays[:-1]).any(axis=0)):
        a = episode.action[:, j]
        spots = runs(stays[:, j])
        for first, last in spots[spots[:, 1] - spots[:, 0] >= FEWEST - 1].tolist():
            last += 1
            into = a[first] - a[first - 2] if first >= 2 else 0.0
            out = a[last + 1] - a[last - 1] if last + 1 < n else 0.0
            speed = (abs(into) + abs(out)) / 4
            beyond = 100 * speed * min(last - first, most) / 4 / reference.action_scale[j]
            if beyond > height[j]:
                height[j], spans[j] = beyond, (int(first), last)
    return Measure(
        features=height,
        spans=spans,
        labels=[joint_name(reference.action_names, j) for j in range(width)],
        words="cut off at a limit: action",
    )


def measure_held(episode: Episode, reference: Reference) -> Measure:
    """Score the longest time [s] in which no entry of the action changes at all, between two motions."""
    n = len(episode)
    if n < 12 or episode.action.shape[1] == 0:
        return skip("fewer than 12 frames, or no action")
    same = (np.diff(episode.action, axis=0) == 0).all(axis=1)
    worst, span = 0.0, None
    moves = np.flatnonzero(~same)
    if not len(moves):
        return skip("the action never changes")
    for first, last in runs(same):
        if first > moves[0] and last <= moves[-1] and (last - first) / episode.fps > worst:
            worst, span = float(last - first) / episode.fps, (int(first), int(last) + 1)
    return Measure(worst, span, "the whole action is held exactly between two motions")


SATURATION = Check(
    "saturation",
    "sigma",
    "an action that is cut off at a limit",
    measure_limit,
    Rule(fault=9, warn=7, against_set=False),
    per_joint=PerJoint(floor=0.22, rel=0.5),
)
HELD = Check(
    "held_action",
    "s",
    "an action that is held exactly between two motions",
    measure_held,
    Rule(fault=6, warn=4, floor=0.05, rel=0.35, at_least=0.3),
)
