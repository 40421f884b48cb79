"""The folder of one run: made whole, held by one process at a time, and swept of what a killed one left.

output_dir/train_config.json   the flags and the data's origin, from before the first step
output_dir/checkpoints/        as in `training.checkpoints`
output_dir/metrics.jsonl       as in `training.metrics`
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.dataset.durable import make_folder, sync_folder, write_json
from collector.errors import DataError, UsageError
from training.checkpoints import CHECKPOINTS, PRETRAINED_MODEL, find_checkpoint
from training.config import TRAIN_CONFIG_FILE, load_record

BUILDING = ".building-"
_IN_CHECKPOINTS = (f"{BUILDING}*", ".retired-*", ".last-*", f"*/{PRETRAINED_MODEL}/.*.tmp")
_LEFTOVERS = (".*.tmp", *(f"{CHECKPOINTS}/{name}" for name in _IN_CHECKPOINTS))


def make_run_folder(output_dir: Path, record: dict[str, Any]) -> None:
    """Make a run's folder, at once with its record in it, so that it can be resumed from its first moment.

    Args:
        output_dir: The folder; it must not exist.
        record: What `train_config.json` holds.

    Raises:
        OSError: If the disk refuses.
    """
    make_folder(output_dir.parent)
    for abandoned in output_dir.parent.glob(f"{BUILDING}{output_dir.name}-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    building = output_dir.parent / f"{BUILDING}{output_dir.name}-{os.getpid()}"
    try:
        write_json(building / TRAIN_CONFIG_FILE, record)
        building.rename(output_dir)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    sync_folder(output_dir.parent)


def last_record(output_dir: Path) -> dict[str, Any]:
    """Return the record of a run's last checkpoint, or, before it has one, that of its beginning.

    Raises:
        DataError: If the folder holds no run, or its record is damaged.
    """
    checkpoint = find_checkpoint(output_dir)
    if checkpoint is not None:
        return load_record(checkpoint / PRETRAINED_MODEL)
    if (output_dir / TRAIN_CONFIG_FILE).is_file():
        return load_record(output_dir)
    raise DataError(
        f"{output_dir} holds no checkpoint to resume: check --output_dir, or start anew without --resume"
    )


def sweep(output_dir: Path) -> None:
    """Remove what a killed writer left half-written."""
    for pattern in _LEFTOVERS:
        for path in output_dir.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(output_dir: Path) -> Iterator[None]:
    """Keep other processes from training in the folder meanwhile; the system lets go of it if this one is killed.

    Raises:
        UsageError: If another process is training there.
    """
    descriptor = os.open(output_dir, os.O_RDONLY)
    try:
        _lock(descriptor, output_dir)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, output_dir: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another process is training in {output_dir}: wait for its end or stop it, "
            "or take another --output_dir"
        ) from None
    except OSError:
        return  # a file system without locks
