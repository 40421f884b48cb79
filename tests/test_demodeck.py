"""The command itself: its verbs, its errors, its documentation."""

import errno
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import demodeck
from collector.errors import DataError

VERBS = [(verb, module) for verbs in demodeck.VERBS.values() for verb, (module, _) in verbs.items()]


@pytest.mark.parametrize(("verb", "module"), VERBS)
def test_every_verb_exists_and_is_documented(verb, module):
    assert callable(getattr(importlib.import_module(module), f"main_{verb}"))
    project = Path(demodeck.__file__).parent
    pages = [project / "README.md", *(project / "docs").glob("*.md")]
    assert any(f"demodeck {verb}" in page.read_text() for page in pages)


def test_an_unknown_verb_suggests_the_nearest(capsys):
    assert demodeck.main(["recrod"]) == 2
    assert "did you mean 'record'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (DataError("no dataset here"), 3, "no dataset here"),
        (OSError(errno.ENOSPC, "No space left on device", "file.mp4"), 6, "disk is full (file.mp4)"),
        (PermissionError(errno.EACCES, "Permission denied", "set/meta"), 6, "set/meta may not be written"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("oops"), 70, "DEMODECK_DEBUG=1"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(raised, code, words, monkeypatch, capsys):
    from collector import cli

    def main_doctor(args):
        raise raised

    monkeypatch.setattr(cli, "main_doctor", main_doctor)
    assert demodeck.main(["doctor"]) == code
    err = capsys.readouterr().err
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], ["query", "--help"], ["devices", "pad", "--show-mapping"]]
)
def test_a_reader_that_goes_away_ends_it_quietly(args, command_env):
    """`demodeck ... | head -1`: nothing on stderr, and the code of a program that SIGPIPE ended."""
    command_env.pop("PYTHONUNBUFFERED", None)  # argparse itself forgives a write that fails
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w") as out:
        command = [sys.executable, str(demodeck.__file__), *args]
        result = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=command_env, timeout=240)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_said_in_one_line(command_env):
    with Path("/dev/full").open("w") as out:
        command = [sys.executable, str(demodeck.__file__), "--help"]
        result = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=command_env, timeout=240)
    assert result.returncode == 6
    assert result.stderr.decode().count("\n") == 1 and b"disk is full" in result.stderr
