"""Sessions of this user that go on, and how another screen attaches to one whose own is gone."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from collector.errors import DeviceError

_KEPT_LOGS = 20


@dataclass(frozen=True)
class Berth:
    """Where a screen can attach to a session.

    Attributes:
        name: Of the session.
        control, recorder: Addresses of the two processes; no recorder where nothing is recorded.
        key: Which only this user can read.
    """

    name: str
    control: str
    recorder: str | None
    key: str

    @classmethod
    def make(cls, record: bool) -> Berth:
        """Return a new one, which nobody knows of yet."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        if os.name == "nt":
            control, recorder = rf"\\.\pipe\demodeck-{name}-control", rf"\\.\pipe\demodeck-{name}-recorder"
        else:
            folder = _folder()
            control, recorder = str(folder / f"{name}.control"), str(folder / f"{name}.recorder")
        return cls(name, control, recorder if record else None, secrets.token_hex(32))

    def announce(self, what: str) -> None:
        """Let screens find it.

        Args:
            what: Of the session, for the person.
        """
        file = _folder() / f"{self.name}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**asdict(self), "what": what, "control_pid": os.getpid()}))

    def remove(self) -> None:
        """Let nobody find it any more; its sockets go with the processes that listen there."""
        with contextlib.suppress(OSError):
            (_folder() / f"{self.name}.json").unlink(missing_ok=True)

    def keep_output(self, process: str) -> None:
        """Let what this process and its libraries print go to a file from here on.

        On the terminal it would be drawn over the cockpit, and a terminal that stands still would hold up whoever
        prints.
        """
        self._remove_old_output()
        log = os.open(_folder() / f"{self.name}.{process}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)

    def _remove_old_output(self) -> None:
        logs = sorted(_folder().glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in logs[:-_KEPT_LOGS]:
            with contextlib.suppress(OSError):
                path.unlink()

    def sweep(self) -> None:
        """Remove all of a session that died without a word."""
        self.remove()
        for address in (self.control, self.recorder or self.control):
            with contextlib.suppress(OSError):
                Path(address).unlink(missing_ok=True)


def sessions() -> list[dict[str, Any]]:
    """Return the sessions of this user that go on, each as its `Berth` and `what` it does, the oldest first.

    What a session left that died without a word is removed.
    """
    found = []
    for file in sorted(_folder().glob("*.json"), key=lambda path: path.stat().st_mtime):
        with contextlib.suppress(OSError, ValueError, KeyError):
            told = json.loads(file.read_text())
            if _lives(told["control_pid"]):
                found.append(told)
            else:
                Berth(*(told[name] for name in ("name", "control", "recorder", "key"))).sweep()
    return found


def attach(session: dict[str, Any]) -> list[Connection]:
    """Return the ways to a session's control and recorder.

    Raises:
        DeviceError: If it does not answer.
    """
    addresses = [address for address in (session["control"], session["recorder"]) if address]
    try:
        return [Client(address, authkey=bytes.fromhex(session["key"])) for address in addresses]
    except Exception as error:
        raise DeviceError(f"the session '{session['what']}' does not answer: {error}") from error


def _lives(pid: int) -> bool:
    if os.name == "nt":
        return True  # where asking for it by signal would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _folder() -> Path:
    """Return the folder of this user's sessions, which nobody else can read."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(base) / "demodeck" if base else Path(tempfile.gettempdir()) / f"demodeck-{user}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise DeviceError(f"{folder} belongs to somebody else: set XDG_RUNTIME_DIR to a folder of yours")
    return folder
