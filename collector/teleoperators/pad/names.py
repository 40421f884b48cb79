"""SDL's names of a pad's controls, in the order of its numbers."""

from __future__ import annotations

STICKS = (("leftx", "lefty"), ("rightx", "righty"))
TRIGGERS = ("lefttrigger", "righttrigger")
AXES = (*STICKS[0], *STICKS[1], *TRIGGERS)
BUTTONS = (
    "a", "b", "x", "y", "back", "guide", "start", "leftstick", "rightstick", "leftshoulder", "rightshoulder",
    "dpup", "dpdown", "dpleft", "dpright", "misc1", "paddle1", "paddle2", "paddle3", "paddle4", "touchpad",
)  # fmt: skip
CONTROLS = (*AXES, *BUTTONS)
