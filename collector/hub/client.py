"""Fetching from a Hub, by the real `huggingface_hub` client; what there is, and what became of it over time.

The Hub is the one in `HF_ENDPOINT` (huggingface.co without it; see `demodeck hub serve` for one's own).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collector.hub.connection import cache_folder, connect, hub_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

type RepoType = Literal["dataset", "model"]


@dataclasses.dataclass(frozen=True)
class Commit:
    """A commit of a repository: its id, when (UTC), by whom, its first line, and the tags that are on it."""

    commit: str
    at: datetime
    authors: tuple[str, ...]
    title: str
    tags: tuple[str, ...]


def pull(
    repo_id: str,
    repo_type: RepoType = "dataset",
    revision: str | None = None,
    allow_patterns: Sequence[str] | None = None,
    folder: Path | None = None,
) -> Path:
    """Fetch a repository into the Hugging Face cache or a folder, or what of it is not there yet.

    A full commit id that is in the cache already needs no connection.

    Args:
        repo_id: NAMESPACE/NAME.
        repo_type: "dataset" or "model".
        revision: Branch, tag or commit id; None stands for `main`.
        allow_patterns: Only files that match one of these.
        folder: Where to put it; a folder of the cache by default.

    Returns:
        The folder. One of the cache (its name is the commit id) belongs to the cache: do not write to it.

    Raises:
        HubError: If repository or revision do not exist, rights are missing or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    what = f"{repo_type} {repo_id}"
    with hub_errors(what, revision), connect() as api:
        fetched = snapshot_download(
            repo_id,
            repo_type=repo_type,
            revision=revision,
            allow_patterns=list(allow_patterns) if allow_patterns is not None else None,
            endpoint=api.endpoint,
            cache_dir=cache_folder(),
            local_dir=folder,
        )
    return Path(fetched)


def resolve_revision(repo_id: str, repo_type: RepoType = "dataset", revision: str | None = None) -> str:
    """Return the commit id (40 hex digits) that a branch or tag is at now; None stands for `main`.

    Raises:
        HubError: As `pull`.
    """
    with hub_errors(f"{repo_type} {repo_id}", revision), connect() as api:
        info: Any = api.repo_info(repo_id, repo_type=repo_type, revision=revision)
        return info.sha


def commits(
    repo_id: str, repo_type: RepoType = "dataset", revision: str | None = None, most: int | None = None
) -> list[Commit]:
    """Return the commits that led to a revision (None: `main`), newest first, at most so many.

    Raises:
        HubError: As `pull`.
    """
    with hub_errors(f"{repo_type} {repo_id}", revision), connect() as api:
        tags: dict[str, list[str]] = {}
        for ref in api.list_repo_refs(repo_id, repo_type=repo_type).tags:
            tags.setdefault(ref.target_commit, []).append(ref.name)
        listed: Any = api.list_repo_commits(repo_id, repo_type=repo_type, revision=revision)
        return [
            Commit(
                c.commit_id, c.created_at, tuple(c.authors), c.title, tuple(sorted(tags.get(c.commit_id, [])))
            )
            for c in islice(listed, most)
        ]


def remote_files(api: HfApi, repo_id: str, repo_type: str, commit: str) -> dict[str, RepoFile]:
    """Return what a repository holds at a commit: path -> size and hashes."""
    from huggingface_hub import RepoFile

    items = api.list_repo_tree(repo_id, repo_type=repo_type, revision=commit, recursive=True)
    return {item.path: item for item in items if isinstance(item, RepoFile)}
