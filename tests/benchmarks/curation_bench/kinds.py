"""The kinds of faults: four sizes each, from hardly visible to plain, and the checks that name them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation_bench import faults, flown_faults
from curation_bench.flying import Flown, Sky


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        sizes: Four sizes, rising.
        unit: Their unit.
        checks: Checks of demodeck whose finding names the fault rightly.
        task: The task that it needs, or "" for any.
    """

    sizes: tuple[float, float, float, float]
    unit: str
    checks: frozenset[str]
    task: str = ""


def _kind(sizes: tuple[float, ...], unit: str, checks: str, task: str = "") -> Kind:
    return Kind(sizes, unit, frozenset(checks.split()), task)  # type: ignore[arg-type]


KINDS: dict[str, Kind] = {
    "nan": _kind((1, 2, 5, 15), "frames", "non_finite"),
    "state_spike": _kind((3, 6, 12, 25), "deg", "state_glitch dynamics"),
    "action_spike": _kind((3, 6, 12, 25), "deg", "glitch"),
    "joint_freeze": _kind((0.3, 0.5, 1, 2), "s", "dead_joint state_freeze tracking"),
    "stale_rows": _kind((4, 6, 10, 20), "frames", "stale_rows state_freeze"),
    "lag": _kind((1, 2, 3, 5), "frames", "lag"),
    "drift": _kind((2, 3, 5, 8), "frames", "lag desync"),
    "offset": _kind((1.5, 3, 6, 12), "deg", "offset"),
    "gain": _kind((0.04, 0.08, 0.15, 0.3), "share", "gain tracking"),
    "sensor_noise": _kind((0.3, 0.5, 1, 2), "deg", "state_noise"),
    "coarse_encoder": _kind((0.7, 1.5, 3, 6), "deg", "state_noise state_freeze"),
    "dropped_frames": _kind((2, 3, 5, 10), "frames", "dropped_frames clock_gap"),
    "repeated_frames": _kind((2, 3, 5, 10), "frames", "repeated_rows"),
    "joint_swap": _kind((0.25, 0.5, 0.75, 1), "share", "joint_swap"),
    "state_clipped": _kind((0.05, 0.1, 0.2, 0.4), "share", "dead_joint state_freeze tracking saturation"),
    "wrong_units": _kind((1, 2, 3, 5), "joints", "units"),
    "servo_ticks": _kind((1, 2, 3, 5), "joints", "units"),
    "wrong_task": _kind((1, 1, 1, 1), "", "wrong_task"),
    "truncated": _kind((0.1, 0.2, 0.35, 0.6), "share", "end_state truncated unusual_length"),
    "duplicate": _kind((0.5, 0.25, 0.1, 0), "deg", "duplicate copied_actions"),
    "chatter": _kind((0.6, 1, 2, 4), "deg", "chatter"),
    "hesitation": _kind((0.6, 1, 2, 4), "s", "stall held_action"),
    "idle_head": _kind((1, 2, 4, 8), "s", "idle_ends"),
    "idle_tail": _kind((1, 2, 4, 8), "s", "idle_ends"),
    "saturation": _kind((0.05, 0.1, 0.2, 0.4), "share", "saturation held_action"),
    "bump": _kind((20, 30, 45, 80), "N", "dynamics tracking state_glitch"),
    "weak_servo": _kind((0.1, 0.05, 0.02, 0.01), "left", "gain tracking dynamics_bias offset lag"),
    "dead_servo": _kind((0.1, 0.2, 0.4, 0.8), "share", "dead_joint tracking"),
    "failed_grasp": _kind((0.018, 0.024, 0.03, 0.036), "m", "grip end_state", "pick"),
    "dropped_cube": _kind((0.5, 0.6, 0.75, 0.9), "share", "grip glitch held_action action_jump", "pick"),
}
GROSS = frozenset({"nan", "wrong_units", "servo_ticks", "wrong_task"})
"""Kinds whose every size is plain."""


def inject(sky: Sky, flown: Flown, name: str, level: int) -> Flown:
    """Return the flight with a fault of a level, 1 to 4; the same flight and level, the same fault."""
    rng = np.random.default_rng([flown.seed, level, sorted(KINDS).index(name)])
    size = KINDS[name].sizes[level - 1]
    if hasattr(flown_faults, name):
        result = getattr(flown_faults, name)(sky, flown, size, rng)
    else:
        result = getattr(faults, name)(flown, size, rng)
    result.fault, result.level = name, level
    return result
