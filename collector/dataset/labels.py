"""What curators say about episodes: verdict, success, note, task, trim; append-only, with author and time.

`curation/labels.jsonl` is the source of truth; the present state is its fold, so nothing is ever overwritten and
every label can be undone. One JSON object a line: `{"at", "author", "episode", "field", "value", "batch"}`, or
`{"at", "author", "undo"}` with the batch that it takes back. What one `set` writes shares a batch.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.dataset import durable
from collector.errors import DataError, UsageError

VALUES: dict[str, tuple[str, Any]] = {
    "verdict": ("'keep', 'drop' or none", lambda v: v in ("keep", "drop")),
    "success": ("true, false or none", lambda v: isinstance(v, bool)),
    "note": ("text or none", lambda v: isinstance(v, str)),
    "task": ("text or none", lambda v: isinstance(v, str) and bool(v.strip())),
    "trim": ("[first, last] in frames, the last excluded, or none", lambda v: _is_span(v)),
}


def _is_span(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
        and 0 <= value[0] < value[1]
    )


class Labels:
    """The labels of a dataset.

    Args:
        root: The dataset's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.path = self.root / "curation" / "labels.jsonl"

    def set(self, episodes: Sequence[int], field: str, value: Any, author: str) -> None:
        """Set a field of some episodes; None takes it away. All of them are written, or none.

        Raises:
            UsageError: If there is no such field, value or episode.
            DataError: If there is no dataset.
            OSError: If the disk refuses; nothing is then changed.
        """
        if field not in VALUES:
            raise UsageError(f"no label '{field}': there are {', '.join(VALUES)}")
        allowed, fits = VALUES[field]
        if value is not None and not fits(value):
            raise UsageError(f"{field} cannot be {value!r}: it is {allowed}")
        total = self._total_episodes()
        if wrong := [e for e in episodes if not 0 <= e < total]:
            raise UsageError(f"no episode {wrong[0]} in {self.root}: it has {total}, counted from 0")
        common = {"at": _now(), "author": author}
        batch = uuid.uuid4().hex[:12]
        lines = [
            {**common, "episode": int(e), "field": field, "value": value, "batch": batch}
            for e in dict.fromkeys(episodes)
        ]
        if lines:
            self._append(lines)

    def undo(self, author: str = "") -> list[dict[str, Any]]:
        """Take back the latest `set` that still holds; return its lines.

        Raises:
            UsageError: If there is nothing to take back.
            OSError: If the disk refuses.
        """
        valid = self._valid()
        if not valid:
            raise UsageError(f"{self.root} has no label to undo")
        batch = _batch(valid[-1])
        lines = [line for line in valid if _batch(line) == batch]
        self._append([{"at": _now(), "author": author, "undo": batch}])
        return lines

    def current(self) -> dict[int, dict[str, Any]]:
        """Return the present labels: by episode, field -> value; what is not set is absent.

        Raises:
            DataError: If the file is damaged.
        """
        state: dict[int, dict[str, Any]] = {}
        for line in self._valid():
            fields = state.setdefault(line["episode"], {})
            fields.pop(line["field"], None)
            if line["value"] is not None:
                fields[line["field"]] = line["value"]
        return {episode: fields for episode, fields in sorted(state.items()) if fields}

    def history(self, episode: int | None = None) -> list[dict[str, Any]]:
        """Return all lines, oldest first, those that were undone and the undoing too; or those of one episode.

        Each line has `undone` (bool) added.
        """
        undone = self._undone()
        batches = {
            line["batch"] for line in self._lines() if line.get("episode") == episode and "batch" in line
        }
        return [
            {**line, "undone": _batch(line) in undone}
            for line in self._lines()
            if episode is None or line.get("episode") == episode or line.get("undo") in batches
        ]

    def _total_episodes(self) -> int:
        from collector.dataset.tables import read_info

        return int(read_info(self.root).get("total_episodes", 0))

    def _undone(self) -> frozenset[str]:
        return frozenset(line["undo"] for line in self._lines() if "undo" in line)

    def _valid(self) -> list[dict[str, Any]]:
        undone = self._undone()
        return [line for line in self._lines() if "field" in line and _batch(line) not in undone]

    def _lines(self) -> list[dict[str, Any]]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        # What follows the last newline was cut short while it was appended: it was never acknowledged.
        whole = content[: content.rfind(b"\n") + 1]
        lines = []
        for number, text in enumerate(whole.splitlines(), 1):
            try:
                line = json.loads(text)
                if "undo" not in line:
                    line["episode"], line["field"], line["value"]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}, is no label: correct or remove the line"
                ) from error
            lines.append(line)
        return lines

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        durable.make_folder(self.path.parent)
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with _sole_appender(descriptor):
                end = _whole_length(descriptor)
                os.ftruncate(descriptor, end)
                os.lseek(descriptor, end, os.SEEK_SET)
                try:
                    durable.write_all(descriptor, content)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
        finally:
            os.close(descriptor)
        durable.sync_folder(self.path.parent)


def _batch(line: dict[str, Any]) -> str:
    # Lines by others may lack a batch: each is then its own.
    return line.get("batch") or json.dumps(line, sort_keys=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _whole_length(descriptor: int) -> int:
    """Return the file's length up to its last newline."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, size).rfind(b"\n") + 1 if size else 0


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
