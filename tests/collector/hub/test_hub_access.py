"""Tokens: who reads, who writes, and what the others are told."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import hf_raise_for_status

from collector.errors import HubError, UsageError
from collector.hub.access import Gate, User, is_loopback, parse_token
from collector.hub.client import pull
from collector.hub.connection import hub_errors
from collector.hub.mirror import push_mirror
from collector.hub.names import Refusal


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, start_hub):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "tokens").write_text("# the lab\nana:a-token:lab\n\nben:b-token:lab\n")
    return start_hub(folder / "hub", "--token-file", str(folder / "tokens"), "--token", "eve:e-token")


def _status(function, *args, **kwargs) -> int:
    with pytest.raises(HfHubHTTPError) as caught:
        function(*args, **kwargs)
    return caught.value.response.status_code


def test_private_public_and_granted(lab, tmp_path: Path) -> None:
    ana, ben, eve, nobody = (
        HfApi(endpoint=lab.address, token=token) for token in ("a-token", "b-token", "e-token", False)
    )
    secret, shared, public = "ana/secret", "lab/shared", "ana/public"
    for repo_id, private in ((secret, True), (shared, True), (public, False)):
        ana.create_repo(repo_id, repo_type="dataset", private=private)
        ana.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo_id, repo_type="dataset")

    # Reading.
    assert ana.file_exists(secret, "a", repo_type="dataset")
    assert ben.file_exists(shared, "a", repo_type="dataset")
    for api in (ben, eve, nobody):
        assert api.file_exists(public, "a", repo_type="dataset")
        with pytest.raises(RepositoryNotFoundError):
            api.dataset_info(secret)
    assert _status(nobody.dataset_info, secret) == 401
    assert _status(ben.dataset_info, secret) == 404
    # One cannot tell a private repository from none.
    assert _status(nobody.dataset_info, "ana/nothing") == 401
    assert _status(ben.dataset_info, "ana/nothing") == 404
    url = f"{lab.address}/datasets/{secret}/resolve/main/a"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer b-token"}).status_code == 404
    assert httpx.get(url, headers={"Authorization": "Bearer a-token"}).content == b"x"
    assert {info.id for info in nobody.list_datasets()} == {public}
    assert {info.id for info in ben.list_datasets()} == {public, shared}

    # Writing.
    def write(api: HfApi, repo_id: str) -> object:
        return api.upload_file(path_or_fileobj=b"y", path_in_repo="b", repo_id=repo_id, repo_type="dataset")

    write(ben, shared)
    assert _status(write, ben, public) == 403
    assert _status(write, nobody, public) == 401
    assert _status(write, eve, shared) == 404
    assert _status(eve.create_repo, "lab/mine") == 403
    assert _status(nobody.create_repo, "ana/mine") == 401
    assert _status(ben.delete_repo, public, repo_type="dataset") == 403
    assert _status(ben.update_repo_settings, public, repo_type="dataset", private=True) == 403
    assert _status(ben.create_tag, public, tag="t", repo_type="dataset") == 403
    assert _status(nobody.delete_branch, public, branch="main", repo_type="dataset") == 401

    # Names.
    assert ana.whoami()["name"] == "ana" and ana.whoami()["orgs"][0]["name"] == "lab"
    assert _status(HfApi(endpoint=lab.address, token="wrong").whoami) == 401
    assert _status(HfApi(endpoint=lab.address, token="wrong").dataset_info, public) == 401


def test_our_client_says_what_is_missing(lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", lab.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_text("a")

    def complaint(function, *args) -> str:
        with pytest.raises(HubError) as caught:
            function(*args)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    monkeypatch.setenv("HF_TOKEN", "a-token")
    done = push_mirror(tmp_path / "set", "ana/mine", private=True)
    monkeypatch.setenv("HF_TOKEN", "b-token")
    assert "may not write to the namespace 'ana'" in complaint(push_mirror, tmp_path / "set", "ana/theirs")
    assert "does not exist" in complaint(pull, "ana/mine")
    monkeypatch.setenv("HF_TOKEN", "unknown")
    assert "refused the token" in complaint(pull, "ana/mine")
    monkeypatch.delenv("HF_TOKEN")
    assert "HF_TOKEN" in complaint(pull, "ana/mine")
    said = complaint(push_mirror, tmp_path / "set", "ana/new")
    assert "publishing" in said and "needs a login" in said and "HF_TOKEN" in said
    monkeypatch.setenv("HF_TOKEN", "a-token")
    assert pull("ana/mine").name == done.commit
    push_mirror(tmp_path / "set", "ana/mine", private=False)
    monkeypatch.setenv("HF_TOKEN", "b-token")
    assert pull("ana/mine").name == done.commit


def test_a_gated_repository_says_how_to_get_in() -> None:
    request = httpx.Request("GET", "http://127.0.0.1:1/datasets/ana/set/resolve/main/a")
    answer = httpx.Response(403, headers={"X-Error-Code": "GatedRepo"}, request=request)
    with (
        pytest.raises(HubError, match=r"dataset ana/set is gated .* ask for access on its page"),
        hub_errors("dataset ana/set"),
    ):
        hf_raise_for_status(answer)


def test_signed_claims_cannot_be_changed_or_kept() -> None:
    gate = Gate({}, b"key")
    ticket = gate.sign({"repo": "ana/x"}, 60)
    assert gate.claim(ticket)["repo"] == "ana/x"
    body, _, seal = ticket.partition(".")
    forged = body.replace(b"ana/x".hex(), b"ben/x".hex())
    for wrong in (f"{forged}.{seal}", body, f"{body}.", "", "rubbish", Gate({}, b"other").sign({}, 60)):
        with pytest.raises(Refusal):
            gate.claim(wrong)
    with pytest.raises(Refusal):
        gate.claim(gate.sign({}, -1))


def test_tokens_are_parsed_strictly() -> None:
    assert parse_token("ana:s3cret:lab,open") == ("s3cret", User("ana", frozenset({"ana", "lab", "open"})))
    for wrong in ("", "ana", "ana:", ":x", "a b:x", "ana:with space", "datasets:x", "ana:x:bad/ns"):
        with pytest.raises(UsageError):
            parse_token(wrong)


def test_loopback_is_recognised() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.5.5.5", "localhost", "::1", "[::1]"))
    assert not any(
        is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "", "127.0.0.1.nip.io")
    )
