"""Writing that no power cut or `kill -9` leaves half-done: write beside, sync, rename, sync the folder."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_all(paths: Iterable[Path]) -> None:
    """Make many files or folders durable; at once, since a disk takes hardly longer for many than for one."""

    def sync(path: Path) -> None:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(sync, paths))


def new_temporary(folder: Path) -> Path:
    """Return an unused name in `folder` (same file system as the target, so that a rename is atomic)."""
    return folder / f"{secrets.token_hex(12)}.tmp"


def write_atomically(target: Path, content: bytes, temporaries: Path) -> None:
    """Write a small file so that readers see the old content or the new one, never a mixture.

    Args:
        target: The file; its folder must exist.
        content: All of it.
        temporaries: A folder on the same file system, for the unfinished file.

    Raises:
        OSError: If the disk is full or the folder may not be written; the old file then stays.
    """
    temporary = new_temporary(temporaries)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)
