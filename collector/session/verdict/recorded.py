"""What was wrong with how a take was recorded: its clock, its cameras, what safety changed, what cut it short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from collector.session.cameras import CameraFault
from collector.session.verdict.motion import longest
from collector.session.verdict.take import Reason, Take

LEAST_RATE = 0.84
"""Of the nominal rate: ALOHA throws an episode away that was recorded at under 42 Hz of 50."""

_MISSED_SHARE = 0.02  # ticks that began late
_GAP_PERIODS = 2.5  # from here on at least one tick is missing; a curator's check calls it a fault
_LONGEST_GAP_S = 0.5
_CLIPPED_LOOK, _CLIPPED_BAD = 0.05, 0.3  # share of the ticks
_SAME = 0.005  # of the range: a servo's rounding is no change
_OLD_LOOK_S, _OLD_BAD_S = 0.2, 0.5  # age of a picture
_LIGHT = ("dark", "overexposed", "drifts")


def recorded_reasons(take: Take, scale: np.ndarray) -> Iterator[Reason]:
    """Yield what is to be said of how the take was recorded.

    Args:
        scale: Range by action, (n_action,); inf where it says nothing.
    """
    if take.interrupted:
        why = f" ({take.reason})" if take.reason else ""
        yield take.whole(
            "interrupted", "bad", f"interrupted after {take.seconds:.1f} s{why}: the task was not ended"
        )
    for name in ("action", "observation.state"):
        values = take.columns.get(name)
        wrong = np.zeros(0) if values is None else ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if wrong.any():
            at = np.flatnonzero(wrong)
            words = f"{name} is no number in {len(at)} of {len(take)} ticks (none is allowed): check the robot's bus"
            yield Reason("not_finite", "bad", words, take.at_s(int(at[0])), take.at_s(int(at[-1]) + 1))
    yield from _timing(take)
    yield from _clipped(take, scale)
    yield from _cameras(take)


def _timing(take: Take) -> Iterator[Reason]:
    n = len(take)
    if n < 2:
        return
    steps = np.diff(take.times_s)
    if steps.min() < 0:
        t = int(steps.argmin())
        yield Reason(
            "timing", "bad", f"the clock runs backwards by {-steps[t]:.3f} s", take.at_s(t), take.at_s(t + 1)
        )
        return
    rate, t = (n - 1) / max(float(take.times_s[-1]), 1e-9), int(steps.argmax())
    gap_s = float(steps[t])
    if rate < LEAST_RATE * take.fps:
        words = f"recorded at {rate:.1f} Hz of {take.fps:g} (at least {LEAST_RATE * take.fps:.1f} is allowed)"
        yield take.whole("timing", "bad", words)
    elif take.missed_ticks > max(2, _MISSED_SHARE * n):
        share = take.missed_ticks / n
        words = f"{take.missed_ticks} of {n} ticks were late ({share:.0%}; {_MISSED_SHARE:.0%} is allowed)"
        yield take.whole("timing", "bad" if share > 1 - LEAST_RATE else "look", words)
    elif gap_s * take.fps >= _GAP_PERIODS:
        words = f"nothing was recorded for {gap_s:.2f} s (a tick takes {1 / take.fps:.3f} s)"
        yield Reason(
            "timing", "bad" if gap_s > _LONGEST_GAP_S else "look", words, take.at_s(t), take.at_s(t + 1)
        )


def _clipped(take: Take, scale: np.ndarray) -> Iterator[Reason]:
    n, why = len(take), take.clipped if isinstance(take.clipped, Mapping) else {}
    eased = why.get("eased", 0)  # a robot that comes nearer to its leader, as it must
    why = {name: n for name, n in why.items() if name != "eased"}
    told = max(why.values(), default=0) if isinstance(take.clipped, Mapping) else take.clipped
    executed = take.column("executed_action")
    joints, span, changed = "", (0, n), 0
    if executed is not None and executed.shape == take.action.shape and (executed != take.action).any():
        # A joint that does not move by itself is compared with its own size.
        least = np.where(
            np.isfinite(scale), scale, np.maximum(1e-6, 2 * np.abs(take.action).max(axis=0, initial=0))
        )
        differs = np.abs(executed - take.action) > _SAME * least
        by_joint = differs.sum(axis=0)
        joints = ", ".join(
            take.joint(int(j)) for j in np.argsort(-by_joint, kind="stable")[:3] if by_joint[j]
        )
        span, changed = longest(differs.any(axis=1)), max(0, int(differs.any(axis=1).sum()) - eased)
    share = max(told, changed) / max(n, 1)
    if share > _CLIPPED_LOOK:
        most = max(why, key=lambda name: why[name]) if any(why.values()) else ""
        seen = "; ".join(part for part in (joints, most) if part)
        words = (
            f"safety changed {share:.0%} of what was asked for{f' ({seen})' if seen else ''}; "
            f"{_CLIPPED_LOOK:.0%} is allowed"
        )
        mark = "bad" if share > _CLIPPED_BAD else "look"
        yield Reason("clipped", mark, words, take.at_s(span[0]), take.at_s(span[1]))


def _cameras(take: Take) -> Iterator[Reason]:
    by_kind: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for fault in take.camera_faults:
        by_kind.setdefault((fault["camera"], fault["kind"]), []).append(fault)
    for (_, kind), faults in by_kind.items():
        worst = max(faults, key=lambda fault: fault["to_s"] - fault["from_s"])
        longest_s = worst["to_s"] - worst["from_s"]
        total_s = sum(fault["to_s"] - fault["from_s"] for fault in faults)
        words = CameraFault(**worst).words()
        if len(faults) > 1:
            words += f" ({len(faults)} times, {total_s:.1f} s in all)"
        # Bad light spoils a take only where it lasts; a picture that is not of its moment, at once.
        lasting = total_s > take.seconds / 2 if kind in (*_LIGHT, "slow") else longest_s > _OLD_BAD_S
        yield Reason("camera", "bad" if lasting else "look", words, worst["from_s"], worst["to_s"])
    seen_s, told = take.column("clock.observation"), {camera for camera, _ in by_kind}
    for name in take.columns:
        camera = name.removeprefix("clock.")
        if camera in (name, "tick", "observation", "action") or camera in told or seen_s is None:
            continue
        taken_s = take.column(name)
        age_s = np.zeros(1) if taken_s is None or not len(take) else (seen_s - taken_s)[:, 0]
        t = int(age_s.argmax())
        if age_s[t] > _OLD_LOOK_S:
            words = f"camera '{camera}' showed what was {age_s[t]:.2f} s ago (limit {_OLD_LOOK_S:g} s)"
            mark = "bad" if age_s[t] > _OLD_BAD_S else "look"
            yield Reason("camera", mark, words, take.at_s(t), take.at_s(t + 1))
