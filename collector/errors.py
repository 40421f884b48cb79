"""The one exception tree: every error that a user can cause or meet, with its exit code.

This module imports nothing, so that every package, the shared leaves too, can raise its errors.
A message says what was seen, what is allowed and what to do, on one line.
"""


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
