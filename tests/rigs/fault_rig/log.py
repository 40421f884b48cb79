"""What the arm was asked, with the moment: one JSON line each, whole even after `kill -9`."""

from __future__ import annotations

import json
import mmap
import time
from pathlib import Path
from typing import Any

_SIZE = 32 << 20  # [bytes]; a sparse file, so only what is written takes room


class Log:
    """Appends events to a file; a no-op without a path."""

    def __init__(self, path: Path | None) -> None:
        self._memory: mmap.mmap | None = None
        if path is None:
            return
        # Mapped memory is the kernel's at once, so it survives the process, costs no system call in a tick,
        # and is not stopped by the limits that a test puts on the recorder's files.
        with path.open("ab+") as file:
            file.truncate(_SIZE)
            self._memory = mmap.mmap(file.fileno(), _SIZE)
        self._end = max(self._memory.find(b"\0"), 0)

    def add(self, what: str, moment: float | None = None, **content: Any) -> None:
        """Note that `what` happened now, or at `moment` (`time.perf_counter()` [s])."""
        if self._memory is not None:
            entry = {"t": time.perf_counter() if moment is None else moment, "what": what, **content}
            line = json.dumps(entry).encode() + b"\n"
            self._memory[self._end : self._end + len(line)] = line
            self._end += len(line)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a log in the order in which they were written; empty where there is none."""
    if not path.exists():
        return []
    # The last line may be half-written: its process was killed, or is writing it now.
    return [json.loads(line) for line in _text(path).split(b"\n")[:-1]]


def count_ticks(path: Path) -> int:
    """Return how many observations a log holds by now, without reading what they were."""
    return _text(path).count(b'"what": "observe"') if path.exists() else 0


def _text(path: Path) -> bytes:
    with path.open("rb") as file:
        return b"".join(iter(lambda: file.read(1 << 16).rstrip(b"\0"), b""))
