"""The speaker plays real samples, waits for nobody, and ends with the process that made it, however that died."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from collector.session.sounds.earcons import RATE_HZ
from collector.session.sounds.speaker import Speaker

PROJECT = Path(__file__).parents[4]


def wait_until(done, seconds=240):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.02)


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """SDL's disk driver writes what would be heard."""
    pytest.importorskip("pygame")
    path = tmp_path / "heard.raw"
    monkeypatch.setenv("SDL_AUDIODRIVER", "disk")
    monkeypatch.setenv("SDL_DISKAUDIOFILE", str(path))
    return path


@pytest.fixture
def no_device(monkeypatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "no-such-driver")


def heard(path):
    return np.fromfile(path, np.int16) if path.exists() else np.zeros(0, np.int16)


def test_an_earcon_is_really_played(recorded):
    speaker = Speaker(earcons=True, voice=False)
    assert speaker.play("refused")
    wait_until(lambda: np.abs(heard(recorded).astype(int)).max(initial=0) > 5000)
    assert speaker.silent_because is None and speaker.mute_because == "the voice is off"
    speaker.close(240)
    sound = heard(recorded).astype(float)
    loudest = np.abs(np.fft.rfft(sound)).argmax() * RATE_HZ / len(sound)
    assert loudest == pytest.approx(140, abs=5)  # the buzz of `refused`


def test_what_is_played_when_the_session_ends_is_played_to_its_end(recorded):
    speaker = Speaker(earcons=True, voice=False)
    speaker.play("finished")
    speaker.close(240)
    loud = np.flatnonzero(np.abs(heard(recorded).astype(int)) > 200)
    assert (loud[-1] - loud[0]) / RATE_HZ > 0.4


def test_without_an_audio_device_it_says_why_and_goes_on(no_device):
    speaker = Speaker(earcons=True, voice=False)
    wait_until(lambda: speaker.silent_because is not None)
    assert not speaker.play("begin")  # the caller rings the terminal's bell
    speaker.close(240)
    assert not speaker.play("begin")


def test_a_driver_that_plays_to_nobody_is_told_of(monkeypatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    speaker = Speaker(earcons=True, voice=False)
    wait_until(lambda: speaker.silent_because is not None)
    assert "dummy" in speaker.silent_because
    speaker.close(240)


def test_nothing_wanted_starts_nothing():
    speaker = Speaker(earcons=False, voice=False)
    assert not speaker.play("begin", "hello")
    assert (speaker.silent_because, speaker.mute_because) == ("sounds are off", "the voice is off")
    speaker.close()


@pytest.mark.skipif(os.name != "posix", reason="a shell script speaks")
def test_words_are_spoken(monkeypatch, tmp_path):
    program, log = tmp_path / "spd-say", tmp_path / "log"
    program.write_text(f'#!/bin/sh\nfor words; do :; done\necho "$words" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    speaker = Speaker(earcons=False, voice=True)
    assert speaker.play("refused", "refused: no flight is running")
    wait_until(lambda: log.exists() and log.read_text())
    assert log.read_text() == "refused: no flight is running\n"
    assert speaker.mute_because is None
    speaker.close(240)


def test_a_machine_that_cannot_speak_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    speaker = Speaker(earcons=False, voice=True)
    wait_until(lambda: speaker.mute_because is not None)
    assert "espeak-ng" in speaker.mute_because
    assert not speaker.play("refused", "refused")
    speaker.close(240)


@pytest.mark.skipif(os.name != "posix", reason="stops a process")
def test_a_speaker_that_hangs_holds_nobody_up(recorded):
    speaker = Speaker(earcons=True, voice=False)
    os.kill(speaker._process.pid, signal.SIGSTOP)
    # Far more than pipe and queue hold: were any of these to wait, the test would never end.
    taken = [speaker.play("saved", "x" * 400) for _ in range(2000)]
    assert taken[0] and not taken[-1]
    speaker.close(0.1)


def test_a_speaker_that_died_is_told_of_and_harms_nobody(recorded):
    speaker = Speaker(earcons=True, voice=True)
    speaker._process.kill()
    wait_until(lambda: speaker.silent_because == "the process that plays sounds has died")
    for _ in range(50):
        speaker.play("saved")
    assert not speaker.play("saved")
    speaker.close()


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize("number", ["SIGKILL", "SIGINT", "SIGHUP"])
def test_it_ends_with_its_maker_and_not_before(recorded, number):
    code = (
        "if __name__ == '__main__':\n"
        "    import time\n"
        "    from collector.session.sounds.speaker import Speaker\n"
        "    speaker = Speaker(True, False)\n"
        "    speaker.play('begin')\n"
        "    print(speaker._process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert maker.stdout is not None
    speaker = psutil.Process(int(maker.stdout.readline()))
    wait_until(lambda: len(heard(recorded)))  # it is up: signals are ignored by now
    if number != "SIGKILL":
        speaker.send_signal(getattr(signal, number))
        time.sleep(0.1)
        assert speaker.is_running() and speaker.status() != psutil.STATUS_ZOMBIE
    maker.kill()
    maker.wait()
    wait_until(lambda: not speaker.is_running() or speaker.status() == psutil.STATUS_ZOMBIE)


def test_the_screen_pays_for_neither_sdl_nor_numpy():
    code = (
        "import sys, collector.session.sounds.speaker; print('pygame' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=240
    )
    assert result.stdout.split() == ["False", "False"]
