"""The command itself: its verbs, its errors, its documentation."""

import errno
import importlib
from pathlib import Path

import pytest

import demodeck
from collector.errors import DataError

VERBS = [(verb, module) for verbs in demodeck.VERBS.values() for verb, (module, _) in verbs.items()]


@pytest.mark.parametrize(("verb", "module"), VERBS)
def test_every_verb_exists_and_is_documented(verb, module):
    assert callable(getattr(importlib.import_module(module), f"main_{verb}"))
    readme = (Path(demodeck.__file__).parent / "README.md").read_text()
    assert f"demodeck {verb}" in readme


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
