"""What a pad lets its pilot feel and see when something has happened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """One cue.

    Attributes:
        low, high: Strength of the two motors, 0 to 1.
        seconds: How long they run.
        light: Red, green and blue, 0 to 255; None leaves the light as it is.
    """

    low: float
    high: float
    seconds: float
    light: tuple[int, int, int] | None = None


READY, RECORDING, PAUSED, HALTED = (0, 0, 64), (160, 0, 0), (96, 64, 0), (255, 0, 255)
_SHORT = Cue(0.0, 0.5, 0.12)
# By the name of the event that was taken, `saved` or `refused`; others are not felt.
CUES = {
    "begin": Cue(0.3, 0.6, 0.25, RECORDING),
    "end": Cue(0.0, 0.4, 0.12, READY),
    "succeed": Cue(0.0, 0.8, 0.2, (0, 160, 0)),
    "miss": Cue(0.6, 0.0, 0.2, (96, 0, 0)),
    "discard": Cue(0.8, 0.0, 0.4, READY),
    "take_back": Cue(0.6, 0.0, 0.3),
    "bring_back": Cue(0.0, 0.6, 0.3),
    "pause": Cue(0.2, 0.2, 0.3, PAUSED),
    "take_over": Cue(0.4, 0.4, 0.25),
    "halt": Cue(1.0, 1.0, 0.8, HALTED),
    "gone": Cue(1.0, 0.0, 0.6, HALTED),
    "back": Cue(0.0, 0.5, 0.2, PAUSED),
    "saved": _SHORT,
    "refused": Cue(1.0, 0.0, 0.15),
    "fail": Cue(1.0, 1.0, 1.0, HALTED),
}
