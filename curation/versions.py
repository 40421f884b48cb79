"""Versions of a published dataset: its commits with what each holds, and any of them opened by `REPO@REVISION`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.dataset.locate import locate
from collector.dataset.reader import Dataset
from collector.errors import DataError
from curation.remote import COLUMNS

if TYPE_CHECKING:
    from collector.hub.client import Commit

_INFO = "meta/info.json"


@dataclass(frozen=True)
class Version:
    """A commit of a dataset; `episodes` and `frames` are None where it holds no readable dataset."""

    commit: Commit
    episodes: int | None
    frames: int | None


def versions(repo_id: str, revision: str | None = None, most: int | None = None) -> list[Version]:
    """Return the commits of a published dataset, newest first.

    Args:
        repo_id: NAMESPACE/NAME.
        revision: Branch, tag or commit to begin at; None for `main`.
        most: At most so many.

    Raises:
        HubError: If the repository or revision does not exist, rights are missing or the Hub cannot be reached.
    """
    from collector.hub.client import commits

    return [
        Version(commit, *_counts(repo_id, commit.commit))
        for commit in commits(repo_id, "dataset", revision, most)
    ]


def open_version(name: str) -> Dataset:
    """Open a dataset by folder or name, or a version of it on the Hub as `NAMESPACE/NAME@REVISION`.

    Of one on the Hub only the tables are fetched, into the Hugging Face cache, which stays as it is.

    Raises:
        DataError: If there is none, or it is damaged.
        HubError: If the version cannot be fetched.
    """
    from collector.hub.client import pull

    repo_id, at, revision = name.partition("@")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repo_id):
        return Dataset.open(locate(name))
    if not at:
        try:
            return Dataset.open(locate(name))
        except DataError:
            pass
    return Dataset.open(pull(repo_id, revision=revision or None, allow_patterns=COLUMNS))


def _counts(repo_id: str, commit: str) -> tuple[int | None, int | None]:
    from collector.hub.client import pull
    from collector.hub.connection import without_bars

    with without_bars():
        path = pull(repo_id, revision=commit, allow_patterns=[_INFO]) / _INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        return int(info["total_episodes"]), int(info["total_frames"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, None
