"""push_mirror and pull against a real Hub: byte for byte, one commit, exact mirror, tag last."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from collector.errors import DataError, HubError
from collector.hub.client import pull, resolve_revision
from collector.hub.mirror import push_mirror

Make = Callable[[str, dict[str, bytes]], Path]


pytestmark = pytest.mark.filterwarnings("ignore:It seems that you are about to commit a data file")


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def _files(seed: int) -> dict[str, bytes]:
    rng = random.Random(seed)
    return {
        "README.md": b"---\ntags:\n- robotics\n---\n# A set\n",
        "meta/info.json": b"{}\n",
        "meta/empty.txt": b"",
        "data/chunk-000/file-000.parquet": rng.randbytes(40_000),
        "videos/top/chunk-000/file 000 é+%.mp4": rng.randbytes(700_000),
        "windows.txt": b"a\r\nb\r\n",
    }


@pytest.mark.parametrize("repo_type", ["dataset", "model"])
def test_a_folder_comes_back_byte_for_byte(at_personal_hub: str, make_folder: Make, repo_type) -> None:
    files = _files(1)
    folder = make_folder("flights", files)
    done = push_mirror(folder, f"ana/{repo_type}-roundtrip", repo_type, message="first", tag="v3.0")
    assert (done.n_added, done.n_deleted, done.n_unchanged) == (len(files), 0, 0)
    for revision in ("v3.0", "main", None, done.commit):
        assert _contents(pull(done.repo_id, repo_type, revision)) == files
    assert resolve_revision(done.repo_id, repo_type, "v3.0") == done.commit
    commits = HfApi(endpoint=at_personal_hub).list_repo_commits(done.repo_id, repo_type=repo_type)
    assert [commit.title for commit in commits] == ["first", "initial commit"]
    # Nothing but datasets and models share a name.
    with pytest.raises(HubError, match="does not exist"):
        pull(done.repo_id, "model" if repo_type == "dataset" else "dataset")


def test_a_push_is_a_mirror_in_one_commit_and_the_tag_follows(
    at_personal_hub: str, make_folder: Make
) -> None:
    files = _files(2)
    first = push_mirror(make_folder("one", files), "ana/mirror", tag="v3.0")
    changed = {
        "meta/info.json": b'{"changed": 1}\n',
        "data/chunk-000/file-000.parquet": files["data/chunk-000/file-000.parquet"],
        # A file became a folder, and the large file is gone.
        "windows.txt/now/a/folder.txt": b"x",
        "README.md": files["README.md"],
    }
    second = push_mirror(make_folder("two", changed), "ana/mirror", tag="v3.0")
    assert (second.n_added, second.n_deleted, second.n_unchanged) == (2, 3, 2)
    api = HfApi(endpoint=at_personal_hub)
    assert set(api.list_repo_files("ana/mirror", repo_type="dataset")) == set(changed)
    assert len(api.list_repo_commits("ana/mirror", repo_type="dataset")) == 3
    assert _contents(pull("ana/mirror", revision="v3.0")) == changed
    # The old state is still there for who pinned its commit.
    assert _contents(pull("ana/mirror", revision=first.commit)) == files


def test_pushing_the_same_again_makes_no_commit(at_personal_hub: str, make_folder: Make) -> None:
    folder = make_folder("same", _files(3))
    first = push_mirror(folder, "ana/same", tag="v3.0")
    again = push_mirror(folder, "ana/same", tag="v3.0")
    assert (again.commit, again.n_added, again.n_deleted, again.changed) == (first.commit, 0, 0, False)
    assert len(HfApi(endpoint=at_personal_hub).list_repo_commits("ana/same", repo_type="dataset")) == 2


def test_a_tag_that_was_lost_is_set_by_pushing_again(at_personal_hub: str, make_folder: Make) -> None:
    folder = make_folder("tag", _files(4))
    done = push_mirror(folder, "ana/tag", tag="v3.0")
    HfApi(endpoint=at_personal_hub).delete_tag("ana/tag", tag="v3.0", repo_type="dataset")
    with pytest.raises(HubError, match=r"no revision 'v3\.0'"):
        pull("ana/tag", revision="v3.0")
    push_mirror(folder, "ana/tag", tag="v3.0")
    assert resolve_revision("ana/tag", revision="v3.0") == done.commit


def test_hidden_and_unfinished_files_stay_at_home(at_personal_hub: str, make_folder: Make) -> None:
    kept = {"meta/info.json": b"{}", "curation/labels.jsonl": b"{}\n"}
    left = [
        ".journal/000/columns.arrow",
        ".cache/huggingface/x",
        "data/.hidden",
        "data/file.parquet.tmp",
        "videos/a.mp4.part",
        "__pycache__/x.pyc",
        "curation/own/draft.txt",
    ]
    folder = make_folder("tidy", kept | dict.fromkeys(left, b"x"))
    push_mirror(folder, "ana/tidy", ignore=["curation/own/*"])
    assert _contents(pull("ana/tidy")) == kept


def test_a_card_is_written_where_the_folder_has_none(at_personal_hub: str, make_folder: Make) -> None:
    bare = make_folder("bare", {"model.safetensors": b"0" * 300_000})
    card = "---\nlibrary_name: lerobot\ntags: [a, b]\n---\nPolicy\n"
    done = push_mirror(bare, "ana/bare", "model", card=card)
    assert (pull("ana/bare", "model") / "README.md").read_text() == card
    assert not (bare / "README.md").exists()
    assert push_mirror(bare, "ana/bare", "model", card=card).commit == done.commit
    info = HfApi(endpoint=at_personal_hub).model_info("ana/bare")
    assert (info.library_name, info.tags) == ("lerobot", ["a", "b"])
    own = make_folder("own", {"README.md": b"mine\n"})
    push_mirror(own, "ana/own", card=card)
    assert (pull("ana/own") / "README.md").read_bytes() == b"mine\n"


def test_pulling_some_files_only(at_personal_hub: str, make_folder: Make) -> None:
    push_mirror(make_folder("part", _files(5)), "ana/part")
    assert set(_contents(pull("ana/part", allow_patterns=["meta/*"]))) == {"meta/info.json", "meta/empty.txt"}


def test_what_was_pulled_by_commit_needs_no_hub(
    at_personal_hub: str, make_folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = push_mirror(make_folder("offline", {"a.txt": b"a"}), "ana/offline")
    folder = pull("ana/offline", revision=done.commit)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert pull("ana/offline", revision=done.commit) == folder


def test_wrong_input_is_one_line_that_says_what_to_do(
    at_personal_hub: str, make_folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder("ok", {"a.txt": b"a"})
    push_mirror(folder, "ana/errors")

    def complaint(kind: type[Exception], function: Callable, *args, **kwargs) -> str:
        with pytest.raises(kind) as caught:
            function(*args, **kwargs)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "does not exist" in complaint(HubError, pull, "ana/nowhere")
    assert "no revision 'v9'" in complaint(HubError, pull, "ana/errors", revision="v9")
    assert "no revision 'v9'" in complaint(HubError, resolve_revision, "ana/errors", revision="v9")
    assert "NAMESPACE/NAME" in complaint(HubError, pull, "not a name")
    assert "NAMESPACE/NAME" in complaint(HubError, push_mirror, folder, "a/b/c")
    assert "reserved" in complaint(HubError, push_mirror, folder, "datasets/mine")
    assert "does not exist" in complaint(DataError, push_mirror, tmp_path / "gone", "ana/errors")
    (tmp_path / "hollow" / ".journal").mkdir(parents=True)
    assert "nothing to publish" in complaint(DataError, push_mirror, tmp_path / "hollow", "ana/errors")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for call in (lambda: pull("ana/errors"), lambda: push_mirror(folder, "ana/x")):
        message = complaint(HubError, call)
        assert "http://127.0.0.1:9" in message and "demodeck hub serve" in message
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    assert "HF_ENDPOINT is 'nonsense'" in complaint(HubError, pull, "ana/errors")
