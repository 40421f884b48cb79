"""Checkpoints in lerobot's layout, each appearing whole or not at all.

    output_dir/checkpoints/002000/pretrained_model/   config.json, model.safetensors, processors, card
    output_dir/checkpoints/002000/training_state/     optimizer, schedule, random state, and the raw weights
    output_dir/checkpoints/last -> 002000

`pretrained_model` holds the averaged weights, which fly; `training_state` the raw ones, from which training
goes on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.errors import StorageError

CHECKPOINTS, LAST = "checkpoints", "last"
PRETRAINED_MODEL, TRAINING_STATE = "pretrained_model", "training_state"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# safetensors reports a failed write by text alone: "... No space left on device (os error 28)".
_OS_ERROR_IN_TEXT = re.compile(r"\(os error (\d+)\)")


def checkpoint_dir(output_dir: Path, step: int, total_steps: int) -> Path:
    """Return where the checkpoint of a step lies; zero-padded as lerobot does."""
    return output_dir / CHECKPOINTS / f"{step:0{max(6, len(str(total_steps)))}d}"


def find_checkpoint(output_dir: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or None where it has none."""
    last = output_dir / CHECKPOINTS / LAST
    if (last / TRAINING_STATE).is_dir():
        return last.resolve()
    # Between the rename of a checkpoint and that of the link a crash leaves the older link, or none at first.
    whole = sorted(
        path for path in output_dir.glob(f"{CHECKPOINTS}/[0-9]*") if (path / TRAINING_STATE).is_dir()
    )
    return whole[-1] if whole else None


def write_checkpoint(target: Path, write: Callable[[Path, Path], None]) -> None:
    """Write a checkpoint to a hidden folder beside its place, sync it, then rename it there and move `last`.

    Args:
        target: As `checkpoint_dir` gives it. A whole checkpoint already there is replaced.
        write: Fills the two folders `pretrained_model` and `training_state` that it is given.

    Raises:
        StorageError: If the disk is full or not writable; earlier checkpoints are untouched.
    """
    building = target.parent / f".building-{target.name}-{os.getpid()}"
    try:
        with _storage_errors(target):
            for folder in (building / PRETRAINED_MODEL, building / TRAINING_STATE):
                folder.mkdir(parents=True)
            write(building / PRETRAINED_MODEL, building / TRAINING_STATE)
            for path in building.rglob("*"):
                _sync(path)
            if target.exists():
                retired = target.parent / f".retired-{target.name}-{os.getpid()}"
                target.rename(retired)
                building.rename(target)
                shutil.rmtree(retired)
            else:
                building.rename(target)
            link = target.parent / f".last-{os.getpid()}"
            link.unlink(missing_ok=True)
            link.symlink_to(target.name)
            link.replace(target.parent / LAST)
            _sync(target.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _sync(path: Path) -> None:
    """Force a file's or folder's contents to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storage_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        code = getattr(error, "errno", None)
        in_text = _OS_ERROR_IN_TEXT.search(str(error))
        if code is None and in_text:
            code = int(in_text.group(1))
        if code is None:
            raise
        fix = "free some space" if code in _FULL else "check the folder's permissions"
        raise StorageError(
            f"checkpoint {target} could not be written ({os.strerror(code)}): {fix}; earlier checkpoints are "
            f"intact: go on with --resume=true --output_dir={target.parent.parent}"
        ) from error
