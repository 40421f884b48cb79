"""Publishing to and fetching from a Hub, by the real `huggingface_hub` client.

The Hub is the one in `HF_ENDPOINT` (huggingface.co without it; see `demodeck hub serve` for one's own).
A push is a mirror: afterwards the repository holds what the folder holds and nothing else. It is one commit,
so that nobody ever sees half of it, and the tag moves last, so that who pins it sees the old state or the new.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collector.errors import DataError, HubError
from collector.hub.connection import PUBLIC_HUB, cache_folder, connect, hub_errors, without_xet

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi, RepoFile

type RepoType = Literal["dataset", "model"]

# Never published: hidden files and folders (`.journal/`, `.cache/`, `.git/`) and what is still being written.
UNFINISHED = ("*.tmp", "*.part", "*.partial", "*.incomplete", "*.lock", "*~", "__pycache__")
# The real Hub makes this file itself and needs it for its large files.
_KEPT_REMOTELY = (".gitattributes",)


@dataclasses.dataclass(frozen=True)
class PushResult:
    """What a push did. `commit` is what the repository is at now; `changed` says whether it is new."""

    repo_id: str
    repo_type: str
    url: str
    commit: str
    tag: str | None
    n_added: int
    n_deleted: int
    n_unchanged: int

    @property
    def changed(self) -> bool:
        """Whether the push made a commit."""
        return self.n_added + self.n_deleted > 0


def push_mirror(
    folder: Path | str,
    repo_id: str,
    repo_type: RepoType = "dataset",
    *,
    message: str = "Publish with demodeck",
    tag: str | None = None,
    private: bool | None = None,
    card: str | None = None,
    ignore: Sequence[str] = (),
) -> PushResult:
    """Make a repository an exact mirror of a folder: one commit, then the tag.

    Hidden and unfinished files stay at home (see `UNFINISHED`). Where nothing differs there is no commit.

    Args:
        folder: What to publish.
        repo_id: NAMESPACE/NAME, made if it does not exist.
        repo_type: "dataset" or "model".
        message: First line of the commit message.
        tag: A tag to put on the result, moved if it exists (lerobot opens datasets by the tag `v3.0`).
        private: Hide or show the repository; None leaves it as it is (a new one: public).
        card: Text of README.md, used where the folder has none.
        ignore: Further patterns of relative paths to leave out; `curation/*` also matches what is below.

    Returns:
        What was done.

    Raises:
        DataError: If the folder does not exist or has nothing to publish.
        HubError: If the repository's name is wrong, rights are missing, the Hub cannot be reached, or
            somebody else committed in the meantime.
    """
    root = Path(folder)
    paths = list(_publishable(root, ignore))
    if not paths and card is None:
        raise DataError(
            f"nothing to publish in {root}: it has no files (hidden and unfinished ones do not count)"
        )
    what = f"{repo_type} {repo_id}"
    with hub_errors(what), connect() as api, without_xet(api):
        repo_id = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True).repo_id
        state: Any = api.repo_info(repo_id, repo_type=repo_type, revision="main")
        if private is not None and bool(state.private) != private:
            api.update_repo_settings(repo_id, repo_type=repo_type, private=private)
        remote = _remote_files(api, repo_id, repo_type, state.sha)
        additions = _additions(root, paths, card, remote)
        there = {path.relative_to(root).as_posix() for path in paths}
        if card is not None:
            there.add("README.md")
        stale = sorted(remote.keys() - there - set(_KEPT_REMOTELY))
        commit = state.sha
        if additions or stale:
            commit = _commit(api, repo_id, repo_type, additions, stale, message, state.sha)
        if tag is not None:
            _move_tag(api, repo_id, repo_type, tag, commit)
        prefix = "" if repo_type == "model" else f"{repo_type}s/"
        return PushResult(
            repo_id=repo_id,
            repo_type=repo_type,
            url=f"{api.endpoint}/{prefix}{repo_id}",
            commit=commit,
            tag=tag,
            n_added=len(additions),
            n_deleted=len(stale),
            n_unchanged=len(there) - len(additions),
        )


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


def _publishable(root: Path, ignore: Sequence[str]) -> Iterator[Path]:
    if not root.is_dir():
        raise DataError(f"folder {root} does not exist: nothing to publish")
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in UNFINISHED)
        for name in sorted(files):
            path = Path(parent) / name
            relative = path.relative_to(root).as_posix()
            left_out = name.startswith(".") or any(fnmatch(name, pattern) for pattern in UNFINISHED)
            if not left_out and not any(fnmatch(relative, pattern) for pattern in ignore):
                yield path


def _remote_files(api: HfApi, repo_id: str, repo_type: str, commit: str) -> dict[str, RepoFile]:
    from huggingface_hub import RepoFile

    items = api.list_repo_tree(repo_id, repo_type=repo_type, revision=commit, recursive=True)
    return {item.path: item for item in items if isinstance(item, RepoFile)}


def _additions(
    root: Path, paths: Sequence[Path], card: str | None, remote: dict[str, RepoFile]
) -> list[CommitOperationAdd]:
    """One operation for each file whose content the repository does not hold under that path."""
    from huggingface_hub import CommitOperationAdd

    additions = []
    for path in paths:
        relative = path.relative_to(root).as_posix()
        if relative not in remote or not _same(path, remote[relative]):
            additions.append(CommitOperationAdd(relative, path))
    if card is not None and root / "README.md" not in paths:
        content = card.encode()
        known = remote.get("README.md")
        if known is None or known.lfs is not None or known.blob_id != _git_oid(content):
            additions.append(CommitOperationAdd("README.md", content))
    return additions


def _same(path: Path, remote: RepoFile) -> bool:
    import hashlib

    if path.stat().st_size != remote.size:
        return False
    if remote.lfs is None:
        return _git_oid(path.read_bytes()) == remote.blob_id
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == remote.lfs.sha256


def _git_oid(content: bytes) -> str:
    from collector.hub.blobs import git_oid

    return git_oid(content)


def _commit(
    api: HfApi,
    repo_id: str,
    repo_type: str,
    additions: list[CommitOperationAdd],
    stale: list[str],
    message: str,
    parent: str,
) -> str:
    from huggingface_hub import CommitOperationDelete

    # Deletions first: a file may have become a folder.
    operations = [*(CommitOperationDelete(path, is_folder=False) for path in stale), *additions]
    done = api.create_commit(
        repo_id,
        operations,
        commit_message=message,
        repo_type=repo_type,
        revision="main",
        parent_commit=parent,
    )
    return done.oid


def _move_tag(api: HfApi, repo_id: str, repo_type: str, tag: str, commit: str) -> None:
    """Put a tag on a commit, moving it if it exists.

    The client can only delete a tag and make it anew, which leaves a moment in which the dataset cannot be
    opened by name; a `demodeck hub` moves it in one step if asked.
    """
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    present = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id, repo_type=repo_type).tags}
    if present.get(tag) == commit:
        return
    if tag in present and api.endpoint == PUBLIC_HUB:
        api.delete_tag(repo_id, tag=tag, repo_type=repo_type)
    elif tag in present:
        address = f"{api.endpoint}/api/{repo_type}s/{repo_id}/tag/{commit}"
        answer = get_session().post(
            address, headers=build_hf_headers(library_name="demodeck"), json={"tag": tag, "force": True}
        )
        try:
            hf_raise_for_status(answer)
            return
        except HfHubHTTPError:
            api.delete_tag(repo_id, tag=tag, repo_type=repo_type)
    try:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type=repo_type)
    except HfHubHTTPError as error:
        raise HubError(
            f"the files of {repo_id} are published as commit {commit[:12]}, but the tag '{tag}' could not be "
            "set: run the same command again"
        ) from error
