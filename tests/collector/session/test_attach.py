"""Sessions are found by their own user alone, and what a dead one left is cleared away."""

import json
import os
import stat
import subprocess
import sys
import threading
from multiprocessing.connection import Listener
from pathlib import Path

import pytest

import collector.session.attach
from collector.errors import DeviceError
from collector.session.attach import Berth, attach, sessions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="files and modes of Unix")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "demodeck"


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_what_is_announced_is_found_and_what_is_removed_is_not(folder):
    assert sessions() == []
    record, teleop = Berth.make(record=True), Berth.make(record=False)
    record.announce("recording into cubes")
    teleop.announce("flying so101")
    found = {session["name"]: session for session in sessions()}
    assert set(found) == {record.name, teleop.name}
    assert found[record.name]["what"] == "recording into cubes"
    assert found[record.name]["recorder"] == record.recorder
    assert found[teleop.name]["recorder"] is None
    record.remove()
    assert [session["name"] for session in sessions()] == [teleop.name]
    teleop.remove()
    teleop.remove()
    assert list(folder.iterdir()) == []


def test_nobody_else_can_read_it(folder):
    umask = os.umask(0)
    try:
        berth = Berth.make(record=True)
        berth.announce("recording")
    finally:
        os.umask(umask)
    assert mode(folder) == 0o700
    assert mode(folder / f"{berth.name}.json") == 0o600
    assert len(bytes.fromhex(berth.key)) == 32
    assert berth.key != Berth.make(record=True).key


def test_what_a_dead_session_left_is_cleared_away(folder):
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    dead, alive = Berth.make(record=True), Berth.make(record=True)
    for berth in (dead, alive):
        berth.announce("recording")
    file = folder / f"{dead.name}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"control_pid": died.pid}))
    for socket in (dead.control, dead.recorder):
        Path(socket).touch()
    assert [session["name"] for session in sessions()] == [alive.name]
    assert [path.name for path in folder.iterdir()] == [f"{alive.name}.json"]


@pytest.mark.parametrize("text", ["", "{", "{}", '{"control_pid": 1}'])
def test_what_is_no_announcement_is_passed_over(text, folder):
    berth = Berth.make(record=False)
    berth.announce("flying")
    (folder / "other.json").write_text(text)
    assert [session["name"] for session in sessions() if "name" in session] == [berth.name]


def test_a_folder_of_somebody_else_is_refused(folder, monkeypatch):
    sessions()
    user = os.getuid()
    monkeypatch.setattr(collector.session.attach.os, "getuid", lambda: user + 1)
    with pytest.raises(DeviceError, match="belongs to somebody else: set XDG_RUNTIME_DIR"):
        sessions()


def test_a_session_answers_only_where_it_listens():
    berth = Berth.make(record=True)
    berth.announce("recording into cubes")
    with pytest.raises(DeviceError, match="the session 'recording into cubes' does not answer"):
        attach(sessions()[0])
    key = bytes.fromhex(berth.key)
    with Listener(berth.control, authkey=key) as control, Listener(berth.recorder, authkey=key) as recorder:
        threads = [threading.Thread(target=greet, args=(one,), daemon=True) for one in (control, recorder)]
        for thread in threads:
            thread.start()
        for way in attach(sessions()[0]):
            with way:
                assert way.recv_bytes() == b"here"
        for thread in threads:
            thread.join(240)


def greet(listener):
    with listener.accept() as screen:
        screen.send_bytes(b"here")
