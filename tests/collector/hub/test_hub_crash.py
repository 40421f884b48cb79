"""`kill -9` at any moment: what was committed stays whole, what was not leaves nothing behind."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import logging
import threading
import time
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from collector.errors import HubError
from collector.hub import repository
from collector.hub.connection import connect, without_xet
from collector.hub.mirror import plan_mirror, push_plan
from collector.hub.names import Refusal
from collector.hub.repository import Delete, FileEntry, Put, Repository
from collector.hub.store import Store


def _put(repo: Repository, path: str, content: bytes) -> Put:
    with repo.blobs.batch() as batch:
        sha256 = batch.add(content)
        batch.seal()
    return Put(path, FileEntry(sha256, len(content), "0" * 40, lfs=False))


def _check(repo: Repository) -> list[str]:
    """Read every commit of every branch in full; return the titles on main."""
    for commit_id in repo.refs("heads").values():
        for commit in repo.history(repo.resolve(commit_id)):
            for entry in repo.tree(commit).values():
                assert hashlib.sha256(repo.blobs.path(entry.sha256).read_bytes()).hexdigest() == entry.sha256
    return [commit.title for commit in repo.history(repo.branch_head("main"))]


def test_killed_during_an_upload_it_still_serves_its_last_commit(tmp_path: Path, start_hub) -> None:
    hub = start_hub(tmp_path / "hub")
    api = HfApi(endpoint=hub.address)
    api.create_repo("ana/set", repo_type="dataset")
    first = api.upload_file(
        path_or_fileobj=b"1", path_in_repo="a", repo_id="ana/set", repo_type="dataset"
    ).oid
    big = hashlib.shake_128(b"big").digest(3_000_000)
    body = {"operation": "upload", "objects": [{"oid": hashlib.sha256(big).hexdigest(), "size": len(big)}]}
    answer = httpx.post(f"{hub.address}/datasets/ana/set.git/info/lfs/objects/batch", json=body).json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    incoming = tmp_path / "hub" / "datasets" / "ana" / "set" / "tmp"

    def half_then_kill():
        yield big[: len(big) // 2]
        deadline = time.monotonic() + 240
        while not any(path.stat().st_size for path in incoming.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        hub.kill()
        yield big[len(big) // 2 :]

    with pytest.raises(httpx.HTTPError):
        httpx.put(href, content=half_then_kill())
    assert list(incoming.iterdir())

    hub = start_hub(tmp_path / "hub")
    assert not list(incoming.iterdir())
    api = HfApi(endpoint=hub.address)
    assert api.dataset_info("ana/set").sha == first
    assert httpx.get(f"{hub.address}/datasets/ana/set/resolve/main/a").content == b"1"
    with without_xet(api):
        api.upload_file(path_or_fileobj=big, path_in_repo="b", repo_id="ana/set", repo_type="dataset")
    assert httpx.get(f"{hub.address}/datasets/ana/set/resolve/main/b").content == big


def test_a_push_that_is_cut_says_to_run_it_again(
    tmp_path: Path, start_hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = start_hub(tmp_path / "hub")
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_text("a")
    plan = plan_mirror(tmp_path / "set", "ana/set")
    hub.kill()
    with pytest.raises(
        HubError, match=r"no Hub answers at .* run the same command again, and what has arrived"
    ):
        push_plan(plan)
    hub = start_hub(tmp_path / "hub")
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    assert push_plan(plan).n_added == 1


def test_what_is_tried_again_is_told_without_its_signed_address() -> None:
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("huggingface_hub.utils._http")
    logger.addHandler(handler)
    try:
        with connect():
            logger.warning("'refused' thrown while requesting PUT http://127.0.0.1:1/api/upload/7b2e.f8c0")
            logger.warning("Retrying in 1s [Retry 1/5].")
    finally:
        logger.removeHandler(handler)
    assert told == ["'refused' in answer to a PUT", "Retrying in 1s [Retry 1/5]."]


def test_killed_during_a_row_of_commits_every_one_is_whole(tmp_path: Path, start_hub) -> None:
    hub = start_hub(tmp_path / "hub")
    HfApi(endpoint=hub.address).create_repo("ana/row")
    done: list[str] = []

    def push() -> None:
        for index in itertools.count():
            lines: list[dict] = [{"key": "header", "value": {"summary": str(index)}}]
            for k in range(3):
                content = base64.b64encode(f"{index} {k}".encode()).decode()
                lines.append({"key": "file", "value": {"path": f"{index}/{k}.txt", "content": content}})
            body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            try:
                assert (
                    httpx.post(f"{hub.address}/api/models/ana/row/commit/main", content=body).status_code
                    == 200
                )
            except httpx.HTTPError:
                return
            done.append(str(index))

    pusher = threading.Thread(target=push)
    pusher.start()
    while len(done) < 5 and pusher.is_alive():
        time.sleep(0.005)
    hub.kill()
    pusher.join(timeout=240)
    store = Store(tmp_path / "hub")
    repo = store.find("models", "ana/row")
    assert repo is not None
    titles = _check(repo)[:-1][::-1]
    # At most the one commit whose answer was lost is there in addition.
    assert titles[: len(done)] == done and len(titles) <= len(done) + 1
    store.close()


def test_a_crash_at_any_write_of_a_commit_shows_the_old_state_or_the_new(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path / "hub")
    repo = store.create("datasets", "ana/x", "ana", private=False)
    real = repository.write_atomically
    for step in range(3):
        old = repo.commit("main", [_put(repo, "a", b"old %d" % step)], author="ana", title=f"old {step}")
        calls = itertools.count()

        def crash(*args, calls=calls, step=step) -> None:
            if next(calls) == step:
                raise KeyboardInterrupt
            real(*args)

        monkeypatch.setattr(repository, "write_atomically", crash)
        with pytest.raises(KeyboardInterrupt):
            repo.commit("main", [_put(repo, "a", b"new %d" % step)], author="ana", title="new")
        monkeypatch.setattr(repository, "write_atomically", real)
        fresh = Repository(repo.folder, "datasets", "ana/x")
        assert fresh.branch_head("main").id == old.id
        assert _check(fresh)[0] == f"old {step}"
    store.close()


def test_of_many_at_once_with_one_parent_exactly_one_wins(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    repo = store.create("datasets", "ana/x", "ana", private=False)
    parent = repo.branch_head("main").id
    outcomes: list[int] = []

    def commit(index: int) -> None:
        try:
            repo.commit(
                "main", [_put(repo, "a", b"%d" % index)], author="ana", title=str(index), parent=parent
            )
            outcomes.append(200)
        except Refusal as refusal:
            outcomes.append(refusal.status)

    threads = [threading.Thread(target=commit, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [200] + [412] * 7
    assert len(_check(repo)) == 2
    # Without a parent all of them go in, one after the other.
    for index in range(3):
        repo.commit("main", [_put(repo, f"f{index}", b"x")], author="ana", title="more")
    assert len(_check(repo)) == 5
    assert set(repo.tree(repo.branch_head("main"))) == {"a", "f0", "f1", "f2"}
    repo.commit("main", [Delete("a"), Delete("f0")], author="ana", title="less")
    assert set(repo.tree(repo.branch_head("main"))) == {"f1", "f2"}
    store.close()


def test_half_made_and_half_deleted_repositories_are_swept(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    repo = store.create("datasets", "ana/kept", "ana", private=False)
    store.close()
    Repository.lay_out(tmp_path / "hub" / "tmp" / "half", "datasets", "ana/half", "ana", private=False)
    (repo.folder / "tmp" / "x.tmp").write_bytes(b"x")
    store = Store(tmp_path / "hub")
    assert [found.id for found in store.repositories()] == ["ana/kept"]
    assert not list((tmp_path / "hub" / "tmp").iterdir()) and not list(repo.temporaries.iterdir())
    store.close()
