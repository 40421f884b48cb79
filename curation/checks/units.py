"""Values in another unit than the set's: radians among degrees, raw servo steps."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, joint_name, skip


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score by how many powers of ten an entry's unit differs from the set's.

    For an entry whose action moves, the logarithm of (range of state / range of action): another unit in one
    of both. For every entry, the logarithm of (distance of its median from the set's over 3 times an episode's
    usual range): another unit in both, or another zero.
    """
    worst, words = 0.0, "unit"
    n = len(episode)
    if n < 15:
        return skip("fewer than 15 frames")
    for values, motion, centre, names, what in (
        (episode.state, reference.motion, reference.centre[0], reference.state_names, "state"),
        (episode.action, reference.action_motion, reference.centre[1], reference.action_names, "action"),
    ):
        if values.shape[1] == 0:
            continue
        alive = motion > 0
        middle = np.partition(values, n // 2, axis=0)[n // 2]
        away = np.where(alive, np.abs(middle - centre) / np.where(alive, 3 * motion, 1), 0)
        far = np.log10(np.maximum(away, 1e-3))
        j = int(np.argmax(far))
        if far[j] > worst:
            worst, words = float(far[j]), f"{what} {joint_name(names, j)} lies far outside the set's values"
    joints = np.flatnonzero(reference.tracks)
    if len(joints):
        state = np.ptp(episode.state[:, joints], axis=0) / reference.state_scale[joints]
        action = np.ptp(episode.action[:, joints], axis=0) / reference.state_scale[joints]
        moved = np.maximum(state, action) > 0.05
        ratio = np.abs(np.log10(np.maximum(state, 1e-6) / np.maximum(action, 1e-6)))
        ratio = np.where(moved, ratio, 0.0)
        j = int(np.argmax(ratio))
        # A dead joint has no range at all: that is no unit.
        if ratio[j] > worst and state[j] > 1e-3 and action[j] > 1e-3:
            name = joint_name(reference.state_names, int(joints[j]))
            worst, words = float(ratio[j]), f"{name} moves on another scale than its action"
    return Measure(worst, None, words)


CHECK = Check(
    "units",
    "powers of ten",
    "values in another unit than the set's",
    measure,
    Rule(fault=1.0, warn=0.7, against_set=False),
)
