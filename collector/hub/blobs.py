"""File contents under their sha256: written once, verified, never changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from collector.hub.disk import new_temporary, sync_all, sync_folder
from collector.hub.names import Refusal, check_sha256


def git_oid(content: bytes) -> str:
    """Return git's name of a blob with this content (the etag and no-op key of small files)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return the LFS pointer file that stands for a large file in git."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Incoming:
    """One content on its way in: written to a temporary file and hashed by pieces, then sealed or dropped.

    Use as a context manager: leaving it without `seal` removes the temporary file.
    """

    def __init__(self, blobs: Blobs, limit: int | None = None) -> None:
        self._blobs = blobs
        self._limit = limit
        self._path = new_temporary(blobs.temporaries)
        self._file = self._path.open("wb")
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Append a piece.

        Raises:
            Refusal: 413, if the content grows beyond the announced size.
        """
        self.size += len(piece)
        if self._limit is not None and self.size > self._limit:
            raise Refusal(413, f"more bytes came than the {self._limit} that were announced")
        self._sha256.update(piece)
        self._file.write(piece)

    def seal(self, expected: str | None = None) -> str:
        """Make the content durable under its sha256 and return that.

        Args:
            expected: The sha256 that the sender claimed.

        Raises:
            Refusal: 400, if the content hashes to something else (a damaged or cut-off upload).
        """
        found = self._sha256.hexdigest()
        if expected is not None and found != expected:
            raise Refusal(400, f"the upload is damaged: its sha256 is {found}, {expected} was announced")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._blobs.path(found)
        if not target.parent.exists():
            self._blobs.make_folders([found])
        self._path.replace(target)
        sync_folder(target.parent)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class Batch:
    """Small contents that are written at once and made durable together, as a commit brings them.

    Use as a context manager: what `seal` did not reach is removed.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._waiting: dict[str, Path] = {}

    def add(self, content: bytes) -> str:
        """Take in a content and return its sha256; it is in place after `seal`."""
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self._waiting and self._blobs.size(sha256) != len(content):
            path = new_temporary(self._blobs.temporaries)
            self._waiting[sha256] = path
            path.write_bytes(content)
        return sha256

    def seal(self) -> None:
        """Make all contents durable under their sha256.

        Raises:
            OSError: If the disk is full.
        """
        if not self._waiting:
            return
        sync_all(self._waiting.values())
        self._blobs.make_folders(self._waiting)
        targets = {sha256: self._blobs.path(sha256) for sha256 in self._waiting}
        for sha256, path in self._waiting.items():
            path.replace(targets[sha256])
        self._waiting.clear()
        sync_all({target.parent for target in targets.values()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._waiting.values():
            path.unlink(missing_ok=True)


class Blobs:
    """The contents of one repository, each a file named by its sha256.

    They are kept per repository, not shared: knowing the hash of a private content must not give access to
    it, and deleting a repository must free its disk space.
    """

    def __init__(self, folder: Path, temporaries: Path) -> None:
        self.folder = folder
        self.temporaries = temporaries

    def path(self, sha256: str) -> Path:
        """Return where the content with this sha256 lies or would lie."""
        return self.folder / check_sha256(sha256)[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Return the content's size in bytes, or None if it is not here."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def receive(self, limit: int | None = None) -> Incoming:
        """Begin to take in a content of at most `limit` bytes."""
        return Incoming(self, limit)

    def batch(self) -> Batch:
        """Begin to take in many small contents."""
        return Batch(self)

    def make_folders(self, sha256s: Iterable[str]) -> None:
        """Make the folders that contents with these hashes belong in."""
        for folder in {self.path(sha256).parent for sha256 in sha256s}:
            folder.mkdir(exist_ok=True)
        sync_folder(self.folder)
