"""Whatever is sent, the Hub answers with a refusal and never with a server error; a full disk loses nothing."""

from __future__ import annotations

import base64
import errno
import json
import os
import random
import struct

import anyio
import httpx
import pytest
from huggingface_hub import HfApi

from collector.hub.access import User
from collector.hub.server import build_app
from collector.hub.store import Store

PARTS = [
    "main",
    "ana",
    "x",
    "..",
    "%2e%2e",
    "%00",
    "a%0Ab",
    "%ff",
    "%2F",
    "refs%2Fheads%2Fmain",
    "0" * 40,
    "é",
    "*",
]
ADDRESSES = [
    "/{}",
    "/api/{}",
    "/api/datasets",
    "/api/datasets/{}/{}",
    *(
        f"/api/datasets/ana/fuzz/{name}"
        for name in (
            "settings",
            "refs",
            "tree/{}",
            "tree/{}/{}",
            "revision/{}",
            "commits/{}",
            "paths-info/{}",
        )
    ),
    *(
        f"/api/datasets/ana/fuzz/{name}/{{}}"
        for name in ("commit", "preupload", "tag", "branch", "xet-write-token")
    ),
    "/datasets/ana/fuzz/resolve/{}/{}",
    "/{}/{}/resolve/{}/{}",
    "/datasets/ana/fuzz.git/info/lfs/objects/batch",
    "/api/repos/create",
    "/api/repos/delete",
    "/api/upload/{}",
    "/xet/{}/v1/shards",
    "/xet/{}/v1/xorbs/default/{}",
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    b'{"paths": ["", 3]}',
    b"paths=%ff&paths=a&expand=1",
    b'{"tag": "\\ud800"}',
    b'{"name": ["x"], "type": {}}',
    b'{"organization": 3, "name": "x"}',
    b'{"files": [{"path": "\\ud800", "size": -1}]}',
    b'{"operation": "upload", "objects": [{"oid": "' + b"0" * 64 + b'", "size": -5}]}',
    b'{"startingPoint": "\\u0000"}',
    b'{"key": "header", "value": {"summary": "\\ud800"}}\n',
    b'{"key": "header", "value": {"summary": "s", "parentCommit": 7}}\n',
]


def test_no_request_makes_a_server_error(at_personal_hub: str) -> None:
    HfApi(endpoint=at_personal_hub, token=False).create_repo("ana/fuzz", repo_type="dataset")
    rng = random.Random(0)
    with httpx.Client() as client:
        for _ in range(300):
            address = rng.choice(ADDRESSES).format(*(rng.choice(PARTS) for _ in range(4)))
            query = rng.choice(
                ["", "?limit=x", "?limit=-1&cursor=-7", "?recursive=1&expand=1", f"?cursor={10**30}"]
            )
            headers = rng.choice(
                [{}, {"Range": "bytes=9-1"}, {"Range": "x"}, {"Authorization": "Bearer a.b"}]
            )
            method = rng.choice(["GET", "HEAD", "POST", "PUT", "DELETE"])
            body = rng.choice(BODIES) if method in ("POST", "PUT", "DELETE") else None
            answer = client.request(method, at_personal_hub + address + query, content=body, headers=headers)
            assert answer.status_code < 500 or answer.status_code == 501, (method, address + query, body)


def _line(key: str, **value: object) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


def test_a_full_disk_refuses_the_commit_and_loses_nothing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "hub")
    repo = store.create("datasets", "ana/x", "ana", private=False)
    content = base64.b64encode(b"content").decode()
    commit = _line("header", summary="s") + _line("file", path="a", content=content)
    sync = os.fsync
    full = False

    def fsync(fd: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(store, {}))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/api/datasets/ana/x/commit/main", content=commit)

    before = repo.branch_head("main").id
    full = True
    answer = anyio.run(post)
    # Not a status that the client tries again, which would fill the disk again.
    assert answer.status_code == 507 and "disk is full" in answer.json()["error"]
    assert repo.branch_head("main").id == before
    assert not list(repo.temporaries.iterdir())
    full = False
    assert anyio.run(post).json()["commitOid"] == repo.branch_head("main").id != before
    store.close()


def test_xet_sessions_need_the_right_to_write_and_their_own_token(tmp_path) -> None:
    store = Store(tmp_path / "hub")
    repo = store.create("datasets", "ana/x", "ana", private=False)
    tokens = {"a": User("ana", frozenset({"ana"})), "b": User("ben", frozenset({"ben"}))}
    store.create("datasets", "ben/x", "ben", private=False)

    async def scenario() -> None:
        transport = httpx.ASGITransport(build_app(store, tokens))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:

            async def session(user: str, owner: str) -> httpx.Response:
                headers = {"Authorization": f"Bearer {user}"}
                return await client.get(f"/api/datasets/{owner}/x/xet-write-token/main", headers=headers)

            assert (await session("b", "ana")).status_code == 403
            assert (await client.get("/api/datasets/ana/x/xet-write-token/main")).status_code == 401
            mine, theirs = (await session("a", "ana")).json(), (await session("b", "ben")).json()

            async def send(address: str, token: str, path: str, content: bytes = b"") -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return (await client.post(f"{address}{path}", headers=headers, content=content)).status_code

            name = "0" * 64
            xorb = f"/v1/xorbs/default/{name}"
            chunk = bytes([0, 3, 0, 0, 0, 3, 0, 0]) + b"abc"
            assert await send(mine["casUrl"], mine["accessToken"], xorb, chunk) == 200
            assert await send(mine["casUrl"], theirs["accessToken"], xorb, chunk) == 401
            assert await send(mine["casUrl"], "a", xorb, chunk) == 401
            assert await send("http://hub/xet/none", mine["accessToken"], xorb, chunk) == 401
            assert await send(mine["casUrl"], mine["accessToken"], "/v1/xorbs/default/..%2Fx", chunk) == 400
            # A shard that claims another sha256 than its chunks have, and one that speaks of a missing xorb.
            tag = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9") + bytes(16)
            for named in (bytes(32), b"\1" * 32):
                file = struct.pack("<32sIIQ", bytes(32), 1 << 30, 1, 0) + struct.pack(
                    "<32sIIII", named, 0, 3, 0, 1
                )
                shard = tag + file + b"\7" * 32 + bytes(16) + b"\xff" * 32 + bytes(16)
                assert await send(mine["casUrl"], mine["accessToken"], "/v1/shards", shard) == 400

    anyio.run(scenario)
    assert not [path for path in repo.blobs.folder.rglob("*") if path.is_file()]
    assert not list(repo.temporaries.iterdir())
    store.close()
