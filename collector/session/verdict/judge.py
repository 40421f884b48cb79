"""The verdict on one take, for the pilot to hear while the scene is put back: good, worth a look, or bad.

Nothing here knows the dataset. What a curator's checks say later, of the whole set, counts more; this is what can be
known within milliseconds of a flight's end, from its numbers and from the takes before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from collector.session.verdict import motion
from collector.session.verdict.history import LEAST_TAKES, Features, History, pose_distance, robust_z
from collector.session.verdict.recorded import recorded_reasons
from collector.session.verdict.take import KINDS, MARKS, Reason, Take

__all__ = ["KINDS", "MARKS", "Features", "History", "Reason", "Take", "Verdict", "judge"]

LEAST_S = 1.0
"""A shorter take is a slip of the finger [s]."""

_IDLE_S = 2.0  # before the first motion, and after the last
_LEAP_RANGES_PER_S = 2.0  # more than a hand moves from one tick to the next, beyond what it does around it
_LEAP_MOST, _LEAP_LEAST = 0.25, 0.05  # and never more, or less, than this share of the range
_TREMOR, _TREMOR_LEAST = 0.025, 0.005  # amplitude in shares of the range: allowed at first, and always
_TREMOR_Z, _UNLIKE_Z, _POSE_Z = 5.0, 5.0, 6.0
_LENGTH_FLOOR, _LENGTH_PRIOR, _PATH_PRIOR = 0.08, 0.3, 0.4  # spreads of a logarithm


@dataclass(frozen=True)
class Verdict:
    """What is said of a take.

    Attributes:
        mark: `good`, `look` or `bad`.
        reasons: What was seen, worst first; what is no fault (`failure`) comes last and leaves the mark.
        features: What `History.add` remembers of the take.
    """

    mark: str
    reasons: list[Reason]
    features: Features

    def message(self) -> dict[str, Any]:
        """Return mark and reasons as JSON knows them."""
        return {"mark": self.mark, "reasons": [asdict(reason) for reason in self.reasons]}


def judge(take: Take, history: History) -> Verdict:
    """Return the verdict on a take, against the session's earlier ones; some 20 ms for a minute at 200 Hz.

    The history is only read: `history.add(verdict.features)` remembers the take.
    """
    own = motion.ranges(take.action)
    known = history.ranges(take.episode, len(own))
    scale = np.maximum(own, known)
    scale[scale == 0] = np.inf  # what never moves says nothing
    usual = history.usual(take.episode)
    changed = (
        np.diff(np.asarray(take.columns.get("intervention", np.zeros(len(take)))).ravel().astype(int)) != 0
    )
    leaps, leaps_at, switches = motion.leaps(take.action, scale, changed)
    tremor, tremor_at = motion.tremor(take.action, scale, take.fps)
    state = take.state if take.state.shape[1] else take.action
    moves = own if state is take.action else motion.ranges(state)
    nothing = np.zeros(state.shape[1])
    features = Features(
        take.episode,
        take.seconds,
        motion.path_length(take.action, scale, take.fps),
        (state[0] if len(take) else nothing).astype(np.float32),
        (state[-1] if len(take) else nothing).astype(np.float32),
        moves.astype(np.float32),
        own.astype(np.float32),
        leaps.astype(np.float32),
        float(tremor.max(initial=0.0)),
        usual=take.success is not False and not take.interrupted and take.seconds >= LEAST_S,
    )
    reasons = [
        *recorded_reasons(take, scale),
        *_length(take, usual),
        *_idle(take, scale, moves),
        *_leaps(take, leaps, leaps_at, switches & (known == 0), usual),
        *_tremor(take, tremor, tremor_at, usual),
    ]
    if take.success is False:
        reasons.append(take.whole("failure", "good", f"a failure, after {take.seconds:.1f} s"))
    elif not take.interrupted and not any(reason.kind == "too_short" for reason in reasons):
        reasons += _unlike(take, features, usual)  # what failed is expected to be unlike
    reasons.sort(key=lambda reason: (MARKS.index(reason.mark), KINDS.index(reason.kind)))
    return Verdict(reasons[0].mark if reasons else "good", reasons, features)


def _length(take: Take, usual: list[Features]) -> Iterator[Reason]:
    if take.seconds < LEAST_S:
        words = f"only {take.seconds:.1f} s long (at least {LEAST_S:g} s is a take)"
        yield take.whole("too_short", "bad", words)
    elif len(usual) >= LEAST_TAKES and not take.interrupted:
        lengths = np.array([features.seconds for features in usual])
        if robust_z(np.log(take.seconds), np.log(lengths), _LENGTH_PRIOR, _LENGTH_FLOOR) < -_UNLIKE_Z:
            words = f"only {take.seconds:.1f} s long ({np.median(lengths):.1f} s is usual here)"
            yield take.whole("too_short", "look", words)


def _idle(take: Take, scale: np.ndarray, moves: np.ndarray) -> Iterator[Reason]:
    n, seconds = len(take), take.seconds
    active = motion.moving(take.action, scale, take.fps, take.action_names)
    if take.state.shape[1] and not motion.follows(take.state, take.action):
        active |= motion.moving(take.state, np.where(moves > 0, moves, np.inf), take.fps)
    at = np.flatnonzero(active)
    if not len(at):
        if seconds >= LEAST_S:
            yield take.whole("idle_head", "bad", f"nothing moved in all of the {seconds:.1f} s")
        return
    head_s, tail_s = take.at_s(int(at[0])), seconds - take.at_s(int(at[-1]) + 1)
    if head_s > _IDLE_S:
        words = f"idle for the first {head_s:.1f} s of {seconds:.1f} s ({_IDLE_S:g} s is allowed)"
        yield Reason("idle_head", "look", words, 0.0, head_s)
    if tail_s > _IDLE_S and at[-1] < n - 1:
        words = f"idle for the last {tail_s:.1f} s of {seconds:.1f} s ({_IDLE_S:g} s is allowed)"
        yield Reason("idle_tail", "look", words, seconds - tail_s, seconds)


def _leaps(
    take: Take, leaps: np.ndarray, at: np.ndarray, exempt: np.ndarray, usual: list[Features]
) -> Iterator[Reason]:
    allowed = np.full(len(leaps), np.clip(_LEAP_RANGES_PER_S / take.fps, _LEAP_LEAST, _LEAP_MOST))
    alike = [features.leaps for features in usual if len(features.leaps) == len(leaps)]
    if len(alike) >= LEAST_TAKES:
        # A gripper on a button leaps in every take.
        allowed = np.maximum(allowed, 1.5 * np.median(alike, axis=0))
    over = np.where(exempt, 0.0, leaps / allowed)
    if not len(over) or over.max() <= 1:
        return
    j = int(over.argmax())
    t = int(at[j])
    words = (
        f"{take.joint(j)} leaps by {leaps[j]:.0%} of its range at {take.at_s(t):.1f} s "
        f"(up to {allowed[j]:.0%} in one tick is allowed)"
    )
    yield Reason("leap", "bad" if over[j] > 2 else "look", words, take.at_s(t), take.at_s(t + 1))


def _tremor(take: Take, tremor: np.ndarray, at: np.ndarray, usual: list[Features]) -> Iterator[Reason]:
    if not len(tremor):
        return
    allowed, spread = _TREMOR, _TREMOR / _TREMOR_Z
    if len(usual) >= LEAST_TAKES:
        known = np.array([features.tremor for features in usual])
        median = float(np.median(known))
        spread = max(1.4826 * float(np.median(np.abs(known - median))), 0.3 * median, _TREMOR_LEAST / 8)
        allowed = max(_TREMOR_LEAST, median + _TREMOR_Z * spread)
    j = int(tremor.argmax())
    if tremor[j] > allowed:
        middle_s = take.at_s(min(int(at[j]), len(take) - 1))
        words = (
            f"{take.joint(j)} trembles by {tremor[j]:.1%} of its range at {middle_s:.1f} s "
            f"({allowed:.1%} is allowed)"
        )
        mark = "bad" if tremor[j] > max(2 * allowed, 2 * _TREMOR) else "look"
        yield Reason("tremor", mark, words, max(0.0, middle_s - 0.5), min(take.seconds, middle_s + 0.5))


def _unlike(take: Take, features: Features, usual: list[Features]) -> Iterator[Reason]:
    """Say what sets the take apart from the earlier ones: how long, how far, from where, to where."""
    usual = [other for other in usual if other.start.shape == features.start.shape]
    if len(usual) < LEAST_TAKES or not features.usual:
        return
    lengths = np.array([other.seconds for other in usual])
    if robust_z(np.log(features.seconds), np.log(lengths), _LENGTH_PRIOR, _LENGTH_FLOOR) > _UNLIKE_Z:
        words = f"{features.seconds:.1f} s long ({np.median(lengths):.1f} s is usual here)"
        yield take.whole("unlike", "look", words)
    paths = np.maximum([other.path for other in usual], 1e-3)
    z = robust_z(np.log(max(features.path, 1e-3)), np.log(paths), _PATH_PRIOR, _LENGTH_FLOOR)
    if abs(z) > _UNLIKE_Z:
        times = features.path / float(np.median(paths))
        yield take.whole("unlike", "look", f"moved {times:.1f} times as far as is usual here")
    scale = np.median([other.moves for other in usual], axis=0)
    # What never moves by itself may still stand elsewhere: it is compared with what the other joints do.
    scale = np.where(scale > 0, scale, np.median(scale[scale > 0]) if scale.any() else np.inf)
    for name, verb, from_s, to_s in (
        ("start", "starts", 0.0, min(1.0, take.seconds)),
        ("end", "ends", max(0.0, take.seconds - 1), take.seconds),
    ):
        pose, known = getattr(features, name), np.array([getattr(other, name) for other in usual], float)
        distance, j = pose_distance(pose, known, scale)
        if distance > _POSE_Z:
            joint = take.joint(j) if take.state.shape == take.action.shape else f"state {j}"
            usual_value = float(np.median(known[:, j]))
            words = f"{verb} with {joint} at {float(pose[j]):.4g} ({usual_value:.4g} is usual here)"
            yield Reason("unlike", "look", words, from_s, to_s)
