"""Routes that move contents: what to upload and how, large files, commits, downloads."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from collector.hub.blobs import Batch, git_oid, lfs_pointer
from collector.hub.handling import (
    address_of,
    hub_of,
    json_of,
    off_loop,
    parameter,
    repository_of,
    require_write,
    text_of,
    user_of,
)
from collector.hub.names import Refusal, check_path, check_sha256
from collector.hub.repo_routes import web_address
from collector.hub.repository import Delete, FileEntry, Put, Repository

# Smaller files travel inside the commit (base64), larger ones as streams of their own.
REGULAR_LIMIT = 256 * 1024
# A line of a commit carries at most one small file; nothing larger may fill the server's memory.
_LINE_LIMIT = 32 * 1024 * 1024
_UPLOAD_SECONDS = 24 * 3600


async def preupload(request: Request) -> Response:
    """POST A/preupload/{rev}: say how each file travels, and its present oid (to leave out what is there)."""
    repo = repository_of(request, write=True)
    files = (await json_of(request)).get("files")
    if not isinstance(files, list):
        raise Refusal(400, "'files' must be a list")
    tree = repo.tree(repo.resolve(parameter(request, "revision")))
    answers = []
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("size"), int):
            raise Refusal(400, "each file needs a path and a size")
        path = check_path(text_of(file, "path"))
        mode = "regular" if file["size"] <= REGULAR_LIMIT else "lfs"
        answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
        if path in tree:
            entry = tree[path]
            answer["oid"] = entry.sha256 if mode == "lfs" else await off_loop(_regular_oid, repo, entry)
        answers.append(answer)
    return JSONResponse({"files": answers})


def _regular_oid(repo: Repository, entry: FileEntry) -> str:
    """Git's name of the content itself, also where the entry carries that of an LFS pointer."""
    if not entry.lfs:
        return entry.git_oid
    return git_oid(repo.blobs.path(entry.sha256).read_bytes())


async def lfs_batch(request: Request) -> Response:
    """POST /datasets/{id}.git/info/lfs/objects/batch: where to put the large files that are not here yet."""
    repo = repository_of(request, write=True)
    user = user_of(request)
    fields = await json_of(request)
    if fields.get("operation") != "upload":
        raise Refusal(501, "this Hub serves downloads by /resolve/ only, not by git: use huggingface_hub")
    objects = fields.get("objects")
    if not isinstance(objects, list):
        raise Refusal(400, "'objects' must be a list")
    answers = []
    for item in objects:
        if not isinstance(item, dict) or not isinstance(item.get("size"), int):
            raise Refusal(400, "each object needs an oid and a size")
        oid, size = check_sha256(item.get("oid")), item["size"]
        answer: dict = {"oid": oid, "size": size}
        if repo.blobs.size(oid) != size:
            # The client sends no token with the upload itself: the address carries the permission.
            claim = {
                "kind": repo.kind,
                "repo": repo.id,
                "oid": oid,
                "size": size,
                "user": user.name if user else "",
            }
            ticket = hub_of(request).gate.sign(claim, _UPLOAD_SECONDS)
            answer["actions"] = {"upload": {"href": f"{address_of(request)}/api/upload/{ticket}"}}
        answers.append(answer)
    return JSONResponse({"transfer": "basic", "objects": answers, "hash_algo": "sha256"})


async def upload(request: Request) -> Response:
    """PUT /api/upload/{ticket}: one large file, streamed to disk and verified."""
    hub = hub_of(request)
    claim = hub.gate.claim(parameter(request, "ticket"))
    repo = hub.store.find(claim.get("kind", ""), claim.get("repo", ""))
    if repo is None or "oid" not in claim:
        raise Refusal(404, "the repository of this upload does not exist any more", "RepoNotFound")
    with await off_loop(repo.blobs.receive, claim["size"]) as incoming:
        async for piece in request.stream():
            incoming.write(piece)
        await off_loop(incoming.seal, claim["oid"])
    return Response(status_code=200)


async def commit(request: Request) -> Response:
    """POST A/commit/{branch}: lines of JSON, a header and then one operation each."""
    repo = repository_of(request, write=True)
    user = require_write(user_of(request), repo.id.partition("/")[0])
    if request.query_params.get("create_pr"):
        raise Refusal(501, "this Hub has no pull requests: commit to a branch instead")
    branch = parameter(request, "revision")
    repo.branch_head(branch)
    header: dict | None = None
    operations: list[Put | Delete] = []
    with repo.blobs.batch() as batch:
        async for line in _lines(request):
            key, value = _parse_line(line)
            if key == "header":
                header = value
            else:
                operations.append(await off_loop(_operation, repo, batch, key, value))
        if header is None:
            raise Refusal(400, "the commit has no header line")
        await off_loop(batch.seal)
    done = await off_loop(
        repo.commit,
        branch,
        operations,
        author=user.name,
        title=text_of(header, "summary"),
        message=text_of(header, "description", ""),
        parent=text_of(header, "parentCommit") if header.get("parentCommit") else None,
    )
    address = f"{web_address(request, repo)}/commit/{done.id}"
    return JSONResponse({"success": True, "commitOid": done.id, "commitUrl": address, "hookOutput": ""})


async def _lines(request: Request) -> AsyncIterator[bytes]:
    pending = bytearray()
    async for piece in request.stream():
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            pending += piece[start:end]
            if pending.strip():
                yield bytes(pending)
            pending.clear()
            start = end + 1
        pending += piece[start:]
        if len(pending) > _LINE_LIMIT:
            raise Refusal(
                413, f"one line of the commit is longer than {_LINE_LIMIT} bytes: send large files by LFS"
            )
    if pending.strip():
        yield bytes(pending)


def _parse_line(line: bytes) -> tuple[str, dict]:
    try:
        item = json.loads(line)
        key, value = item["key"], item["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        key, value = None, None
    if not isinstance(key, str) or not isinstance(value, dict):
        raise Refusal(400, "each line of a commit must be {'key': ..., 'value': {...}}")
    return key, value


def _operation(repo: Repository, batch: Batch, key: str, value: dict) -> Put | Delete:
    path = text_of(value, "path").removesuffix("/")
    if key == "file":
        try:
            content = base64.b64decode(text_of(value, "content"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, f"the content of '{path[:200]}' is not base64") from error
        check_path(path)
        return Put(path, FileEntry(batch.add(content), len(content), git_oid(content), lfs=False))
    if key == "lfsFile":
        oid = check_sha256(value.get("oid"))
        size = repo.blobs.size(oid)
        if size is None or value.get("size", size) != size:
            raise Refusal(
                400, f"the content of '{path[:200]}' ({oid}) has not been uploaded: upload it, then commit"
            )
        return Put(path, FileEntry(oid, size, git_oid(lfs_pointer(oid, size)), lfs=True))
    if key in ("deletedFile", "deletedFolder"):
        return Delete(path, folder=key == "deletedFolder")
    raise Refusal(400, f"unknown operation '{key[:50]}' in a commit")


async def resolve(request: Request) -> Response:
    """GET or HEAD /[datasets/]{id}/resolve/{rev}/{path}: one file, whole or a range of it."""
    repo = repository_of(request)
    path = parameter(request, "path")
    commit = await off_loop(repo.resolve, parameter(request, "revision"))
    headers = {"X-Repo-Commit": commit.id}
    try:
        entry = repo.entry(commit, path)
    except Refusal as refusal:
        refusal.headers = headers
        raise
    etag = f'"{entry.sha256 if entry.lfs else entry.git_oid}"'
    headers |= {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        # A file is data, whatever it says it is: no browser may run it with this Hub's rights.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}",
    }
    if entry.lfs:
        headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(entry.size)}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    media_type = "text/plain" if guessed.startswith("text/") or guessed == "application/json" else guessed
    return FileResponse(repo.blobs.path(entry.sha256), headers=headers, media_type=media_type)


def routes() -> list[Route]:
    """The routes of this module."""
    a = "/api/{kind:kind}/{namespace}/{name}"
    found = [
        Route(f"{a}/preupload/{{revision}}", preupload, methods=["POST"]),
        Route(f"{a}/commit/{{revision}}", commit, methods=["POST"]),
        Route("/api/upload/{ticket}", upload, methods=["PUT"]),
    ]
    for prefix in ("/{kind:kind}", ""):
        web = f"{prefix}/{{namespace}}/{{name}}"
        found += [
            Route(f"{web}.git/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
            Route(f"{web}/resolve/{{revision}}/{{path:path}}", resolve),
            Route(f"{web}/raw/{{revision}}/{{path:path}}", resolve),
        ]
    return found
