"""`demodeck hub serve` as a user meets it: start, stop, and each wrong flag in one line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from collector.errors import DataError, StorageError, UsageError
from collector.hub.cli import main_hub

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_stops_on_a_signal(tmp_path: Path, start_hub, number) -> None:
    hub = start_hub(tmp_path / "new" / "hub")
    assert httpx.get(hub.address).text.startswith("demodeck hub")
    code, out, err = hub.stop(number)
    assert code == 0 and err == ""
    assert out.splitlines()[-1] == f"export HF_ENDPOINT={hub.address}"
    # What it leaves can be served again.
    again = start_hub(tmp_path / "new" / "hub")
    assert again.stop()[0] == 0


def test_a_taken_port_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [
            sys.executable,
            "demodeck.py",
            "hub",
            "serve",
            "--root",
            str(tmp_path / "hub"),
            "--port",
            str(port),
        ]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr and "--port" in done.stderr


def _complaint(kind: type[Exception], *args: str) -> str:
    with pytest.raises(kind) as caught:
        main_hub(["serve", *args])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_wrong_flags_say_what_is_allowed(tmp_path: Path) -> None:
    root = ["--root", str(tmp_path / "hub"), "--port", "0"]
    assert "token" in _complaint(UsageError, *root, "--host", "0.0.0.0")
    assert "not an address" in _complaint(UsageError, *root, "--host", "no such host", "--token", "a:b")
    assert "not an address" in _complaint(UsageError, *root, "--host", "192.0.2.1", "--token", "a:b")
    assert "not a port" in _complaint(UsageError, "--root", str(tmp_path / "hub"), "--port", "99999")
    assert "NAME:TOKEN" in _complaint(UsageError, *root, "--token", "nonsense")
    assert "give each their own" in _complaint(UsageError, *root, "--token", "a:t", "--token", "b:t")
    assert "cannot be read" in _complaint(UsageError, *root, "--token-file", str(tmp_path / "none"))
    assert "--root" in _complaint(UsageError)
    assert "invalid int" in _complaint(UsageError, *root, "--port", "x")
    assert not (tmp_path / "hub").exists()


def test_a_folder_that_is_no_hub_is_left_alone(tmp_path: Path, start_hub) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    message = _complaint(UsageError, "--root", str(tmp_path / "home"), "--port", "0")
    assert "other things than a Hub" in message
    assert [entry.name for entry in (tmp_path / "home").iterdir()] == ["thesis.tex"]
    file = str(tmp_path / "home" / "thesis.tex")
    assert "is a file" in _complaint(UsageError, "--root", file, "--port", "0")
    assert "cannot be used" in _complaint(StorageError, "--root", f"{file}/deeper", "--port", "0")
    hub = start_hub(tmp_path / "hub")
    assert "another 'demodeck hub serve'" in _complaint(UsageError, "--root", str(hub.root), "--port", "0")
    hub.stop()
    marker = hub.root / "demodeck-hub.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": 99}))
    assert "newer demodeck" in _complaint(DataError, "--root", str(hub.root), "--port", "0")
    marker.write_text("{")
    assert "damaged" in _complaint(DataError, "--root", str(hub.root), "--port", "0")
