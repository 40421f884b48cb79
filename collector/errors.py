"""The one exception tree: every error that a user can cause or meet, with its exit code.

This module imports nothing of ours, so that every package, the shared leaves too, can raise its errors.
A message says what was seen, what is allowed and what to do, on one line.
"""

from __future__ import annotations

import errno


class DemodeckError(Exception):
    """Base of all errors that the command line prints as one line instead of a traceback."""

    exit_code = 1


class UsageError(DemodeckError):
    """A flag, name or query is wrong."""

    exit_code = 2


class DataError(DemodeckError):
    """A dataset or checkpoint is missing, half-written, damaged or of another version."""

    exit_code = 3


class DeviceError(DemodeckError):
    """A robot, teleoperator, camera or graphics library is missing or failed."""

    exit_code = 4


class HubError(DemodeckError):
    """The Hub refused, is out of reach or lacks what was asked for."""

    exit_code = 5


class StorageError(DemodeckError):
    """The disk is full or may not be written."""

    exit_code = 6


class MismatchError(DemodeckError):
    """Two things that must fit do not: checkpoint and robot, dataset and robot, dataset and policy."""

    exit_code = 7


def explained(error: BaseException) -> DemodeckError | None:
    """Return the error as one that a user can understand, or None where it is a defect of ours.

    Looks through what other libraries have wrapped around an error of ours, and knows the disk's refusals.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DemodeckError):
            return seen
        if isinstance(seen, OSError):
            where = f" ({seen.filename})" if seen.filename else ""
            # A file too large is what a limit on file sizes, or an old file system, says.
            if seen.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                return StorageError(
                    f"the disk is full{where}: free some space; what was saved before is intact"
                )
            if seen.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                return StorageError(
                    f"{seen.filename or 'a file'} may not be written or read: check its rights"
                )
        seen = seen.__cause__
    return None


def shown(value: object, most: int = 80) -> str:
    """Return a value of a stranger's as it may go to a terminal: one line, nothing that a terminal obeys, not long."""
    text = str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)
    return text if len(text) <= most else text[: most - 1] + "\u2026"
