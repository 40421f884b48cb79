"""A repository's state as the JSON that `huggingface_hub` reads: files, folders, commits, refs, cards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from collector.hub.blobs import lfs_pointer
from collector.hub.repository import MAIN, Commit, FileEntry, Repository, Tree

# How far back `expand=True` looks for the commit that last touched a file.
_HISTORY_LIMIT = 500


def file_json(path: str, entry: FileEntry) -> dict:
    """One file of `/tree` and `/paths-info`."""
    item: dict = {"type": "file", "oid": entry.git_oid, "size": entry.size, "path": path}
    if entry.lfs:
        pointer_size = len(lfs_pointer(entry.sha256, entry.size))
        item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
    return item


def folder_json(path: str, tree: Tree) -> dict:
    """One folder of `/tree` and `/paths-info`; its oid depends on nothing but what is in it."""
    digest = hashlib.sha1(usedforsecurity=False)
    for name, entry in tree.items():
        if name.startswith(path + "/"):
            digest.update(f"{name[len(path) :]}\0{entry.git_oid}\n".encode())
    return {"type": "directory", "oid": digest.hexdigest(), "size": 0, "path": path}


def tree_json(tree: Tree, folder: str, recursive: bool) -> list[dict] | None:
    """List a folder ("" for the top), sorted by path; None if there is no such folder."""
    prefix = f"{folder}/" if folder else ""
    inside = {path: entry for path, entry in tree.items() if path.startswith(prefix)}
    if folder and not inside:
        return None
    items: dict[str, dict] = {}
    folders: dict[str, hashlib._Hash] = {}
    for path, entry in inside.items():
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            name = prefix + "/".join(parts[:depth])
            if name not in folders:
                folders[name] = hashlib.sha1(usedforsecurity=False)
            folders[name].update(f"{path[len(name) :]}\0{entry.git_oid}\n".encode())
        if recursive or len(parts) == 1:
            items[path] = file_json(path, entry)
    for name, digest in folders.items():
        if recursive or "/" not in name[len(prefix) :]:
            items[name] = {"type": "directory", "oid": digest.hexdigest(), "size": 0, "path": name}
    return [items[path] for path in sorted(items)]


def add_last_commits(repo: Repository, commit: Commit, items: Iterable[dict]) -> None:
    """Give each file and folder the commit that last changed it (what `expand=True` asks for)."""
    wanted = {item["path"]: item for item in items}
    current, tree = commit, repo.tree(commit)
    for depth, older in enumerate(repo.history(commit)):
        if older.id == commit.id:
            continue
        older_tree = repo.tree(older)
        changed = [path for path in tree.keys() | older_tree.keys() if tree.get(path) != older_tree.get(path)]
        for path in changed:
            while path:
                item = wanted.get(path)
                if item is not None and "lastCommit" not in item:
                    item["lastCommit"] = _short(current)
                path = path.rpartition("/")[0]
        current, tree = older, older_tree
        if depth >= _HISTORY_LIMIT or all("lastCommit" in item for item in wanted.values()):
            break
    for item in wanted.values():
        item.setdefault("lastCommit", _short(current))


def _short(commit: Commit) -> dict:
    return {"id": commit.id, "title": commit.title, "date": commit.time}


def commit_json(commit: Commit) -> dict:
    """One commit of `/commits`."""
    return {
        "id": commit.id,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author}],
        "date": commit.time,
        "parents": [commit.parent] if commit.parent else [],
    }


def refs_json(repo: Repository) -> dict:
    """What `/refs` answers."""
    groups = {}
    for key, group in (("branches", "heads"), ("tags", "tags")):
        groups[key] = [
            {"name": name, "ref": f"refs/{group}/{name}", "targetCommit": commit_id}
            for name, commit_id in repo.refs(group).items()
        ]
    return {**groups, "converts": [], "pullRequests": []}


def repo_json(
    repo: Repository, commit: Commit | None = None, files: bool = True, sizes: bool = False
) -> dict:
    """What `GET /api/datasets/{id}` answers, and one item of the list of repositories."""
    commit = commit or repo.branch_head(MAIN)
    card = _card(repo, commit)
    tags = card.get("tags")
    item: dict = {
        "_id": commit.id[:24],
        "id": repo.id,
        "author": repo.id.partition("/")[0],
        "sha": commit.id,
        "createdAt": repo.settings["created_at"],
        "lastModified": commit.time,
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "cardData": card,
    }
    if repo.kind == "models":
        item["modelId"] = repo.id
        item |= {key: card[key] for key in ("pipeline_tag", "library_name") if isinstance(card.get(key), str)}
    tree = repo.tree(commit)
    item["usedStorage"] = sum({entry.sha256: entry.size for entry in tree.values()}.values())
    if files:
        item["siblings"] = [_sibling(path, entry, sizes) for path, entry in tree.items()]
    return item


def _sibling(path: str, entry: FileEntry, sizes: bool) -> dict:
    sibling: dict = {"rfilename": path}
    if sizes:
        sibling |= {"size": entry.size, "blobId": entry.git_oid}
        if entry.lfs:
            pointer_size = len(lfs_pointer(entry.sha256, entry.size))
            sibling["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
    return sibling


def _card(repo: Repository, commit: Commit) -> dict:
    """The YAML head of README.md; {} where there is none or it cannot be read."""
    entry = repo.tree(commit).get("README.md")
    if entry is None or entry.size > 1_000_000:
        return {}
    head, dashes, rest = (
        repo.blobs.path(entry.sha256).read_bytes().replace(b"\r\n", b"\n").partition(b"---\n")
    )
    if head.strip(b"\xef\xbb\xbf\n ") or not dashes:
        return {}
    import yaml

    try:
        text = rest.partition(b"\n---")[0].decode()
        # Aliases let a few lines unfold to gigabytes of JSON; no card needs them.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return {}
        # BaseLoader keeps everything text (dates too), which JSON can carry.
        card = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return card if isinstance(card, dict) else {}
