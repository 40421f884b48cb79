"""Flights that a crash left behind become episodes; one process at a time writes to a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from collector.dataset.journal import JournalWriter, list_journals, read_journal
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError

if TYPE_CHECKING:
    from collector.dataset.salvage import Salvaged


@contextlib.contextmanager
def sole_writer(root: Path) -> Iterator[None]:
    """Hold the dataset's writer lock.

    Raises:
        UsageError: If another process is writing to the dataset.
    """
    from filelock import FileLock, Timeout

    (root / ".journal").mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".journal" / "lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout as error:
        raise UsageError(f"{root} is being recorded by another process: end that one first") from error
    finally:
        if not (root / "meta").exists():
            # Nothing was flown: leave no trace, so that the same command works again.
            (root / ".journal" / "lock").unlink(missing_ok=True)
            for folder in (root / ".journal", root):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def recover_journals(writer: DatasetWriter, root: Path) -> list[int]:
    """Save every flight that a crash left in the journal; return the episodes they became.

    A flight without a single whole tick is removed: it holds nothing.

    Raises:
        DataError: If a flight is damaged; it stays where it is, and all the others are saved before.
    """
    episodes: list[int] = []
    damage: DataError | None = None
    for folder in list_journals(root):
        try:
            if read_journal(folder).n_frames == 0:
                JournalWriter.discard(folder)
            else:
                episodes.append(writer.save(folder))
        except DataError as error:
            damage = damage or error
    if damage is not None:
        saved = f"; {len(episodes)} other flight(s) were saved" if episodes else ""
        raise DataError(f"{damage}{saved}: move that folder away and go on") from damage
    return episodes


def open_interrupted(root: Path) -> DatasetWriter | None:
    """Begin the dataset of a session that a crash ended before its first save; None where no flight waits there."""
    for folder in list_journals(root):
        with contextlib.suppress(DataError):  # a damaged one is told of when it is to be saved
            flight = read_journal(folder)
            if flight.n_frames:
                robot_type = flight.header.get("robot_type")
                return DatasetWriter.create(
                    root, fps=flight.fps, features=flight.features, robot_type=robot_type
                )
    return None


def recover(
    root: Path, tell: Callable[[str, Salvaged | None], None] = lambda words, salvaged: None
) -> list[int]:
    """Save what a crash left in a dataset's journal; return the episodes that it became.

    A dataset that a crash of lerobot's own recorder left broken is salvaged first.

    Args:
        tell: Called with words before a salvage, and with words and the result after it.

    Raises:
        DataError: If there is no dataset or journal at `root`, or nothing can be salvaged.
        UsageError: If the dataset is being recorded just now.
    """
    from collector.dataset.salvage import finish_salvage, needs_salvage, salvage

    begun = (root / "meta" / "info.json").exists()
    if not begun and not list_journals(root):
        raise DataError(f"no dataset at {root}: meta/info.json is missing, and no flight waits there")
    with sole_writer(root):
        if not begun and (first := open_interrupted(root)):
            first.close()
        finish_salvage(root)
        if needs_salvage(root):
            tell(f"{root} is half-written, as a crash of lerobot leaves it: salvaging what is there", None)
            salvaged = salvage(root)
            tell(str(salvaged), salvaged)
        if not (root / "meta" / "info.json").exists():
            raise DataError(f"{root} holds no whole frame: nothing can be saved")
        writer = DatasetWriter.open(root)
        try:
            return recover_journals(writer, root)
        finally:
            writer.close()
