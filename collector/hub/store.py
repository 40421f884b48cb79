"""The Hub's folder: which repositories there are, making and deleting them.

demodeck-hub.json             {"format": 1, "secret": hex}
datasets/<namespace>/<name>/  one repository each (see repository.py); models/ likewise
tmp/                          repositories being made or deleted
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import threading
from pathlib import Path

from collector.errors import DataError, StorageError, UsageError
from collector.hub.disk import sync_folder, write_atomically
from collector.hub.names import KINDS, Refusal, check_name, check_namespace
from collector.hub.repository import Repository

_MARKER = "demodeck-hub.json"
_FORMAT = 1


class Store:
    """All repositories under one folder. One server at a time may hold it.

    Args:
        root: The folder; made if it does not exist.

    Raises:
        UsageError: If the folder holds something else, or another server holds it.
        DataError: If a later version wrote it.
        StorageError: If it may not be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.temporaries = root / "tmp"
        try:
            self._open()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = error.strerror or str(error)
            raise StorageError(
                f"--root {root} cannot be used: {reason}: name a folder that may be written"
            ) from error
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._lock = threading.Lock()
        self._sweep()

    def _open(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"--root {self.root} is a file: name a folder")
        self.root.mkdir(parents=True, exist_ok=True)
        marker = self.root / _MARKER
        if not marker.exists() and any(entry.name not in ("tmp", "lock") for entry in self.root.iterdir()):
            raise UsageError(f"--root {self.root} holds other things than a Hub: name an empty or new folder")
        self._lock_file = (self.root / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"another 'demodeck hub serve' has {self.root}: use that one, stop it, or name another --root"
            ) from error
        try:
            self._read_marker(marker)
        except BaseException:
            self.close()
            raise

    def _read_marker(self, marker: Path) -> None:
        self.temporaries.mkdir(exist_ok=True)
        if not marker.exists():
            content = json.dumps({"format": _FORMAT, "secret": secrets.token_hex(32)}).encode()
            write_atomically(marker, content, self.temporaries)
            marker.chmod(0o600)
        try:
            settings = json.loads(marker.read_bytes())
            self.secret = bytes.fromhex(settings["secret"])
            version = settings["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{marker} is damaged: restore it, or serve another --root") from error
        if version != _FORMAT:
            raise DataError(
                f"{self.root} has Hub format {version}, this demodeck reads {_FORMAT}: use a newer demodeck"
            )
        # After the marker: a folder that holds repositories and no marker is somebody else's.
        for kind in KINDS:
            (self.root / kind).mkdir(exist_ok=True)

    def _sweep(self) -> None:
        """Remove what an earlier server left unfinished."""
        for leftover in self.temporaries.iterdir():
            _remove(leftover)
        for repo in self.repositories():
            for leftover in repo.temporaries.iterdir():
                _remove(leftover)

    def close(self) -> None:
        """Let another server have the folder."""
        self._lock_file.close()

    def find(self, kind: str, repo_id: str) -> Repository | None:
        """Return a repository, or None; any text is safe here."""
        namespace, _, name = repo_id.partition("/")
        try:
            check_namespace(namespace)
            check_name(name, "name")
        except Refusal:
            return None
        with self._lock:
            known = self._repositories.get((kind, repo_id))
            if known is None and (self.root / kind / namespace / name / "repo.json").is_file():
                known = Repository(self.root / kind / namespace / name, kind, repo_id)
                self._repositories[kind, repo_id] = known
            return known

    def repositories(self, kind: str | None = None) -> list[Repository]:
        """Return all repositories (of one kind), sorted by name."""
        found = []
        for each in [kind] if kind else KINDS:
            for folder in sorted((self.root / each).glob("*/*")):
                repo = self.find(each, f"{folder.parent.name}/{folder.name}")
                if repo is not None:
                    found.append(repo)
        return found

    def create(self, kind: str, repo_id: str, owner: str, private: bool) -> Repository:
        """Make a repository with an empty first commit; it appears in one step.

        Raises:
            Refusal: 409 if it exists, 400 if the name is not allowed.
        """
        namespace, _, name = repo_id.partition("/")
        target = self.root / kind / check_namespace(namespace) / check_name(name, "name")
        scratch = self.temporaries / secrets.token_hex(12)
        Repository.lay_out(scratch, kind, repo_id, owner, private)
        with self._lock:
            try:
                target.parent.mkdir(exist_ok=True)
                scratch.rename(target)
            except OSError as error:
                _remove(scratch)
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise Refusal(409, f"{kind[:-1]} {repo_id} already exists") from error
                raise
            sync_folder(target.parent)
            sync_folder(target.parent.parent)
            self._repositories[kind, repo_id] = Repository(target, kind, repo_id)
            return self._repositories[kind, repo_id]

    def delete(self, repo: Repository) -> None:
        """Remove a repository: it disappears in one step, its disk space is freed afterwards."""
        trash = self.temporaries / secrets.token_hex(12)
        with self._lock, repo.lock:
            self._repositories.pop((repo.kind, repo.id), None)
            with contextlib.suppress(FileNotFoundError):
                os.rename(repo.folder, trash)  # noqa: PTH104 - `repo.folder` must keep its meaning
                sync_folder(repo.folder.parent)
        _remove(trash)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
