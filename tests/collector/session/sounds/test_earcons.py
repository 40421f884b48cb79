"""Earcons can be told apart with the eyes elsewhere, are never too loud, and do not click."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from collector.session.sounds.earcons import EARCONS, LOUDEST, RATE_HZ, URGENT, Note, seconds_of, synthesise
from collector.session.state import Event, State, step
from collector.teleoperators.pad.cues import CUES

SOUNDS = {event: synthesise(notes) for event, notes in EARCONS.items()}
BESIDES = {"saved", "refused", "camera", "verdict_bad", "reset_due", "time_nearly_over"}


def shape(sound: np.ndarray, windows: int = 60, hop: int = 882) -> np.ndarray:
    """Return what an ear makes of it: loudness by quarter octave, every 20 ms."""
    padded = np.zeros(windows * hop)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    power = np.abs(np.fft.rfft(padded.reshape(windows, hop) * np.hanning(hop), n=4096)) ** 2
    hz = np.fft.rfftfreq(4096, 1 / RATE_HZ)
    edges = 100 * 2 ** (np.arange(0, 25) / 4)
    bands = np.stack([power[:, (hz >= a) & (hz < b)].sum(axis=1) for a, b in pairwise(edges)], axis=1)
    loud = np.sqrt(bands)
    return (loud / np.linalg.norm(loud)).ravel()


@pytest.mark.parametrize("event", Event)
def test_every_event_that_can_be_taken_has_an_earcon(event):
    if any(step(state, event).refused is None for state in State):
        assert event.value in EARCONS


def test_so_has_whatever_a_pad_lets_its_pilot_feel_and_what_a_session_tells_besides():
    assert set(CUES) | BESIDES <= set(EARCONS)
    assert set(EARCONS) > URGENT


@pytest.mark.parametrize("one, other", combinations(sorted(EARCONS), 2))
def test_no_two_sound_alike(one, other):
    likeness = float(shape(SOUNDS[one]) @ shape(SOUNDS[other]))
    assert likeness < 0.8, f"{one} and {other} are alike by {likeness:.2f}"


@pytest.mark.parametrize("event", sorted(EARCONS))
def test_it_is_neither_too_loud_nor_too_long_and_does_not_click(event):
    sound = SOUNDS[event]
    assert sound.dtype == np.int16 and sound.ndim == 1
    assert len(sound) == pytest.approx(seconds_of(event) * RATE_HZ, abs=len(EARCONS[event]))
    peak = np.abs(sound.astype(int)).max()
    assert 0.1 * 32767 < peak <= LOUDEST * 32767 + 1
    assert 0.05 <= seconds_of(event) <= 2.0
    # No click: its ends are quiet, and nowhere does it leap as no tone of its loudness would.
    assert np.abs(sound[:10].astype(int)).max() < 0.02 * 32767
    assert np.abs(sound[-10:].astype(int)).max() < 0.02 * 32767
    assert np.abs(np.diff(sound.astype(int))).max() < 0.6 * peak


def test_begin_rises_and_what_ends_falls():
    def pitches(event):
        return [note.hz for note in EARCONS[event] if note.hz] + [
            note.to_hz for note in EARCONS[event] if note.to_hz
        ]

    assert pitches("begin") == sorted(pitches("begin"))
    for event in ("end", "saved", "discard"):
        assert pitches(event) == sorted(pitches(event), reverse=True)
    assert min(pitches("succeed")) > 2 * max(pitches("miss"))
    assert len(EARCONS["gone"]) > len(EARCONS["begin"])  # an alarm repeats


def test_a_note_has_the_pitch_that_it_says():
    sound = synthesise((Note(440.0, 0.5),)).astype(float)
    at = np.abs(np.fft.rfft(sound)).argmax() * RATE_HZ / len(sound)
    assert at == pytest.approx(440, abs=3)


def test_nothing_sounds_like_nothing():
    assert len(synthesise(())) == 0 and seconds_of("no such event") == 0
