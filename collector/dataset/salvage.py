"""Repair a dataset that another recorder left broken by a crash, without touching what the crash left.

lerobot keeps its parquet files open while it records: killed, or out of disk, it leaves them without footer, and then
nothing opens. The rows and videos of the saved episodes are there all the same. They are put together beside the
dataset, the two are exchanged in one step, and the original stays next to it as `<name>.broken-<n>`.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from collector.dataset import durable, tables
from collector.dataset.parquet_salvage import has_footer
from collector.dataset.rebuild import Rebuilt
from collector.dataset.remains import examine, file_rows
from collector.errors import DataError, UsageError


@dataclass(frozen=True)
class Salvaged:
    """What a salvage gave.

    Attributes:
        episodes: Episodes kept, by their numbers in the broken dataset, in the order of their new ones.
        frames: Their frames.
        saved: Episodes that the broken dataset counted as saved, or whose rows were found beyond these.
        lost: What is not there, in words; empty where all of it is.
        backup: The untouched original.
    """

    episodes: list[int]
    frames: int
    saved: int
    lost: list[str]
    backup: Path

    def __str__(self) -> str:
        lost = f"; lost: {'; '.join(self.lost)}" if self.lost else ""
        return (
            f"salvaged {len(self.episodes)} of {self.saved} episodes ({self.frames:,} frames){lost}; "
            f"the original is kept at {self.backup}"
        )


def needs_salvage(root: str | Path) -> bool:
    """Whether a dataset's parquet files lack their footers, or fewer episodes are noted than were saved.

    Reads the files' ends only. A folder without readable `meta/info.json` cannot be salvaged: False.
    """
    root = Path(root)
    try:
        info = tables.read_info(root)
    except DataError:
        return False
    episode_files = tables.episode_files(root)
    files = [*episode_files, *(root / "data").glob("*/*.parquet")]
    if (root / tables.TASKS).exists():
        files.append(root / tables.TASKS)
    if not all(has_footer(path) for path in files):
        return True
    try:
        n_noted = sum(file_rows(path) for path in episode_files)
    except (pa.ArrowException, OSError):
        return True
    return n_noted < int(info.get("total_episodes", 0))


def salvage(root: str | Path) -> Salvaged:
    """Repair a broken dataset: its whole episodes, renumbered from 0, take its place; the original is kept beside it.

    Data are as they were recorded, bit for bit. Where the crash took the episode table, it is made anew from the
    rows: places, tasks, and statistics computed from rows and pictures. An episode of which a row or a picture is
    missing is left out. A crash at any instant leaves the original whole, here or as `<name>.broken-<n>`.

    Raises:
        DataError: If nothing can be salvaged; says what was seen. The dataset is then as before.
        UsageError: If the dataset is not broken, or a process has its files open.
        OSError: If the disk refuses; the dataset is then as before.
    """
    root = Path(root).resolve()
    finish_salvage(root)
    if not needs_salvage(root):
        raise UsageError(f"{root} needs no salvage: its files are whole")
    if user := _opened_by(root):
        raise UsageError(f"{root} is being recorded by process {user}: end that one first")
    info = tables.read_info(root)
    found = examine(root, info)
    beside = _beside(root)
    try:
        kept, n_frames = Rebuilt(root, beside, info, found).run()
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    durable.exchange(beside, root)
    saved = max(int(info.get("total_episodes", 0)), kept[-1] + 1)
    return Salvaged(kept, n_frames, saved, found.lost, _keep(beside, root))


def finish_salvage(root: str | Path) -> Path | None:
    """Complete a salvage that a crash cut short; return where the original then is, None where there was none.

    Raises:
        OSError: If the disk refuses.
    """
    root = Path(root).resolve()
    durable.finish_exchange(root)
    durable.finish_exchange(root / "meta" / "episodes")  # a writer of ours died there: nothing is broken
    kept = None
    for left in (_beside(root), root.with_name(f".{root.name}.aside")):
        if left.is_dir() and needs_salvage(left):
            kept = _keep(left, root)  # the exchange was done, and this is the original
        elif left == _beside(root):
            shutil.rmtree(left, ignore_errors=True)
    return kept


def _beside(root: Path) -> Path:
    return root.with_name(f".{root.name}.salvage")


def _keep(original: Path, root: Path) -> Path:
    n = 1
    while (backup := root.with_name(f"{root.name}.broken-{n}")).exists():
        n += 1
    os.replace(original, backup)
    durable.sync_folder(root.parent)
    return backup


def _opened_by(root: Path) -> int | None:
    """Return a process that has a file of the dataset open for writing, where the system tells (Linux)."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if folder.parent.name == str(os.getpid()):
            continue
        try:
            for link in folder.iterdir():
                target = link.readlink()
                if root in target.parents and root / ".journal" not in target.parents:
                    flags = re.search(
                        r"flags:\s*([0-7]+)", (folder.parent / "fdinfo" / link.name).read_text()
                    )
                    if flags and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY:
                        return int(folder.parent.name)
        except OSError:
            continue  # another user's, or just ended
    return None
