"""All checks, in the order in which they are shown."""

from __future__ import annotations

from curation.checks import (
    chatter,
    clock,
    dead_joint,
    dynamics,
    end_state,
    glitch,
    lag,
    length,
    non_finite,
    offset,
    outcome,
    picture,
    still,
)
from curation.checks.base import Check

CHECKS: tuple[Check, ...] = (
    non_finite.CHECK,
    length.STUB,
    length.CHECK,
    still.STALL,
    still.IDLE_ENDS,
    glitch.ACTION,
    glitch.STATE,
    chatter.CHECK,
    dead_joint.CHECK,
    lag.CHECK,
    offset.CHECK,
    dynamics.JUMP,
    dynamics.BIAS,
    end_state.CHECK,
    outcome.CHECK,
    clock.GAP,
    clock.CAMERA_AGE,
    picture.DARK,
    picture.FROZEN,
    picture.BLUR,
)
