"""Decisions on their way to the disk: written in order by a thread of its own, so that no key waits for it.

When it has nothing to write, the thread looks whether somebody else changed the labels, the scores or the dataset.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.dataset.label_file import Entry
from collector.dataset.labels import Labels
from collector.dataset.tables import INFO
from collector.errors import DemodeckError, UsageError, explained
from curation.evidence import evidence_mark, file_mark
from curation.standing import Folded, fold

RETRY_S = 1.0
LOOK_S = 0.7
_NEVER = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Decision:
    """What is to be written. `field` is a label's name, or `undo` or `redo`; the rest as `Labels.set`."""

    field: str
    episodes: tuple[int, ...] = ()
    value: Any = None
    settles: bool = False


@dataclass(frozen=True)
class Written:
    """A decision is on the disk; of an undo or redo, the entries that it is about."""

    decision: Decision
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A decision is not on the disk. Where it `waits`, it is tried again until there is room."""

    decision: Decision
    words: str
    waits: bool


@dataclass(frozen=True)
class Seen:
    """What the label file says, after so many decisions were written."""

    folded: Folded
    written: int


@dataclass(frozen=True)
class Changed:
    """The dataset or its scores are not what they were when they were opened."""


type Told = Written | Refused | Seen | Changed


class Ledger:
    """Writes decisions by one author.

    Args:
        labels: Where to.
        author: Who decides.
        told: Called from the thread with what happened.

    Attributes:
        asked: Decisions that were given to it.
        done: Decisions that were written or refused.
    """

    def __init__(self, labels: Labels, author: str, told: Callable[[Told], None]) -> None:
        self._labels, self._author, self._told = labels, author, told
        self._queue: queue.Queue[Decision | None] = queue.Queue()
        self._closing = threading.Event()
        self.asked = self.done = 0
        self._labels_seen, self._set_seen = self._label_mark(), self._set_mark()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many decisions are not on the disk yet."""
        return self.asked - self.done

    def add(self, decision: Decision) -> None:
        """Have a decision written; returns at once."""
        self.asked += 1
        self._queue.put(decision)

    def close(self, wait_s: float | None = None) -> list[Decision]:
        """Write what is waiting, and end; return what could not be written.

        Args:
            wait_s: How long to try; None: as long as the disk takes what it is given.
        """
        self._closing.set()
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(wait_s)
        left = []
        while not self._queue.empty():
            if (decision := self._queue.get_nowait()) is not None:
                left.append(decision)
        return ([self._stuck] if self._stuck is not None else []) + left

    _stuck: Decision | None = None

    def _work(self) -> None:
        while True:
            try:
                decision = self._queue.get(timeout=LOOK_S)
            except queue.Empty:
                self._look()
                continue
            if decision is None:
                return
            if not self._write(decision):
                return  # the screen is closing, and the disk still refuses
            if decision.field in ("undo", "redo") and self._queue.empty():
                self._labels_seen = (-1,)  # what holds again is known from the file alone
                self._look()

    def _write(self, decision: Decision) -> bool:
        """Write a decision, however long the disk is full; return whether it is settled, one way or the other."""
        self._stuck = decision
        while True:
            try:
                entries = self._entries(decision)
            except (DemodeckError, OSError) as error:
                known = explained(error)
                # A full disk gets room again; what may not be written at all never will.
                waits = isinstance(error, OSError) and error.errno not in _NEVER
                self.done += not waits  # before it is told: who hears it looks at the backlog
                self._told(Refused(decision, str(known or error), waits))
                if not waits:
                    self._stuck = None
                    return True
                if self._closing.is_set():
                    return False
                time.sleep(RETRY_S)
                continue
            self._stuck = None
            self.done += 1
            self._told(Written(decision, tuple(entries)))
            return True

    def _entries(self, decision: Decision) -> Sequence[Entry]:
        if decision.field == "undo":
            return self._labels.undo(self._author, self._author)
        if decision.field == "redo":
            return self._labels.redo(self._author, self._author)
        entry = self._labels.set(
            decision.episodes, decision.field, decision.value, self._author, decision.settles
        )
        return [entry] if entry is not None else []

    def _look(self) -> None:
        """Look whether somebody, ourselves too, changed something."""
        try:
            if (set_mark := self._set_mark()) != self._set_seen:
                self._set_seen = set_mark
                self._told(Changed())
            if (labels_mark := self._label_mark()) != self._labels_seen:
                self._labels_seen = labels_mark
                written = self.done
                self._told(Seen(fold(self._labels, self._author), written))
        except (DemodeckError, OSError) as error:
            self._told(Refused(Decision("look"), str(explained(error) or error), False))

    def _label_mark(self) -> tuple[int, ...]:
        return file_mark(self._labels.path)

    def _set_mark(self) -> tuple[tuple[int, ...], ...]:
        return file_mark(self._labels.root / INFO), *evidence_mark(self._labels.root)


def check_writable(root: Path) -> None:
    """Find out before anything is decided whether decisions can be written.

    Raises:
        UsageError: If the folder may not be written.
    """
    folder = root / "curation"
    there = folder if folder.is_dir() else root
    file = folder / "labels.jsonl"
    if not os.access(there, os.W_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise UsageError(
            f"{there} may not be written: labels lie beside their dataset, so copy it to where you may write "
            f"('cp -r {root} DIR'); until then it can be looked at only"
        )
