"""Datasets on the Hub, opened by name: only what a command needs is downloaded."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from collector.dataset.locate import lerobot_home, locate
from collector.dataset.reader import Dataset
from collector.errors import DataError, HubError

COLUMNS = ("meta/*", "data/*", "curation/*.parquet", "curation/*.jsonl", "README.md")
"""What scores, labels and queries are made of: tables, and no picture (single images lie in the tables)."""
VIDEOS = ("videos/*",)


def open_by_name(name: str, videos: bool = False) -> Dataset:
    """Open a dataset by folder or name; one that is not on this machine is fetched from the Hub.

    It lands below lerobot's home (which plain lerobot knows as a download, and does not mistake for the whole),
    where labels and scores may be written beside it. What was fetched once stays at its commit.

    Args:
        name: A folder or `owner/name`.
        videos: Whether the videos are needed too.

    Raises:
        DataError: If there is none, or it is damaged.
        HubError: If the name looks like one on the Hub, and it cannot be fetched.
    """
    try:
        root = locate(name)
    except DataError as error:
        home = lerobot_home() / name
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) or Path(name).exists() or home.exists():
            raise
        try:
            return Dataset.open(_fetch(name, home, None, COLUMNS + (VIDEOS if videos else ())))
        except HubError as refused:
            raise HubError(f"{error}; and {refused}") from refused
    commit = _commit(root)
    if commit is None:
        return Dataset.open(root)
    fetched = root.relative_to(root.parents[1]).as_posix()
    try:
        dataset = Dataset.open(root)
    except DataError:  # the download was interrupted
        dataset = Dataset.open(_fetch(fetched, root, commit, COLUMNS))
    if videos and missing_videos(dataset):
        _fetch(fetched, root, commit, VIDEOS)
    return dataset


def missing_videos(dataset: Dataset, episodes: Sequence[int] | None = None) -> list[Path]:
    """Return the video files of some episodes, or all, that are not on this machine."""
    chosen = range(dataset.num_episodes) if episodes is None else episodes
    return sorted(path for path in _videos(dataset, chosen) if not path.exists())


def is_fetched(root: Path) -> bool:
    """Whether a dataset's folder was fetched from the Hub by its name."""
    return _commit(root) is not None


def fetch_videos(dataset: Dataset, episodes: Sequence[int] | None = None) -> None:
    """Fetch the videos of some episodes, or all, of a dataset that was opened by its name on the Hub.

    Raises:
        HubError: If they cannot be fetched.
        DataError: If the dataset does not come from the Hub.
    """
    from collector.hub.client import pull

    missing = missing_videos(dataset, episodes)
    if not missing:
        return
    commit = _commit(dataset.root)
    if commit is None:
        raise DataError(f"{missing[0]} is missing: restore it, or pull the dataset again")
    name = dataset.root.relative_to(dataset.root.parents[1]).as_posix()
    paths = [path.relative_to(dataset.root).as_posix() for path in missing]
    pull(name, revision=commit, allow_patterns=paths, folder=dataset.root)


def _videos(dataset: Dataset, episodes: Iterable[int]) -> set[Path]:
    from collector.dataset.schema import video_keys

    cameras = video_keys(dataset.features)
    return {dataset.video_place(e, camera)[0] for e in episodes for camera in cameras}


def _commit(root: Path) -> str | None:
    """Return the commit that a folder was fetched at; None where it was made or copied here."""
    note = root / ".cache" / "huggingface" / "download" / "meta" / "info.json.metadata"
    if not note.exists() or root.resolve() != (lerobot_home() / root.parent.name / root.name).resolve():
        return None
    first = note.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    return first if re.fullmatch(r"[0-9a-f]{40}", first) else None


def _fetch(name: str, folder: Path, commit: str | None, patterns: tuple[str, ...]) -> Path:
    from collector.hub.client import pull, resolve_revision

    commit = commit or resolve_revision(name)
    what = (
        "its tables" if patterns == COLUMNS else "its videos" if patterns == VIDEOS else "tables and videos"
    )
    print(f"{name}: fetching {what} at commit {commit[:12]} to {folder}", file=sys.stderr)
    return pull(name, revision=commit, allow_patterns=patterns, folder=folder)
