"""Whatever program speaks is found, gets plain words, and says the newest sentence when it has ended the last."""

import os
import sys
import time

import pytest

from collector.session.sounds.voice import NO_VOICE, Program, Voice, find_program, plain

SPEAKS = """
import pathlib, sys, time
log, gate = map(pathlib.Path, sys.argv[1:3])
words = sys.argv[3] if len(sys.argv) > 3 else sys.stdin.read()
with log.open("a") as file:
    file.write(words + "\\n")
while not gate.exists():
    time.sleep(0.01)
sys.exit(int(gate.read_text() or 0))
"""


@pytest.fixture
def speaks(tmp_path):
    script = tmp_path / "speaks.py"
    script.write_text(SPEAKS)
    log, gate = tmp_path / "log", tmp_path / "gate"
    return (sys.executable, str(script), str(log), str(gate)), log, gate


def wait_until(done):
    deadline = time.monotonic() + 240
    while not done():
        assert time.monotonic() < deadline, "it did not happen within 240 s"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "platform, there, command",
    [
        ("darwin", {"say", "espeak"}, "say"),
        ("linux", {"spd-say", "espeak-ng", "espeak"}, "spd-say"),
        ("linux", {"espeak-ng", "espeak", "say"}, "espeak-ng"),
        ("linux", {"espeak"}, "espeak"),
        ("win32", {"powershell"}, "powershell"),
    ],
)
def test_the_program_of_each_system_is_found(platform, there, command):
    program = find_program(platform, lambda name: name if name in there else None)
    assert program is not None and program.command[0] == command


def test_where_none_is_found_the_words_name_what_to_install():
    assert find_program("linux", lambda name: None) is None
    assert "Debian" in NO_VOICE and "'espeak-ng'" in NO_VOICE


@pytest.mark.parametrize("stdin", [True, False])
def test_of_the_sentences_that_wait_the_newest_is_spoken(speaks, stdin):
    command, log, gate = speaks
    voice = Voice(Program(command, stdin))
    voice.say("one")
    wait_until(log.exists)
    voice.say("two")
    voice.say("three")
    assert voice.tend()
    gate.write_text("0")
    wait_until(lambda: not voice.tend())
    assert log.read_text().split() == ["one", "three"] and voice.failed is None


def test_a_program_that_fails_is_told_of_and_tried_again(speaks):
    command, _log, gate = speaks
    voice = Voice(Program(command))
    gate.write_text("3")
    voice.say("one")
    wait_until(lambda: not voice.tend())
    assert voice.failed is not None and "exit code 3" in voice.failed
    gate.write_text("0")
    voice.say("two")
    wait_until(lambda: not voice.tend())
    assert voice.failed is None


def test_a_program_that_is_gone_raises_nothing():
    voice = Voice(Program(("no-such-program-that-speaks",)))
    voice.say("hello")
    assert not voice.tend()
    assert voice.failed is not None and "could not be started" in voice.failed


def test_silence_comes_at_once(speaks):
    command, log, _ = speaks
    voice = Voice(Program(command))
    voice.say("one")
    wait_until(lambda: log.exists() and log.read_text())
    voice.say("two")
    voice.stop()
    assert not voice.tend()
    assert log.read_text().split() == ["one"]


@pytest.mark.parametrize("words", ["--version", "a\nb", "x" * 999, "\x1b[31mred", "", "  -  ", "é ü 你"])
def test_words_are_short_on_one_line_and_no_option(words):
    line = plain(words)
    assert len(line) <= 200 and not line.startswith("-") and line.isprintable()
    assert len(line.encode()) < os.fpathconf(0, "PC_PIPE_BUF") if hasattr(os, "fpathconf") else True
