"""What `huggingface_hub` and plain HTTP ask of the Hub, beyond pushing and pulling."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import httpx
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import paginate

from collector.hub.connection import without_xet


@pytest.fixture
def api(at_personal_hub: str) -> HfApi:
    return HfApi(endpoint=at_personal_hub, token="any token will do")


def _repo(api: HfApi, name: str, **files: bytes) -> str:
    repo_id = api.create_repo(f"ana/{name}", repo_type="dataset").repo_id
    if files:
        operations = [CommitOperationAdd(path.replace("__", "/"), content) for path, content in files.items()]
        api.create_commit(repo_id, operations, commit_message="files", repo_type="dataset")
    return repo_id


def test_create_delete_settings_and_lists(api: HfApi) -> None:
    repo_id = _repo(api, "life")
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_repo(repo_id, repo_type="dataset")
    assert caught.value.response.status_code == 409
    assert api.create_repo(repo_id, repo_type="dataset", exist_ok=True).repo_id == repo_id
    assert api.repo_exists(repo_id, repo_type="dataset") and not api.repo_exists(repo_id)
    assert [info.id for info in api.list_datasets(author="ana", search="LIFE")] == [repo_id]
    assert list(api.list_models(author="ana", search="life")) == []
    api.update_repo_settings(repo_id, repo_type="dataset", private=True)
    assert api.dataset_info(repo_id).private is True
    api.delete_repo(repo_id, repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(repo_id)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo_id, repo_type="dataset")
    api.create_repo(repo_id, repo_type="dataset")
    assert api.list_repo_files(repo_id, repo_type="dataset") == []
    with pytest.raises(BadRequestError):
        api.create_repo("ana/app", repo_type="space", space_sdk="static")
    assert api.whoami()["name"] == "local"


def test_a_name_without_namespace_belongs_to_the_user(api: HfApi) -> None:
    assert api.create_repo("mine").repo_id == "local/mine"


def test_branches_tags_and_commits(api: HfApi) -> None:
    repo_id = _repo(api, "refs", a=b"1")
    first = api.dataset_info(repo_id).sha
    api.create_branch(repo_id, branch="work/one", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"2", path_in_repo="a", repo_id=repo_id, repo_type="dataset", revision="work/one"
    )
    api.create_tag(repo_id, tag="t", revision="work/one", repo_type="dataset")
    refs = api.list_repo_refs(repo_id, repo_type="dataset")
    second = api.dataset_info(repo_id, revision="work/one").sha
    assert {branch.name: branch.target_commit for branch in refs.branches} == {
        "main": first,
        "work/one": second,
    }
    assert [(tag.ref, tag.target_commit) for tag in refs.tags] == [("refs/tags/t", second)]
    for revision, content in {
        "main": b"1",
        "work/one": b"2",
        "t": b"2",
        second: b"2",
        second[:9]: b"2",
    }.items():
        url = f"{api.endpoint}/datasets/{repo_id}/resolve/{revision.replace('/', '%2F')}/a"
        assert httpx.get(url).content == content
    with pytest.raises(HfHubHTTPError):
        api.create_tag(repo_id, tag="t", repo_type="dataset")
    with pytest.raises(HfHubHTTPError):
        api.create_branch(repo_id, branch="work/one", repo_type="dataset")
    with pytest.raises(HfHubHTTPError):
        api.delete_branch(repo_id, branch="main", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.create_commit(
            repo_id,
            [CommitOperationAdd("b", b"b")],
            commit_message="again",
            repo_type="dataset",
            revision="t",
        )
    api.delete_tag(repo_id, tag="t", repo_type="dataset")
    api.delete_branch(repo_id, branch="work/one", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo_id, tag="t", repo_type="dataset")
    titles = [commit.title for commit in api.list_repo_commits(repo_id, repo_type="dataset")]
    assert titles == ["files", "initial commit"]
    commit = api.list_repo_commits(repo_id, repo_type="dataset")[0]
    assert (commit.commit_id, commit.authors) == (first, ["local"])


def test_a_stale_parent_is_refused_and_leaves_no_trace(api: HfApi) -> None:
    repo_id = _repo(api, "race", a=b"1")
    seen = api.dataset_info(repo_id).sha

    def commit(content: bytes) -> None:
        operations = [CommitOperationAdd("a", content)]
        api.create_commit(
            repo_id, operations, commit_message="again", repo_type="dataset", parent_commit=seen
        )

    commit(b"2")
    with pytest.raises(HfHubHTTPError) as caught:
        commit(b"3")
    assert caught.value.response.status_code == 412
    assert httpx.get(f"{api.endpoint}/datasets/{repo_id}/resolve/main/a").content == b"2"


def test_files_folders_and_pages(api: HfApi) -> None:
    names = {f"d__{index:02}.txt": b"%d" % index for index in range(7)}
    repo_id = _repo(api, "tree", top=b"x", d__e__deep=b"y", **names)
    everything = {item.path for item in api.list_repo_tree(repo_id, repo_type="dataset", recursive=True)}
    assert everything == {"top", "d", "d/e", "d/e/deep", *(name.replace("__", "/") for name in names)}
    assert {item.path for item in api.list_repo_tree(repo_id, repo_type="dataset")} == {"top", "d"}
    inside = api.list_repo_tree(repo_id, "d/e", repo_type="dataset", expand=True)
    assert [(item.path, item.last_commit.title) for item in inside] == [("d/e/deep", "files")]
    address = f"{api.endpoint}/api/datasets/{repo_id}/tree/main"
    assert len(httpx.get(address, params={"recursive": True, "limit": 3}).json()) == 3
    paged = paginate(address, params={"recursive": True, "limit": 3}, headers={})
    assert [item["path"] for item in paged] == sorted(everything)
    info = api.get_paths_info(repo_id, ["top", "d/e", "missing"], repo_type="dataset")
    assert [item.path for item in info] == ["top", "d/e"]
    assert api.file_exists(repo_id, "top", repo_type="dataset")
    assert not api.file_exists(repo_id, "missing", repo_type="dataset")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo_id, "missing", repo_type="dataset"))
    sizes = {file.rfilename: file.size for file in api.dataset_info(repo_id, files_metadata=True).siblings}
    assert sizes["d/06.txt"] == 1
    api.delete_file("top", repo_id, repo_type="dataset")
    api.delete_folder("d", repo_id, repo_type="dataset")
    assert api.list_repo_files(repo_id, repo_type="dataset") == []
    with pytest.raises(EntryNotFoundError):
        api.delete_file("top", repo_id, repo_type="dataset")


def test_a_large_file_ranges_and_etags(api: HfApi, tmp_path) -> None:
    content = hashlib.shake_128(b"seed").digest(20_000_000)
    repo_id = _repo(api, "large")
    with without_xet(api):
        api.upload_file(
            path_or_fileobj=content, path_in_repo="v/big.mp4", repo_id=repo_id, repo_type="dataset"
        )
    url = f"{api.endpoint}/datasets/{repo_id}/resolve/main/v/big.mp4"
    head = httpx.head(url)
    sha256 = hashlib.sha256(content).hexdigest()
    assert head.headers["X-Linked-Etag"] == head.headers["ETag"] == f'"{sha256}"'
    assert head.headers["X-Linked-Size"] == head.headers["Content-Length"] == "20000000"
    assert head.headers["X-Repo-Commit"] == api.dataset_info(repo_id).sha
    part = httpx.get(url, headers={"Range": "bytes=19999990-"})
    assert (part.status_code, part.content) == (206, content[-10:])
    assert httpx.get(url, headers={"Range": "bytes=5-9"}).content == content[5:10]
    assert httpx.get(url, headers={"Range": "bytes=30000000-"}).status_code == 416
    unchanged = httpx.get(url, headers={"If-None-Match": f'"{sha256}"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    path = hf_hub_download(
        repo_id, "v/big.mp4", repo_type="dataset", endpoint=api.endpoint, cache_dir=tmp_path / "cache"
    )
    assert Path(path).read_bytes() == content
    blob = api.get_paths_info(repo_id, ["v/big.mp4"], repo_type="dataset")[0]
    assert blob.lfs.sha256 == sha256


def test_snapshots_at_a_tag_and_at_a_commit(api: HfApi, tmp_path) -> None:
    repo_id = _repo(api, "pins", a=b"old")
    api.create_tag(repo_id, tag="v1", repo_type="dataset")
    old = api.dataset_info(repo_id).sha
    operations = [CommitOperationDelete("a"), CommitOperationAdd("b", b"new")]
    api.create_commit(repo_id, operations, commit_message="again", repo_type="dataset")
    for revision, files in {"v1": ["a"], old: ["a"], "main": ["b"]}.items():
        folder = snapshot_download(
            repo_id,
            repo_type="dataset",
            revision=revision,
            endpoint=api.endpoint,
            cache_dir=tmp_path / revision,
        )
        assert sorted(entry.name for entry in Path(folder).iterdir()) == files


def _commit(api: HfApi, repo_id: str, *lines: dict, **params: str) -> httpx.Response:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return httpx.post(f"{api.endpoint}/api/datasets/{repo_id}/commit/main", content=body, params=params)


_HEADER = {"key": "header", "value": {"summary": "s"}}


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "a/../../out",
        "/etc/passwd",
        "a//b",
        "",
        ".",
        "..",
        "a/.git/config",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "x" * 300,
    ],
)
def test_no_path_leads_out_of_a_repository(api: HfApi, path: str) -> None:
    repo_id = api.create_repo("ana/paths", repo_type="dataset", exist_ok=True).repo_id
    before = api.dataset_info(repo_id).sha
    value = {"path": path, "content": base64.b64encode(b"x").decode(), "encoding": "base64"}
    assert _commit(api, repo_id, _HEADER, {"key": "file", "value": value}).status_code == 400
    assert api.dataset_info(repo_id).sha == before


def test_addresses_that_climb_find_nothing(api: HfApi, personal_hub) -> None:
    repo_id = _repo(api, "climb", a=b"1")
    up = "..%2F..%2F..%2F..%2F"
    for path in (
        f"/datasets/{repo_id}/resolve/main/{up}demodeck-hub.json",
        f"/datasets/{repo_id}/resolve/{up}refs%2Fheads%2Fmain/a",
        f"/datasets/{repo_id}/resolve/..%2Fheads%2Fmain/a",
        f"/datasets/{up}/climb/resolve/main/a",
        f"/api/datasets/%2e%2e/{up}",
        f"/api/datasets/{repo_id}/tree/main/{up}",
    ):
        assert httpx.get(personal_hub.address + path).status_code == 404, path
    for name in ("..", "../x", "a/b", ".hidden", "a--b", "x.git", "", "a" * 97):
        body = {"name": name, "organization": "ana", "type": "dataset"}
        assert httpx.post(f"{personal_hub.address}/api/repos/create", json=body).status_code == 400, name
    for tag in ("../../repo.json", "a..b", "", "refs/heads/main", "x" * 300, "0" * 40):
        answer = httpx.post(f"{personal_hub.address}/api/datasets/{repo_id}/tag/main", json={"tag": tag})
        assert answer.status_code == 400, tag


def test_rubbish_is_refused_without_a_server_error(api: HfApi) -> None:
    repo_id = _repo(api, "rubbish", a=b"1")
    before = api.dataset_info(repo_id).sha
    deletion = {"key": "deletedFile", "value": {"path": "nothing"}}
    file = {"key": "file", "value": {"path": "a/b", "content": "eA==", "encoding": "base64"}}
    oid = {"key": "lfsFile", "value": {"path": "x", "algo": "sha256", "oid": "0" * 64, "size": 5}}
    assert _commit(api, repo_id, _HEADER, deletion).status_code == 404
    assert "file and a folder" in _commit(api, repo_id, _HEADER, file).json()["error"]
    assert "has not been uploaded" in _commit(api, repo_id, _HEADER, oid).json()["error"]
    assert _commit(api, repo_id, deletion).status_code in (400, 404)
    assert _commit(api, repo_id, _HEADER, {"key": "what", "value": {"path": "x"}}).status_code == 400
    assert (
        _commit(api, repo_id, _HEADER, {"key": "file", "value": {"path": "x", "content": "?"}}).status_code
        == 400
    )
    assert _commit(api, repo_id, _HEADER, file, create_pr="1").status_code == 501
    a = f"{api.endpoint}/api/datasets/{repo_id}"
    for method, url, content in (
        ("POST", f"{a}/commit/main", b"not json\n"),
        ("POST", f"{a}/commit/main", b""),
        ("POST", f"{a}/preupload/main", b"[]"),
        ("POST", f"{a}/preupload/main", b'{"files": [{"path": 3}]}'),
        ("POST", f"{a}/tag/main", b"\xff\xfe"),
        ("PUT", f"{a}/settings", b'{"visibility": "odd"}'),
        ("POST", f"{api.endpoint}/datasets/{repo_id}.git/info/lfs/objects/batch", b'{"operation": "upload"}'),
        ("POST", f"{api.endpoint}/api/repos/create", b"{}"),
    ):
        answer = httpx.request(method, url, content=content)
        assert answer.status_code == 400 and answer.json()["error"], (url, answer.text)
    assert httpx.put(f"{api.endpoint}/api/upload/forged.ticket", content=b"x").status_code == 401
    assert api.dataset_info(repo_id).sha == before


def test_a_damaged_upload_is_not_kept(api: HfApi, personal_hub) -> None:
    repo_id = _repo(api, "damaged")
    content = b"z" * 1000
    oid = hashlib.sha256(content).hexdigest()
    batch = f"{api.endpoint}/datasets/{repo_id}.git/info/lfs/objects/batch"
    body = {"operation": "upload", "objects": [{"oid": oid, "size": 1000}]}
    href = httpx.post(batch, json=body).json()["objects"][0]["actions"]["upload"]["href"]
    assert httpx.put(href, content=b"y" * 1000).status_code == 400
    assert httpx.put(href, content=content + b"more").status_code == 413
    folder = personal_hub.root / "datasets" / repo_id
    assert not [path for path in (folder / "blobs").rglob("*") if path.is_file()]
    assert not list((folder / "tmp").iterdir())
    assert httpx.put(href, content=content).status_code == 200
    assert "actions" not in httpx.post(batch, json=body).json()["objects"][0]


def test_web_pages_cannot_use_a_hub_without_tokens(api: HfApi) -> None:
    body = {"name": "evil", "organization": "ana", "type": "dataset"}
    url = f"{api.endpoint}/api/repos/create"
    assert httpx.post(url, json=body, headers={"Origin": "https://example.org"}).status_code == 403
    assert httpx.post(url, json=body, headers={"Host": "example.org"}).status_code == 403
    page = _repo(api, "page", **{"index.html": b"<script>alert(1)</script>"})
    headers = httpx.get(f"{api.endpoint}/datasets/{page}/resolve/main/index.html").headers
    assert "sandbox" in headers["Content-Security-Policy"] and headers["Content-Type"].startswith(
        "text/plain"
    )
