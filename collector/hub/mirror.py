"""Publishing a folder as an exact mirror: what a push would do, shown before, and the push, in one commit.

Afterwards the repository holds what the folder holds and nothing else. It is one commit, so that nobody ever sees half
of it, and the tag moves last, so that who pins it sees the old state or the new. Commits before it stay as they are.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import DataError, HubError
from collector.hub.client import RepoType, remote_files
from collector.hub.connection import PUBLIC_HUB, connect, hub_errors, without_xet

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

# Never published: hidden files and folders (`.journal/`, `.cache/`, `.git/`) and what is still being written.
UNFINISHED = ("*.tmp", "*.part", "*.partial", "*.incomplete", "*.lock", "*~", "__pycache__")
# The real Hub makes this file itself and needs it for its large files.
_KEPT_REMOTELY = (".gitattributes",)
_CUT = "; no half of it is seen there: run the same command again, and what has arrived is not sent twice"


@dataclasses.dataclass(frozen=True)
class MirrorPlan:
    """What a push would do, against the commit that the repository is at.

    Attributes:
        repo_id, repo_type: The repository.
        commit: What it is at; None where there is none, or this user may not see it.
        contents: All that it shall hold: path -> file, or the content itself.
        added, changed: Bytes of each file that it lacks or holds otherwise.
        deleted: Bytes of each file that it would lose.
    """

    repo_id: str
    repo_type: RepoType
    commit: str | None
    contents: Mapping[str, Path | bytes]
    added: Mapping[str, int]
    changed: Mapping[str, int]
    deleted: Mapping[str, int]

    @property
    def n_unchanged(self) -> int:
        """Number of files that it holds already."""
        return len(self.contents) - len(self.added) - len(self.changed)

    @property
    def differs(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.added or self.changed or self.deleted)


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


def plan_mirror(
    folder: Path | str,
    repo_id: str,
    repo_type: RepoType = "dataset",
    *,
    card: str | None = None,
    files: Mapping[str, bytes] | None = None,
    ignore: Sequence[str] = (),
) -> MirrorPlan:
    """Compare a folder with a repository; nothing is changed.

    Hidden and unfinished files stay at home (see `UNFINISHED`).

    Args:
        folder: What to publish.
        repo_id: NAMESPACE/NAME.
        repo_type: "dataset" or "model".
        card: Text of README.md, used where the folder has none.
        files: Further files by their path, in place of those of the folder.
        ignore: Further patterns of relative paths to leave out; `curation/*` also matches what is below.

    Raises:
        DataError: If the folder does not exist or has nothing to publish.
        HubError: If the repository's name is wrong, rights are missing, or the Hub cannot be reached.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    root = Path(folder)
    contents: dict[str, Path | bytes] = {
        p.relative_to(root).as_posix(): p for p in _publishable(root, ignore)
    }
    contents |= files or {}
    if card is not None:
        contents.setdefault("README.md", card.encode())
    if not contents:
        raise DataError(
            f"nothing to publish in {root}: it has no files (hidden and unfinished ones do not count)"
        )
    with hub_errors(f"{repo_type} {repo_id}"), connect() as api:
        if "/" not in repo_id:
            repo_id = f"{api.whoami()['name']}/{repo_id}"
        try:
            info: Any = api.repo_info(repo_id, repo_type=repo_type, revision="main")
        except RepositoryNotFoundError:
            return _plan(repo_id, repo_type, None, contents, {})
        return _plan(repo_id, repo_type, info.sha, contents, remote_files(api, repo_id, repo_type, info.sha))


def push_plan(
    plan: MirrorPlan,
    *,
    message: str = "Publish with demodeck",
    tag: str | None = None,
    private: bool | None = None,
) -> PushResult:
    """Do what a plan says, unless somebody else committed since it was made.

    Args:
        plan: The plan. Where it has nothing to do there is no commit.
        message: First line of the commit message.
        tag: A tag to put on the result, moved if it exists (lerobot opens datasets by the tag `v3.0`).
        private: Hide or show the repository; None leaves it as it is (a new one: public).

    Raises:
        HubError: If the repository's name is wrong, rights are missing, the Hub cannot be reached, or somebody else
            committed since the plan was made.
    """
    repo_type = plan.repo_type
    what = f"{repo_type} {plan.repo_id}"
    with hub_errors(what, cut=_CUT), connect() as api, without_xet(api):
        repo_id = _made(api, plan, private)
        state: Any = api.repo_info(repo_id, repo_type=repo_type, revision="main")
        if private is not None and bool(state.private) != private:
            api.update_repo_settings(repo_id, repo_type=repo_type, private=private)
        parent = plan.commit
        if parent is None:  # made just now
            parent = state.sha
            there = remote_files(api, repo_id, repo_type, parent)
            plan = _plan(repo_id, repo_type, parent, plan.contents, there)
            if plan.deleted:
                raise HubError(
                    f"{repo_type} {repo_id} was made by somebody else during the push: run the same command again "
                    "to see what differs"
                )
        elif parent != state.sha:
            raise HubError(
                f"{repo_type} {repo_id} was changed by somebody else since it was compared (it is at commit "
                f"{state.sha[:12]} now): run the same command again to see what differs"
            )
        commit = _commit(api, plan, message, parent) if plan.differs else parent
        if tag is not None:
            set_tag(api, repo_id, repo_type, tag, commit)
        prefix = "" if repo_type == "model" else f"{repo_type}s/"
        return PushResult(
            repo_id=repo_id,
            repo_type=repo_type,
            url=f"{api.endpoint}/{prefix}{repo_id}",
            commit=commit,
            tag=tag,
            n_added=len(plan.added) + len(plan.changed),
            n_deleted=len(plan.deleted),
            n_unchanged=plan.n_unchanged,
        )


def _made(api: HfApi, plan: MirrorPlan, private: bool | None) -> str:
    """Make the repository where there is none; return its full name."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return api.create_repo(plan.repo_id, repo_type=plan.repo_type, private=private, exist_ok=True).repo_id
    except HfHubHTTPError as error:
        if error.response.status_code != 401 or get_token():
            raise
        raise HubError(
            f"{plan.repo_type} {plan.repo_id}: publishing to the Hub at {api.endpoint} needs a login: run "
            "'hf auth login', or set HF_TOKEN"
        ) from error


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
    """Make a repository an exact mirror of a folder: `plan_mirror`, then `push_plan`."""
    plan = plan_mirror(folder, repo_id, repo_type, card=card, ignore=ignore)
    return push_plan(plan, message=message, tag=tag, private=private)


def _plan(
    repo_id: str,
    repo_type: RepoType,
    commit: str | None,
    contents: Mapping[str, Path | bytes],
    there: Mapping[str, RepoFile],
) -> MirrorPlan:
    differs = {
        path: len(content) if isinstance(content, bytes) else content.stat().st_size
        for path, content in contents.items()
        if path not in there or not same_content(content, there[path])
    }
    return MirrorPlan(
        repo_id,
        repo_type,
        commit,
        contents,
        {path: size for path, size in differs.items() if path not in there},
        {path: size for path, size in differs.items() if path in there},
        {p: file.size for p, file in sorted(there.items()) if p not in contents and p not in _KEPT_REMOTELY},
    )


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


def same_content(content: Path | bytes, remote: RepoFile) -> bool:
    """Whether a file on the Hub has this content, by its size and hash."""
    import hashlib

    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size != remote.size:
        return False
    if remote.lfs is None:
        return _git_oid(content if isinstance(content, bytes) else content.read_bytes()) == remote.blob_id
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest() == remote.lfs.sha256
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == remote.lfs.sha256


def _git_oid(content: bytes) -> str:
    from collector.hub.blobs import git_oid

    return git_oid(content)


def _commit(api: HfApi, plan: MirrorPlan, message: str, parent: str) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    # Deletions first: a file may have become a folder.
    operations = [
        *(CommitOperationDelete(path, is_folder=False) for path in plan.deleted),
        *(CommitOperationAdd(path, plan.contents[path]) for path in sorted({*plan.added, *plan.changed})),
    ]
    done = api.create_commit(
        plan.repo_id,
        operations,
        commit_message=message,
        repo_type=plan.repo_type,
        revision="main",
        parent_commit=parent,
    )
    return done.oid


def set_tag(api: HfApi, repo_id: str, repo_type: str, tag: str, commit: str) -> None:
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
