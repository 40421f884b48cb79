"""Setting up a machine: the interpreter is found, or its absence is said with what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent

OLD_PYTHON = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.2" && exit 0
exit 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")
@pytest.mark.parametrize(("installed", "seen"), [(None, "no python3"), (OLD_PYTHON, "Python 3.9.2")])
def test_without_a_fitting_python_it_says_what_to_do(installed, seen, tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    if installed:
        (binaries / "python3").write_text(installed)
        (binaries / "python3").chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", PROJECT / "install.sh", tmp_path / "venv"],
        cwd=tmp_path,
        env={"PATH": str(binaries), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    if result.returncode == 0 or "compiling" in result.stdout:
        pytest.skip("this machine has a fitting Python outside PATH and home")
    assert result.returncode == 1
    assert f"found: {seen}" in result.stderr
    assert "make PYTHON=" in result.stderr
    assert not (tmp_path / "venv").exists()
