"""`demodeck review` without a terminal: the list in its order with reasons, for people and machines; and refusals."""

import json

import pytest

from collector.dataset.labels import Labels
from curation.ledger import check_writable


@pytest.fixture
def listed(curate):
    """Return what `demodeck review arm ARGS --json` prints."""

    def run(*args):
        code, out, err = curate("review", "arm", *args, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


def test_the_list_begins_with_faults_then_disputes_then_ranks_and_ends_with_what_was_seen(
    arm, curate, listed
):
    assert listed()["queue"][0]["need"] == "none" and not listed()["scored"]
    curate("score", "arm", "--rank")
    curate("label", "arm", "0", "--verdict", "keep", "--author", "bob")
    curate("label", "arm", "0", "--verdict", "drop", "--author", "cleo")
    curate("label", "arm", "1,11", "--verdict", "keep")
    found = listed()
    needs = [row["need"] for row in found["queue"]]
    assert [n for n, before in zip(needs, [None, *needs]) if n != before] == [
        "fault", "dispute", "warning", "rank", "seen",
    ]  # fmt: skip
    by_need = {need: [r["episode_index"] for r in found["queue"] if r["need"] == need] for need in set(needs)}
    assert (
        sorted(by_need["fault"]) == [3, 7] and by_need["dispute"] == [0] and set(by_need["seen"]) == {1, 11}
    )
    reasons = {row["episode_index"]: row["reason"] for row in found["queue"]}
    assert reasons[0] == "verdict: bob keep, cleo drop"
    assert reasons[3].startswith("glitch: spike") and reasons[by_need["rank"][0]].startswith("rank ")
    counts = found["counts"]
    assert (counts["kept"], counts["dropped"], counts["unseen"], counts["disputed"]) == (2, 1, 12, 1)
    code, out, err = curate("review", "arm", "--list")
    assert code == 0 and "14 of 14 episodes" in err and "verdict: bob keep, cleo drop" in out


def test_a_condition_says_what_training_would_see(arm, listed, curate, refuses):
    some = listed("--where", "episode_index < 3")
    lengths = json.loads(curate("query", "arm", "episode_index < 3", "--columns", "length", "--json")[1])
    assert some["counts"]["chosen"] == 3
    assert some["counts"]["frames"] == sum(row["length"] for row in lengths)
    assert listed("--where", "length > 99999")["queue"] == []
    refuses("review", "arm", "--json", "--where", "lenght > 3", words=["lenght"], code=2)


def test_a_blind_sample_is_gone_on_with_until_it_is_judged(arm, curate, listed, refuses):
    refuses("review", "arm", "--blind", "--json", words=["one other person"], code=2)
    curate("label", "arm", "0-7", "--verdict", "keep", "--author", "bob")
    found = listed("--blind", "--draw", "4")
    assert found["counts"] is None, "how many others kept would tell"
    drawn = [row["episode_index"] for row in found["queue"]]
    assert len(drawn) == 4 and all(row["verdict"] is None for row in listed("--blind")["queue"])
    curate("label", "arm", str(drawn[0]), "--verdict", "drop")
    again = listed("--blind", "--draw", "4")
    assert sorted(row["episode_index"] for row in again["queue"]) == sorted(drawn)
    assert {row["episode_index"]: row["verdict"] for row in again["queue"]}[drawn[0]] == "drop"
    curate("label", "arm", ",".join(map(str, drawn)), "--verdict", "keep")
    new = {row["episode_index"] for row in listed("--blind", "--draw", "4")["queue"]}
    assert not new & set(drawn)


def test_only_disputes(arm, curate, listed):
    curate("label", "arm", "2", "--success", "true", "--author", "bob")
    curate("label", "arm", "2", "--success", "false", "--author", "cleo")
    assert [row["episode_index"] for row in listed("--adjudicate")["queue"]] == [2]
    curate("label", "arm", "2", "--success", "false", "--settle")
    assert listed("--adjudicate")["queue"] == []


def test_what_is_wrong_is_said_in_a_line(arm, refuses):
    refuses("review", "arm", words=["needs a terminal", "--list"], code=2)
    refuses("review", "nowhere", "--json", words=["nowhere"], code=3)
    refuses("review", "arm", "--blind", "--adjudicate", words=["one at a time"], code=2)
    refuses("review", "arm", "--blind", "--draw", "0", "--json", words=["at least 1"], code=2)
    refuses("review", "arm", "--keys", "{drop", "--json", words=["{drop: d"], code=2)
    refuses("review", "arm", "--keys", "{drop: {a: b}}", "--json", words=["write names and keys"], code=2)
    refuses("review", "arm", "--author", "check:me", "--json", words=["check:me"], code=2)
    Labels(arm).set([0], "verdict", "keep", "bob")
    with Labels(arm).path.open("a") as file:
        file.write("no label\n")
    refuses("review", "arm", "--json", words=["line 2", "is no label"], code=3)


def test_a_folder_that_may_not_be_written_says_so_before_anything_is_decided(arm, monkeypatch):
    from collector.errors import UsageError

    check_writable(arm)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # whoever runs the tests may write everywhere
    with pytest.raises(UsageError, match="may not be written"):
        check_writable(arm)
