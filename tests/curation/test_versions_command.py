"""Publishing version after version: what would change is told and asked, names never move, nothing is overwritten."""

import json

import pytest
from rigs.terminal import Terminal

from collector.dataset.labels import Labels
from curation import publish
from curation.card import CARD_MARK


def pushed(curate, folder, *flags):
    code, out, err = curate("publish", folder, "--repo-id", "ann/arm", "--json", *flags)
    assert code == 0, err
    return json.loads(out)


def test_what_would_change_is_told_and_nothing_is_published(arm, hub, curate):
    code, out, _ = curate("publish", "arm", "--repo-id", "ann/arm", "--dry-run")
    assert (
        code == 0
        and "ann/arm is new: 14 episodes" in out
        and not hub.repo_exists("ann/arm", repo_type="dataset")
    )
    first = pushed(curate, "arm", "--tag", "v1")
    curate("edit", "drop", "arm", "2,5", "--output", "less")
    curate("label", "less", "0", "--verdict", "keep")
    plan = json.loads(curate("publish", "less", "--repo-id", "ann/arm", "--dry-run", "--json")[1])
    assert plan["published"] is False and plan["before"] == first["commit"]
    assert plan["episodes"]["only_a"] == [2, 5] and len(plan["episodes"]["same"]) == 12
    assert plan["episodes"]["labels"] == [{"a": 0, "b": 0, "field": "verdict", "from": None, "to": "keep"}]
    code, out, _ = curate("publish", "less", "--repo-id", "ann/arm", "--dry-run")
    assert "will vanish: 2 episodes (2, 5)" in out and "labels: 1 differ" in out and "12 the same" in out
    assert hub.dataset_info("ann/arm").sha == first["commit"]
    (arm / "stray.bin").write_bytes(b"x" * 2000)
    assert "1 added (2.0 kB)" in curate("publish", "arm", "--repo-id", "ann/arm", "--dry-run")[1]


def test_a_terminal_is_asked_before_episodes_vanish(arm, hub, curate, command_env):
    first = pushed(curate, "arm")
    curate("edit", "drop", "arm", "2,5", "--output", "less")
    command = ["publish", arm.parent / "less", "--repo-id", "ann/arm"]
    for answer, code in ((b"\n", 2), (b"y\n", 0)):
        terminal = Terminal(command, command_env)
        try:
            terminal.wait_for(r"will vanish: 2 episodes \(2, 5\)")
            terminal.wait_for(r"without them\? \[y/N\]")
            terminal.type(answer)
            if code == 0:
                terminal.wait_for(rf"the version before stays: ann/arm@{first['commit'][:12]}")
            else:
                terminal.wait_for("nothing was published")
            assert terminal.process.wait(240) == code
        finally:
            terminal.close()
        assert (hub.dataset_info("ann/arm").sha == first["commit"]) == (code == 2)


def test_a_version_s_name_never_moves(arm, hub, curate, refuses):
    first = pushed(curate, "arm", "--tag", "v1")
    assert pushed(curate, "arm", "--tag", "v1")["commit"] == first["commit"]
    curate("edit", "drop", "arm", "2", "--output", "less")
    refuses(
        "publish", "less", "--repo-id", "ann/arm", "--tag", "v1", "--json",
        words=["'v1'", first["commit"][:12], "choose another name"], code=2,
    )  # fmt: skip
    assert hub.dataset_info("ann/arm").sha == first["commit"]
    second = pushed(curate, "less", "--tag", "v2")

    rows = json.loads(curate("log", "ann/arm", "--json")[1])
    assert [(row["commit"], row["episodes"], row["tags"]) for row in rows[:2]] == [
        (second["commit"], 13, ["v2", "v3.0"]),
        (first["commit"], 14, ["v1"]),
    ]
    assert all(row["episodes"] is None for row in rows[2:])  # made empty
    out = curate("log", "ann/arm@v1", "-n", "1")[1]
    assert first["commit"][:12] in out and second["commit"][:12] not in out and "Publish 14 episodes" in out

    code, out, _ = curate("diff", "ann/arm@v1", "ann/arm@v2")
    assert code == 0 and "A ann/arm@v1: 14 episodes; B ann/arm@v2: 13 episodes; the same: 13" in out
    assert "only in A: 2" in out
    found = json.loads(curate("diff", "ann/arm@v2", "arm", "--json")[1])
    assert found["only_b"] == [2] and found["only_a"] == found["labels"] == []
    refuses("diff", "ann/arm@v9", "arm", words=["v9"], code=5)
    refuses("log", "ann/nothing", words=["ann/nothing", "does not exist"], code=5)
    refuses("log", "ann/arm", "-n", "0", words=["--most is 0"], code=2)


def test_labels_that_became_columns_are_no_difference(arm, curate):
    Labels(arm).set([3], "verdict", "drop", "ann")
    Labels(arm).set([1, 4], "tags", ["wet", "slow"], "ann")
    Labels(arm).set([1], "success", False, "ann")
    curate("edit", "apply", "arm", "--output", "good")
    found = json.loads(curate("diff", "arm", "good", "--json")[1])
    assert found["only_a"] == [3] and found["labels"] == [] and len(found["same"]) == 13
    curate("label", "good", "0", "--note", "look again", "--author", "bob")
    assert "episode 0: note none -> look again" in curate("diff", "arm", "good")[1]


def test_whoever_pushed_meanwhile_is_not_overwritten(arm, hub, curate, refuses, monkeypatch):
    first = pushed(curate, "arm")
    (arm / "mine.txt").write_text("mine")
    prepare = publish.prepare

    def meanwhile(*args, **kwargs):
        prepared = prepare(*args, **kwargs)
        hub.upload_file(
            path_or_fileobj=b"theirs", path_in_repo="theirs.txt", repo_id="ann/arm", repo_type="dataset"
        )
        return prepared

    monkeypatch.setattr(publish, "prepare", meanwhile)
    refuses(
        "publish",
        "arm",
        "--repo-id",
        "ann/arm",
        "--json",
        words=["somebody else", "run the same command"],
        code=5,
    )
    monkeypatch.undo()
    files = hub.list_repo_files("ann/arm", repo_type="dataset")
    assert "theirs.txt" in files and "mine.txt" not in files
    assert hub.dataset_info("ann/arm", revision="v3.0").sha == first["commit"]


def test_what_is_not_there_as_pushed_is_said(arm, hub, curate, refuses, monkeypatch):
    def forgetful(publication, done):
        publication.plan.contents["meta/info.json"] = b"{}"
        return verify(publication, done)

    verify = publish.verify
    monkeypatch.setattr(publish, "verify", forgetful)
    refuses(
        "publish",
        "arm",
        "--repo-id",
        "ann/arm",
        "--json",
        words=["does not hold what was pushed", "meta/info.json"],
    )
    assert (
        json.loads(curate("publish", "arm", "--repo-id", "ann/arm", "--json", "--no-verify")[1])["verified"]
        is None
    )


@pytest.mark.parametrize("own", [False, True])
def test_a_pulled_set_is_published_again_with_a_card_of_its_own_state(arm, hub, curate, tmp_path, own):
    pushed(curate, "arm")
    hub.snapshot_download("ann/arm", repo_type="dataset", local_dir=tmp_path / "pulled")
    card = tmp_path / "pulled" / "README.md"
    assert CARD_MARK in card.read_text() and "Agreement of the curators" not in card.read_text()
    if own:
        card.write_text(card.read_text().replace(CARD_MARK, "ours"))
    for author, verdict in (("bob", "keep"), ("cleo", "drop")):
        curate("label", "pulled", "0-5", "--verdict", "keep", "--author", author)
        curate("label", "pulled", "6,7", "--verdict", verdict, "--author", author)
    pushed(curate, "pulled")
    text = hub.hf_hub_download("ann/arm", "README.md", repo_type="dataset", local_dir=tmp_path / "got")
    with open(text) as file:  # noqa: PTH123
        now = file.read()
    assert ("ours" in now) == own and ("| verdict | 2 | 8 | 75 % | 0.00" in now) != own


def test_a_name_that_something_else_has_is_not_overwritten_unasked(arm, hub, curate, command_env):
    hub.create_repo("ann/arm", repo_type="dataset")
    theirs = hub.upload_file(
        path_or_fileobj=b"a,b\n1,2\n", path_in_repo="years.csv", repo_id="ann/arm", repo_type="dataset"
    )
    terminal = Terminal(["publish", arm, "--repo-id", "ann/arm"], command_env)
    try:
        terminal.wait_for("no LeRobot v3.0 dataset that can be read: of its files 1 will vanish")
        terminal.wait_for(r"in the place of what ann/arm holds\? \[y/N\]")
        terminal.type(b"\n")
        terminal.wait_for("nothing was published")
        assert terminal.process.wait(240) == 2
    finally:
        terminal.close()
    assert hub.dataset_info("ann/arm").sha == theirs.oid
    pushed(curate, "arm", "--yes")
    assert not hub.file_exists("ann/arm", "years.csv", repo_type="dataset")
