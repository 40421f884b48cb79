"""What each event sounds like: a few notes, told apart by their shape with the eyes on the robot.

What begins rises, what ends falls and settles, what is good is high and what is bad is low; an alarm repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE_HZ = 44_100
LOUDEST = 0.6
"""Peak of the loudest earcon, in shares of full scale: an alarm is heard, and startles nobody."""

_ATTACK_S, _RELEASE_S = 0.006, 0.03  # a smooth beginning and end: no click
_BELL = (1.0, 0.35, 0.12)  # harmonics, by level: a clear tone
_REED = (1.0, 0.0, 0.6, 0.0, 0.45, 0.0, 0.3)  # odd ones only: a buzz


@dataclass(frozen=True)
class Note:
    """One note of an earcon.

    Attributes:
        hz: Its frequency [Hz]; 0 is a rest.
        seconds: How long it sounds.
        level: Its peak in shares of full scale, at most `LOUDEST`.
        to_hz: Where it glides to; None stays.
        reed: Whether it buzzes.
    """

    hz: float
    seconds: float
    level: float = 0.35
    to_hz: float | None = None
    reed: bool = False


_C4, _E4, _G4, _A4, _C5, _D5, _E5, _G5, _A5, _C6, _E6, _G6 = (
    261.6, 329.6, 392.0, 440.0, 523.3, 587.3, 659.3, 784.0, 880.0, 1046.5, 1318.5, 1568.0,
)  # fmt: skip
_GAP = Note(0, 0.05)
_ALARM = (Note(_A5, 0.16, 0.6, reed=True), Note(_D5, 0.16, 0.6, reed=True))

# By the name of the event that was taken, and what a session tells besides.
EARCONS: dict[str, tuple[Note, ...]] = {
    "begin": (Note(_C5, 0.08), Note(_E5, 0.08), Note(_G5, 0.16)),
    "end": (Note(_G5, 0.1), Note(_C5, 0.2)),
    "saved": (Note(_E5, 0.07, 0.2), Note(_D5, 0.07, 0.2), Note(_C5, 0.3, 0.25)),
    "succeed": (Note(_C6, 0.09), _GAP, Note(_G6, 0.22)),
    "miss": (Note(_C4, 0.14, 0.45), _GAP, Note(_C4, 0.24, 0.45)),
    "discard": (Note(_G5, 0.4, 0.4, to_hz=_C4),),
    "take_back": (Note(_C5, 0.08), Note(_A4, 0.08), Note(_C5, 0.08), Note(_A4, 0.16)),
    "bring_back": (Note(_A4, 0.08), Note(_C5, 0.08), Note(_A4, 0.08), Note(_C5, 0.16)),
    "pause": (Note(_E5, 0.12), Note(0, 0.1), Note(_E5, 0.12)),
    "practise": (Note(_G4, 0.15, 0.3), Note(_G4, 0.08, 0.3), Note(_G4, 0.15, 0.3), Note(_C5, 0.12, 0.3)),
    "unseen": (Note(_A5, 0.35, 0.4, to_hz=_D5),),
    "clutch": (Note(_D5, 0.06, 0.3, to_hz=_G5),),
    "take_over": (Note(_G4, 0.1), Note(_D5, 0.1), Note(_A5, 0.2)),
    "halt": _ALARM * 3,
    "gone": (Note(_E4, 0.25, 0.55, reed=True), Note(0, 0.15)) * 4,
    "back": (Note(_E4, 0.12), Note(_G4, 0.12), Note(_E5, 0.25)),
    "stop": (Note(_C6, 0.12), Note(_G5, 0.12), Note(_E5, 0.12), Note(_C5, 0.35)),
    "lost": (Note(_A5, 0.5, 0.5, to_hz=_A4), Note(_A5, 0.5, 0.5, to_hz=_A4)),
    "fail": (Note(_G4, 0.2, 0.6, reed=True), Note(_E4, 0.2, 0.6, reed=True), Note(110.0, 0.7, 0.6, reed=True)),
    "finished": (Note(_C5, 0.1), Note(_G5, 0.1), Note(_E6, 0.4, 0.25)),
    "refused": (Note(140.0, 0.22, 0.45, reed=True),),
    "camera": (Note(_E6, 0.06, 0.4), Note(0, 0.04)) * 3 + (Note(_A4, 0.2, 0.4),),
    "verdict_look": (Note(_A4, 0.1), Note(_E5, 0.14, to_hz=_G5)),
    "verdict_bad": (Note(_E5, 0.14, 0.45), Note(_C4, 0.16, 0.45, reed=True), Note(_C4, 0.3, 0.45, reed=True)),
    "reset_due": (Note(_A4, 0.07, 0.3), Note(0, 0.12)) * 3 + (Note(_A5, 0.1, 0.3),),
    "time_nearly_over": (Note(_G6, 0.04, 0.3), Note(0, 0.08)) * 4,
}  # fmt: skip

URGENT = frozenset({"halt", "gone", "lost", "fail", "refused"})
"""What is heard at once, whatever sounds."""


def seconds_of(event: str) -> float:
    """Return how long an event sounds [s]; 0 for one that has no earcon."""
    return sum(note.seconds for note in EARCONS.get(event, ()))


def synthesise(notes: tuple[Note, ...]) -> np.ndarray:
    """Return the sound of some notes, int16, (n,), mono at `RATE_HZ`; it begins and ends with silence."""
    parts = [_tone(note) for note in notes]
    return np.rint(np.concatenate(parts) * 32767).astype(np.int16) if parts else np.zeros(0, np.int16)


def _tone(note: Note) -> np.ndarray:
    n = round(note.seconds * RATE_HZ)
    if not note.hz:
        return np.zeros(n)
    hz = np.geomspace(note.hz, note.to_hz or note.hz, n)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    harmonics = _REED if note.reed else _BELL
    wave = sum(level * np.sin((k + 1) * phase) for k, level in enumerate(harmonics) if level)
    wave = wave / np.abs(wave).max()
    at = np.arange(n) / RATE_HZ
    rise, fall = np.minimum(at / _ATTACK_S, 1), np.minimum((note.seconds - at) / _RELEASE_S, 1)
    fade = 1.0 if note.reed else np.exp(-at / (1.5 * note.seconds))  # struck, not blown
    return note.level * wave * _smooth(rise) * _smooth(np.clip(fall, 0, 1)) * fade


def _smooth(share: np.ndarray) -> np.ndarray:
    return (1 - np.cos(np.pi * share)) / 2
