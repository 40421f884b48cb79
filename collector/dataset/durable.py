"""Files that are whole or absent, whatever moment the process or the machine dies at.

Everything is written to a temporary name that no reader looks at, synced, and renamed into place.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux, renameat2(2)
_RENAME_SWAP = 2  # macOS, renamex_np(2)


def sync_file(path: Path) -> None:
    """Wait until the file's content is on the disk.

    Raises:
        OSError: If the disk refuses, e.g. because it is full.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the folder's entries are on the disk; does nothing where folders cannot be opened."""
    if sys.platform == "win32":
        return
    sync_file(path)


def make_folder(path: Path) -> None:
    """Create the folder and its parents, and sync each new entry.

    Raises:
        OSError: If it cannot be created.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)  # noqa: PTH102 - the seam that the fault tests stop at
    sync_folder(path.parent)


def move_into_place(temporary: Path, path: Path) -> None:
    """Sync a finished temporary file and rename it to `path`, replacing what is there.

    Raises:
        OSError: If it cannot; `path` is then as before.
    """
    sync_file(temporary)
    make_folder(path.parent)
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes, temporary_folder: Path | None = None) -> None:
    """Write a whole file or nothing.

    Args:
        temporary_folder: Where the temporary file goes, on the same file system; default beside `path`.

    Raises:
        OSError: If the disk refuses; `path` is then as before and no temporary file is left.
    """
    temporary = (temporary_folder or path.parent) / f".{path.name}.{os.getpid()}.tmp"
    make_folder(temporary.parent)
    try:
        with open(temporary, "wb", buffering=0) as file:  # noqa: PTH123
            write_all(file.fileno(), content)
        move_into_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of `content`: one `write` may take only a part, near a full disk.

    Raises:
        OSError: If the disk refuses.
    """
    rest = memoryview(content)
    while len(rest):
        rest = rest[os.write(descriptor, rest) :]


def write_json(path: Path, content: Any, temporary_folder: Path | None = None) -> None:
    """Write JSON as lerobot formats it, whole or not at all.

    Raises:
        OSError: If the disk refuses.
    """
    text = json.dumps(content, indent=4, ensure_ascii=False)
    write_bytes(path, text.encode(), temporary_folder)


def remove_tree(path: Path) -> None:
    """Remove a folder or file if it is there, so that a half-removed folder is never taken for a whole one."""
    if not path.exists():
        return
    doomed = path.with_name(f".{path.name.lstrip('.')}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    os.replace(path, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def exchange(new: Path, old: Path) -> None:
    """Swap two folders in one step, so that `old` is at no instant missing or half of each.

    Where the system cannot, two renames do it, and `finish_exchange` mends what a crash leaves between them.

    Raises:
        OSError: If the folders cannot be renamed.
    """
    if not _exchange_in_one_step(new, old):
        aside = _aside(old)
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(old, aside)
        os.replace(new, old)
        os.replace(aside, new)
    sync_folder(old.parent)


def finish_exchange(path: Path) -> None:
    """Bring a folder back that a crash left between the two renames of `exchange`."""
    aside = _aside(path)
    if aside.is_dir() and not path.exists():
        os.replace(aside, path)
        sync_folder(path.parent)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.aside")


def _exchange_in_one_step(a: Path, b: Path) -> bool:
    names = os.fsencode(a), os.fsencode(b)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = libc.renamex_np(names[0], names[1], _RENAME_SWAP)
        elif sys.platform == "linux":
            failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
        else:
            return False
    except (AttributeError, OSError, TypeError):
        return False  # an old C library, or none
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False  # the file system cannot
    raise OSError(code, os.strerror(code), str(b))


@contextlib.contextmanager
def temporary_files(folder: Path) -> Iterator[Path]:
    """Give a folder for temporary files, on the same file system as its parent; it is empty afterwards."""
    make_folder(folder)
    try:
        yield folder
    finally:
        for file in folder.glob("*"):
            file.unlink(missing_ok=True)
