"""Get growing files onto the disk all the time, without anybody waiting for the disk."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from collector.dataset import durable


class Syncer:
    """Syncs files to the disk again and again, in a thread.

    Args:
        files: Files that grow.
        every_s: Pause between two rounds [s].
    """

    def __init__(self, files: list[Path], every_s: float) -> None:
        self._descriptors = [os.open(path, os.O_RDONLY) for path in files]
        self._new: list[Path] = []
        self._error: OSError | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(every_s,), name="sync", daemon=True)
        self._thread.start()

    def add(self, path: Path) -> None:
        """Sync this file once."""
        self._new.append(path)

    def check(self) -> None:
        """Raise what the disk refused."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Stop; what is not synced then is the caller's."""
        if not self._ending.is_set():
            self._ending.set()
            self._thread.join()
            for descriptor in self._descriptors:
                os.close(descriptor)

    def sync(self) -> None:
        """Sync everything once; the thread does this again and again.

        Raises:
            OSError: If the disk refuses.
        """
        sync = getattr(os, "fdatasync", os.fsync)
        new, self._new = self._new, []
        for descriptor in self._descriptors:
            sync(descriptor)
        for path in new:
            with contextlib.suppress(FileNotFoundError):  # encoded meanwhile
                durable.sync_file(path)
        for folder in {path.parent for path in new}:
            with contextlib.suppress(FileNotFoundError):
                durable.sync_folder(folder)

    def _run(self, every_s: float) -> None:
        while not self._ending.wait(every_s):
            try:
                self.sync()
            except OSError as error:
                self._error = error
                return
