"""`demodeck label`: verdict, success, note; author, time, history, undo."""

import json

from collector.dataset.labels import Labels


def test_labels_have_author_time_and_history(arm, curate):
    assert curate("label", "arm", "3,5,7-9", "--verdict", "drop", "--note", "arm shakes")[0] == 0
    assert curate("label", "arm", "5", "--verdict", "keep", "--author", "bob")[0] == 0
    code, out, _ = curate("label", "arm", "5", "--history", "--json")
    lines = json.loads(out)
    assert code == 0
    assert [(x["author"], x["field"], x["value"]) for x in lines] == [
        ("ann", "note", "arm shakes"),
        ("ann", "verdict", "drop"),
        ("bob", "verdict", "keep"),
    ]
    assert all(x["at"].startswith("20") and x["episode"] == 5 for x in lines)
    current = Labels(arm).current()
    assert sorted(current) == [3, 5, 7, 8, 9]
    assert current[5] == {"note": "arm shakes", "verdict": "keep"}


def test_undo_takes_back_one_entry_at_a_time(arm, curate):
    curate("label", "arm", "1-2", "--verdict", "drop")
    curate("label", "arm", "2", "--verdict", "keep", "--author", "bob")
    code, out, _ = curate("label", "arm", "--undo")
    assert code == 0 and "verdict = keep by bob on 2" in out
    assert Labels(arm).current() == {1: {"verdict": "drop"}, 2: {"verdict": "drop"}}
    curate("label", "arm", "--undo")
    assert Labels(arm).current() == {}
    _, out, _ = curate("label", "arm", "--history", "--json")
    history = json.loads(out)
    assert [x["field"] for x in history] == ["verdict"] * 3 + ["undo"] * 2
    assert [x["undone"] for x in history[:3]] == [True] * 3


def test_success_label_wins_over_the_record_and_can_be_taken_back(arm, curate):
    curate("label", "arm", "0", "--success", "false")
    assert curate("query", "arm", "not success", "--columns", "episode_index", "--json")[1].count("{") == 2
    curate("label", "arm", "0", "--success", "none")
    assert curate("query", "arm", "not success", "--columns", "episode_index", "--json")[1].count("{") == 1


def test_label_by_condition(arm, curate):
    code, out, _ = curate("label", "arm", "--where", "not success", "--verdict", "drop", "--json")
    assert code == 0 and json.loads(out)["episodes"] == [5]


def test_bad_labels_are_refused_with_one_line(arm, refuses):
    refuses("label", "arm", "14", "--verdict", "drop", words=["no episode 14", "0 to 13"], code=2)
    refuses("label", "arm", "9-3", "--verdict", "drop", words=["3-9"], code=2)
    refuses("label", "arm", "three", "--verdict", "drop", words=["3,5,7-9"], code=2)
    refuses("label", "arm", "--verdict", "drop", words=["--where"], code=2)
    refuses("label", "arm", "3", words=["--verdict"], code=2)
    refuses("label", "arm", "3", "--verdict", "maybe", words=["keep", "drop"], code=2)
    refuses("label", "arm", "3", "--where", "success", "--verdict", "drop", words=["either"], code=2)
    refuses("label", "arm", "3", "--verdict", "drop", "--author", "check:me", words=["check:me"], code=2)
    refuses(
        "label", "arm", "--where", "episode_index > 99", "--verdict", "drop", words=["none of 14"], code=2
    )
    refuses("label", "arm", "--undo", words=["no label"], code=2)
    assert not (arm / "curation").exists()
