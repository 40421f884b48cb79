"""Routes for clients that upload by Xet, so that they need no setting.

`huggingface_hub` sends every large file by Xet wherever its package `hf_xet` is installed, without asking the
server and without falling back. This is the receiving half of that protocol: chunks arrive in xorbs, then a shard
says which chunks make which file, and the files are put together, verified by their sha256 and stored as if they
had come as plain streams. Downloads are plain: no answer ever offers Xet.

The client remembers for weeks which chunks it sent to an address and does not send them again. So every session
has an address of its own, and what it sent is kept as long as that address is given out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import secrets
import shutil
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.hub.disk import new_temporary
from collector.hub.handling import address_of, body_of, hub_of, off_loop, parameter, repository_of
from collector.hub.names import Refusal
from collector.hub.repository import Repository
from collector.hub.xet_format import ShardFile, Xorb, parse_shard

# A session takes new uploads for this long, and is forgotten when idle for that long.
_SESSION_SECONDS = 2 * 3600
_IDLE_SECONDS = 15 * 60
_TOKEN_SECONDS = 24 * 3600
# Xet's own limits are 64 MiB; a little more for headers.
_XORB_LIMIT = 80 * 1024 * 1024
_SHARD_LIMIT = 80 * 1024 * 1024


@dataclasses.dataclass
class Session:
    """What one repository's uploads by Xet have sent lately."""

    id: str
    repo: Repository
    folder: Path
    born: float
    used: float


class Sessions:
    """The sessions of a running Hub. They do not outlive it: the client then begins a new one."""

    def __init__(self, temporaries: Path) -> None:
        self._temporaries = temporaries
        self._sessions: dict[str, Session] = {}

    def current(self, repo: Repository) -> Session:
        """Return the session for a new upload to a repository."""
        now = time.monotonic()
        for session in self._sessions.values():
            if session.repo is repo and now - session.born < _SESSION_SECONDS:
                session.used = now
                return session
        name = secrets.token_hex(16)
        session = Session(name, repo, self._temporaries / f"xet-{name}", now, now)
        session.folder.mkdir()
        self._sessions[name] = session
        asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._forget_idle, name)
        return session

    def find(self, name: str) -> Session:
        """Return a session that is in use.

        Raises:
            Refusal: 401, if it is over.
        """
        session = self._sessions.get(name)
        if session is None:
            raise Refusal(401, "this upload session is over: start the upload again")
        session.used = time.monotonic()
        return session

    def _forget_idle(self, name: str) -> None:
        session = self._sessions[name]
        idle = time.monotonic() - session.used
        if idle < _IDLE_SECONDS:
            asyncio.get_running_loop().call_later(_IDLE_SECONDS - idle + 1, self._forget_idle, name)
        else:
            del self._sessions[name]
            shutil.rmtree(session.folder, ignore_errors=True)


def _sessions_of(request: Request) -> Sessions:
    return request.app.state.xet_sessions


async def write_token(request: Request) -> Response:
    """GET A/xet-write-token/{rev}: the address and the token of an upload session."""
    repo = repository_of(request, write=True)
    session = _sessions_of(request).current(repo)
    token = hub_of(request).gate.sign({"xet": session.id}, _TOKEN_SECONDS)
    expires = int(time.time()) + _TOKEN_SECONDS
    address = f"{address_of(request)}/xet/{session.id}"
    headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
    return JSONResponse({"casUrl": address, "accessToken": token, "exp": expires}, headers=headers)


def _session_of(request: Request) -> Session:
    name = parameter(request, "session")
    token = request.headers.get("authorization", "").partition(" ")[2]
    if hub_of(request).gate.claim(token).get("xet") != name:
        raise Refusal(401, "the token of this upload is for another session")
    return _sessions_of(request).find(name)


async def xorb(request: Request) -> Response:
    """POST /xet/{session}/v1/xorbs/default/{hash}: chunks, streamed to disk."""
    session = _session_of(request)
    name = parameter(request, "hash")
    if not re.fullmatch("[0-9a-f]{64}", name):
        raise Refusal(400, "a xorb's name is 64 hex digits")
    beside = new_temporary(session.folder)
    size = 0
    try:
        with beside.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > _XORB_LIMIT:
                    raise Refusal(413, f"a xorb may have {_XORB_LIMIT} bytes at most")
                file.write(piece)
        beside.replace(session.folder / name)
    finally:
        beside.unlink(missing_ok=True)
    return JSONResponse({"was_inserted": True})


async def shard(request: Request) -> Response:
    """POST /xet/{session}/v1/shards: put the files together that it describes."""
    session = _session_of(request)
    content = await body_of(request, _SHARD_LIMIT)
    await off_loop(_assemble, session, content)
    return JSONResponse({"result": 1})


def _assemble(session: Session, content: bytes) -> None:
    xorbs: dict[str, Xorb] = {}
    for file in parse_shard(content):
        session.used = time.monotonic()
        if file.sha256 is None or session.repo.blobs.size(file.sha256) is None:
            _assemble_file(session, file, xorbs)


def _assemble_file(session: Session, file: ShardFile, xorbs: dict[str, Xorb]) -> None:
    with session.repo.blobs.receive() as incoming:
        for segment in file.segments:
            if segment.xorb not in xorbs:
                path = session.folder / segment.xorb
                if not path.is_file():
                    raise Refusal(400, f"xorb {segment.xorb} has not been uploaded in this session")
                xorbs[segment.xorb] = Xorb(path)
            for piece in xorbs[segment.xorb].unpack(segment):
                incoming.write(piece)
        incoming.seal(file.sha256)


async def nothing(request: Request) -> Response:
    """GET /xet/{session}/v1/chunks/..: no other client's chunks are offered. POST /v1/telemetry is not kept."""
    return JSONResponse({}, status_code=404 if request.method == "GET" else 200)


def routes() -> list[Route]:
    """The routes of this module."""
    return [
        Route("/api/{kind:kind}/{namespace}/{name}/xet-write-token/{revision}", write_token),
        Route("/xet/{session}/v1/xorbs/default/{hash}", xorb, methods=["POST"]),
        Route("/xet/{session}/v1/shards", shard, methods=["POST"]),
        Route("/xet/{session}/v1/chunks/{prefix}/{hash}", nothing),
        Route("/v1/telemetry", nothing, methods=["POST"]),
    ]
