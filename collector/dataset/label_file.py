"""`curation/labels.jsonl`: entries one a line, only ever appended to, by several processes at once.

An entry is `{"id", "at", "author", "episodes": [...], "field", "value"}`, or `{"id", "at", "author", "undo"}` with the
entry that it takes back. One write is one line, so a crash leaves all of it or nothing. `at` grows from entry to
entry of a file: sorted by (`at`, `id`) the entries of any number of files have one order, which every copy agrees on.
What earlier versions wrote has one `episode` a line, no `id`, and a `batch` that ties lines together.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector.dataset import durable
from collector.errors import DataError

Entry = dict[str, Any]
LABELS = Path("curation/labels.jsonl")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_id(entry: Entry) -> str:
    """Return an entry's name, the same in every copy of it; one without gets it from its content."""
    given = entry.get("id")
    if isinstance(given, str) and given:
        return given
    return "h" + hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def batch_of(entry: Entry) -> str:
    """Return the name by which an `undo` calls the entry and those written with it."""
    given = entry.get("batch")
    return given if isinstance(given, str) and given else entry_id(entry)


def episodes_of(entry: Entry) -> list[int]:
    """Return the episodes that an entry is about; none where this version does not understand them."""
    several = entry.get("episodes", [entry.get("episode")])
    if not isinstance(several, list) or set(map(type, several)) != {int} or min(several) < 0:
        return []
    return several


def time_of(entry: Entry) -> datetime:
    """Return when an entry was made; the epoch where it does not say."""
    try:
        at = datetime.fromisoformat(entry["at"])
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (KeyError, ValueError, TypeError):
        return _EPOCH


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries in the order in which they count: by time, then by id, whatever files they came from."""
    return sorted(entries, key=lambda entry: (time_of(entry), entry_id(entry)))


class LabelFile:
    """The entries of one file. Reading again costs only what was appended since.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[Entry] = []
        self._read_to = 0
        self._inode = -1
        self._latest = _EPOCH

    def entries(self) -> list[Entry]:
        """Return the entries in the order of the file.

        Raises:
            DataError: If a line is no JSON object.
        """
        try:
            with self.path.open("rb") as file:
                tail = self._read(file.fileno())[1]
                return [*self._entries, *tail]
        except FileNotFoundError:
            self._forget(-1)
            return []

    def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Append entries, all or none, and return them; each without `id` and `at` gets them.

        Raises:
            DataError: If the file is damaged.
            OSError: If the disk refuses; the file is then as before.
        """
        durable.make_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with _sole_appender(descriptor):
                end, tail = self._read(descriptor)
                latest = max([self._latest, *map(time_of, tail)])
                made = [
                    _stamped(entry, latest + timedelta(microseconds=k)) for k, entry in enumerate(entries, 1)
                ]
                text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in made)
                # What follows the last newline was cut short while it was appended: it was never acknowledged.
                start = end if not tail else os.fstat(descriptor).st_size
                os.ftruncate(descriptor, start)
                os.lseek(descriptor, start, os.SEEK_SET)
                try:
                    durable.write_all(descriptor, ("\n" * bool(tail) + text).encode())
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, start)
                    raise
        finally:
            os.close(descriptor)
        durable.sync_folder(self.path.parent)
        return made

    def _read(self, descriptor: int) -> tuple[int, list[Entry]]:
        """Take in whole lines; return where they end, and the entry of a last line that lacks only its newline."""
        about = os.fstat(descriptor)
        if about.st_ino != self._inode or about.st_size < self._read_to:
            self._forget(about.st_ino)
        os.lseek(descriptor, self._read_to, os.SEEK_SET)
        new = b""
        while part := os.read(descriptor, max(1, about.st_size - self._read_to)):
            new += part
        whole = new[: new.rfind(b"\n") + 1]
        read = _parsed(self.path, whole, len(self._entries))
        self._entries += read
        self._latest = max([self._latest, *map(time_of, read)])
        self._read_to += len(whole)
        with contextlib.suppress(ValueError, RecursionError):
            last = json.loads(new[len(whole) :])
            return self._read_to, [last] if isinstance(last, dict) else []
        return self._read_to, []

    def _forget(self, inode: int) -> None:
        self._entries, self._read_to, self._inode, self._latest = [], 0, inode, _EPOCH


def read_entries(path: Path) -> list[Entry]:
    """Return the entries of a file, in its order; none where it is absent.

    Raises:
        DataError: If a line is no JSON object.
    """
    return LabelFile(path).entries()


def _stamped(entry: Entry, earliest: datetime) -> Entry:
    if "id" in entry:  # one of another file, taken as it is
        return entry
    # A clock that was set back must not put what is said now before what it was said of.
    at = max(datetime.now(UTC), earliest).isoformat(timespec="microseconds")
    return {"id": uuid.uuid4().hex[:16], "at": at, **entry}


def _parsed(path: Path, content: bytes, before: int) -> list[Entry]:
    lines = [line for line in content.split(b"\n") if line.strip()]
    with contextlib.suppress(ValueError, RecursionError):
        # At once is twice as fast as line by line.
        entries = json.loads(b"[" + b",".join(lines) + b"]")
        if len(entries) == len(lines) and all(isinstance(entry, dict) for entry in entries):
            return entries
    for number, line in enumerate(lines, before + 1):
        try:
            if isinstance(json.loads(line), dict):
                continue
        except (ValueError, RecursionError):
            pass
        raise DataError(f"{path}, line {number}, is no label: correct or remove the line")
    raise DataError(f"{path} holds lines that are no labels: restore it")


@contextlib.contextmanager
def _sole_appender(descriptor: int) -> Iterator[None]:
    """Wait until no other curator is appending."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
