"""One repository in a folder: contents by hash, file lists by hash, commits, branches and tags.

    repo.json            {"private": bool, "created_at": ISO time, "owner": user}
    blobs/ab/abcd...     contents, by sha256
    trees/<sha1>.json    file lists: path -> [sha256, size, git oid, lfs]
    commits/<sha1>.json  {"parent", "tree", "author", "time", "title", "message"}
    refs/heads/<branch>  a commit id (name percent-quoted); refs/tags/<tag> likewise
    tmp/                 what is on its way in

A commit's parts are written first and become visible by one rename, that of the branch's file: a reader, or a
server that starts after `kill -9`, sees the commit whole or not at all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

from collector.hub.blobs import Blobs
from collector.hub.disk import write_atomically
from collector.hub.names import Refusal, check_path, check_ref, is_commit_id, ref_file_name

MAIN = "main"


class FileEntry(NamedTuple):
    """One file of a commit: where its content lies and what the client knows it by."""

    sha256: str
    size: int
    git_oid: str
    lfs: bool


type Tree = Mapping[str, FileEntry]


@dataclasses.dataclass(frozen=True)
class Commit:
    """A state of the repository; `id` is the sha1 of the other fields."""

    id: str
    parent: str | None
    tree: str
    author: str
    time: str
    title: str
    message: str


@dataclasses.dataclass(frozen=True)
class Put:
    """Operation: the file at `path` has this content from now on."""

    path: str
    entry: FileEntry


@dataclasses.dataclass(frozen=True)
class Delete:
    """Operation: remove the file at `path`, or with `folder` everything under it."""

    path: str
    folder: bool = False


class Repository:
    """One repository; reading needs no lock, changing takes the repository's own.

    Args:
        folder: Its folder (see the module's text).
        kind: "datasets" or "models".
        repo_id: "namespace/name".
    """

    def __init__(self, folder: Path, kind: str, repo_id: str) -> None:
        self.folder = folder
        self.kind = kind
        self.id = repo_id
        self.temporaries = folder / "tmp"
        self.blobs = Blobs(folder / "blobs", self.temporaries)
        self.lock = threading.RLock()
        self._tree = functools.lru_cache(maxsize=16)(self._read_tree)
        self._commit = functools.lru_cache(maxsize=4096)(self._read_commit)

    # -- settings --------------------------------------------------------------------------------------------

    @functools.cached_property
    def settings(self) -> dict:
        """`repo.json`."""
        return json.loads((self.folder / "repo.json").read_bytes())

    @property
    def private(self) -> bool:
        """Whether only those who may write to the namespace may read it."""
        return self.settings["private"]

    def set_private(self, private: bool) -> None:
        """Hide or show the repository."""
        with self.lock:
            settings = {**self.settings, "private": private}
            write_atomically(self.folder / "repo.json", json.dumps(settings).encode(), self.temporaries)
            self.settings = settings

    @classmethod
    def lay_out(cls, folder: Path, kind: str, repo_id: str, owner: str, private: bool) -> Repository:
        """Make a new repository in an empty folder, with one empty commit on `main`."""
        for name in ("blobs", "trees", "commits", "refs/heads", "refs/tags", "tmp"):
            (folder / name).mkdir(parents=True)
        settings = {"private": private, "created_at": _now(), "owner": owner}
        (folder / "repo.json").write_text(json.dumps(settings))
        repo = cls(folder, kind, repo_id)
        repo.commit(MAIN, [], author=owner, title="initial commit", first=True)
        return repo

    # -- reading ---------------------------------------------------------------------------------------------

    def refs(self, group: str) -> dict[str, str]:
        """Return name -> commit id of all branches (`group` "heads") or tags ("tags"), sorted."""
        files = sorted((self.folder / "refs" / group).iterdir())
        return {unquote(file.name): file.read_text() for file in files}

    def ref(self, group: str, name: str) -> str | None:
        """Return the commit id that a branch or tag points to, or None."""
        if not name or len(name) > 200:
            return None
        file_name = ref_file_name(name)
        if file_name in (".", ".."):
            return None
        try:
            return (self.folder / "refs" / group / file_name).read_text()
        except (FileNotFoundError, OSError, ValueError):
            return None

    def resolve(self, revision: str) -> Commit:
        """Return the commit named by a branch, tag, `refs/heads/..`, `refs/tags/..` or id (>= 7 digits).

        Raises:
            Refusal: 404 RevisionNotFound.
        """
        commit_id = self.ref("heads", revision) or self.ref("tags", revision)
        if commit_id is None and revision.startswith("refs/heads/"):
            commit_id = self.ref("heads", revision.removeprefix("refs/heads/"))
        if commit_id is None and revision.startswith("refs/tags/"):
            commit_id = self.ref("tags", revision.removeprefix("refs/tags/"))
        if commit_id is None and is_commit_id(revision):
            commit_id = revision
        elif commit_id is None and 7 <= len(revision) < 40 and set(revision) <= set("0123456789abcdef"):
            found = list((self.folder / "commits").glob(f"{revision}*.json"))
            commit_id = found[0].stem if len(found) == 1 else None
        try:
            if commit_id is not None:
                return self._commit(commit_id)
        except FileNotFoundError:
            pass
        raise Refusal(404, f"revision '{revision[:100]}' does not exist in {self.id}", "RevisionNotFound")

    def tree(self, commit: Commit) -> Tree:
        """Return path -> entry of all files of a commit, sorted by path."""
        return self._tree(commit.tree)

    def entry(self, commit: Commit, path: str) -> FileEntry:
        """Return one file of a commit.

        Raises:
            Refusal: 404 EntryNotFound.
        """
        entry = self.tree(commit).get(path)
        if entry is None:
            raise Refusal(404, f"'{path[:200]}' is not in {self.id} at {commit.id}", "EntryNotFound")
        return entry

    def history(self, commit: Commit) -> Iterator[Commit]:
        """Yield a commit and its ancestors, newest first."""
        current: Commit | None = commit
        while current is not None:
            yield current
            current = self._commit(current.parent) if current.parent else None

    def _read_tree(self, tree_id: str) -> Tree:
        rows = json.loads((self.folder / "trees" / f"{tree_id}.json").read_bytes())
        return MappingProxyType({path: FileEntry(*row) for path, row in rows.items()})

    def _read_commit(self, commit_id: str) -> Commit:
        return Commit(
            id=commit_id, **json.loads((self.folder / "commits" / f"{commit_id}.json").read_bytes())
        )

    # -- changing --------------------------------------------------------------------------------------------

    def commit(
        self,
        branch: str,
        operations: Sequence[Put | Delete],
        *,
        author: str,
        title: str,
        message: str = "",
        parent: str | None = None,
        first: bool = False,
    ) -> Commit:
        """Apply operations in order on top of a branch.

        Args:
            branch: An existing branch.
            operations: What changes; contents must be in `blobs` already.
            author: The user's name.
            title: First line of the commit message.
            message: The rest of it.
            parent: The commit (full or >= 7 digits) that the sender believes the branch to be at.
            first: Whether this is a new repository's first commit.

        Returns:
            The new commit, or the branch's present one where the operations change nothing.

        Raises:
            Refusal: 412 if the branch has moved past `parent`; 404 if the branch or a file to delete does not
                exist; 400 if one path would be a file and a folder at once.
        """
        with self.lock:
            head = None if first else self.branch_head(branch)
            if parent is not None and (head is None or len(parent) < 7 or not head.id.startswith(parent)):
                raise Refusal(
                    412,
                    f"branch '{branch}' is at {head.id if head else 'nothing'}, not at {parent[:40]}: "
                    "somebody else has committed since; fetch the newest state and push again",
                )
            tree = dict(self.tree(head)) if head else {}
            for operation in operations:
                _apply(tree, operation)
            _refuse_file_as_folder(tree)
            rows = {path: list(tree[path]) for path in sorted(tree)}
            content = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
            tree_id = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            if head is not None and tree_id == head.tree:
                return head
            self._write("trees", tree_id, content)
            fields = {
                "parent": head.id if head else None,
                "tree": tree_id,
                "author": author,
                "time": _now(),
                "title": title,
                "message": message,
            }
            content = json.dumps({**fields, "repo": self.id}, sort_keys=True).encode()
            commit_id = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            self._write("commits", commit_id, json.dumps(fields).encode())
            self._point("heads", branch, commit_id)
            return self._commit(commit_id)

    def branch_head(self, branch: str) -> Commit:
        """Return the commit that a branch is at.

        Raises:
            Refusal: 404 RevisionNotFound, if there is no such branch (nothing else can be committed to).
        """
        commit_id = self.ref("heads", branch.removeprefix("refs/heads/"))
        if commit_id is None:
            raise Refusal(404, f"branch '{branch[:100]}' does not exist in {self.id}", "RevisionNotFound")
        return self._commit(commit_id)

    def create_ref(self, group: str, name: str, commit: Commit, replace: bool = False) -> None:
        """Make a branch or tag; with `replace`, move an existing one in a single step.

        Raises:
            Refusal: 409, if it exists and may not be replaced; 400, if the name is not allowed.
        """
        what = "tag" if group == "tags" else "branch"
        check_ref(name, what)
        with self.lock:
            if not replace and self.ref(group, name) is not None:
                raise Refusal(409, f"{what} '{name}' already exists in {self.id}")
            self._point(group, name, commit.id)

    def delete_ref(self, group: str, name: str) -> None:
        """Remove a branch or tag.

        Raises:
            Refusal: 404 RevisionNotFound; 403 for the branch `main`.
        """
        if group == "heads" and name == MAIN:
            raise Refusal(403, "the branch 'main' cannot be deleted")
        with self.lock:
            if self.ref(group, name) is None:
                raise Refusal(404, f"'{name[:100]}' does not exist in {self.id}", "RevisionNotFound")
            (self.folder / "refs" / group / ref_file_name(name)).unlink()

    def _write(self, group: str, name: str, content: bytes) -> None:
        target = self.folder / group / f"{name}.json"
        if not target.exists():
            write_atomically(target, content, self.temporaries)

    def _point(self, group: str, name: str, commit_id: str) -> None:
        name = name.removeprefix("refs/heads/")
        write_atomically(
            self.folder / "refs" / group / ref_file_name(name), commit_id.encode(), self.temporaries
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _apply(tree: dict[str, FileEntry], operation: Put | Delete) -> None:
    path = check_path(operation.path)
    if isinstance(operation, Put):
        tree[path] = operation.entry
    elif operation.folder:
        inside = [name for name in tree if name.startswith(path + "/")]
        if not inside:
            raise Refusal(404, f"folder '{path}' does not exist", "EntryNotFound")
        for name in inside:
            del tree[name]
    elif tree.pop(path, None) is None:
        raise Refusal(404, f"file '{path}' does not exist", "EntryNotFound")


def _refuse_file_as_folder(tree: Mapping[str, FileEntry]) -> None:
    folders = {path[: path.rindex("/")] for path in tree if "/" in path}
    for folder in list(folders):
        while "/" in folder:
            folder = folder[: folder.rindex("/")]
            folders.add(folder)
    both = folders & tree.keys()
    if both:
        raise Refusal(
            400, f"'{min(both)}' would be a file and a folder at once: delete the file in the same commit"
        )
