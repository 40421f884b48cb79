"""`demodeck label` with ratings, tags and segments, `--merge`, `--conflicts`; `query` with SELECT and `--save`."""

import json
import shutil

from collector.dataset.labels import Labels


def test_ratings_tags_segments_and_weights(arm, curate, refuses):
    code, out, _ = curate(
        "label",
        "arm",
        "3,4",
        "--rating",
        "4",
        "--tag",
        "slow,wet",
        "--segment",
        "0:12=reach for it",
        "--weight",
        "0.5",
    )
    assert code == 0 and "2 episodes (3-4): tags + slow, + wet, segments + 0:12 reach for it" in out
    curate("label", "arm", "4", "--untag", "wet", "--tag", "left", "--unsegment", "0:12", "--author", "bob")
    reach = {"from_frame": 0, "to_frame": 12, "text": "reach for it"}
    assert Labels(arm).current() == {
        3: {"tags": ["slow", "wet"], "segments": [reach], "weight": 0.5, "rating": 4},
        4: {"tags": ["left", "slow"], "weight": 0.5, "rating": 4},
    }
    shown = json.loads(curate("label", "arm", "--show", "--by", "bob", "--json")[1])
    assert shown == [{"episode": 4, "field": "tags", "value": ["left"]}]
    assert "reach for it" in curate("label", "arm", "3", "--show")[1]
    assert curate("label", "arm", "--undo", "--by", "ann")[0] == 0
    assert "rating" not in Labels(arm).current()[3]
    assert (
        "rating = 4 by ann on 3-4" in curate("label", "arm", "--redo")[1]
        and Labels(arm).current()[3]["rating"] == 4
    )
    history = json.loads(curate("label", "arm", "4", "--history", "--json")[1])
    assert [line["field"] for line in history][-2:] == ["undo", "undo"]  # taken back, and that too
    assert len([line for line in Labels(arm).history(4) if "undo" in line]) == 2
    assert json.loads(curate("label", "arm", "7", "--history", "--json")[1]) == []
    curate(
        "label", "arm", "3", "--untag", "all", "--rating", "none", "--weight", "none", "--unsegment", "all"
    )
    assert 3 not in Labels(arm).current()
    for flags, word in (
        (["--segment", "0:5"], "12:80=reach"),
        (["--segment", "5:2=x"], "both ends"),
        (["--segment", "0:9999=x"], "9999"),
        (["--weight", "heavy"], "heavy"),
        (["--weight", "-1"], "from 0"),
        (["--tag", "a,,b"], "slippery"),
        (["--rating", "6"], "6"),
    ):
        refuses("label", "arm", "3", *flags, words=[word], code=2)
    refuses("label", "arm", "--show", "--history", words=["say what to do"], code=2)


def test_two_people_s_labels_come_together(arm, curate, refuses, tmp_path):
    curate("label", "arm", "0-3", "--verdict", "keep")
    shutil.copytree(arm, tmp_path / "copy")
    curate("label", "arm", "1", "--verdict", "drop", "--tag", "slow")
    curate("label", "copy", "1", "--verdict", "keep", "--tag", "wet", "--author", "bob")
    curate("label", "copy", "2", "--verdict", "drop", "--author", "bob")
    curate("query", "copy", "verdict = 'keep'", "--save", "good", "--author", "bob")
    code, out, _ = curate("label", "arm", "--merge", "copy")
    assert code == 0 and "3 entries taken over (bob 3)" in out and "1 saved selections" in out
    assert "2 conflicts" in out and "episode 1, verdict: ann: drop; bob: keep (the last holds)" in out
    assert curate("label", "copy", "--merge", "arm")[0] == 0
    assert Labels(arm).current() == Labels(tmp_path / "copy").current()
    assert Labels(arm).current()[1] == {"verdict": "keep", "tags": ["slow", "wet"]}
    before = Labels(arm).path.read_bytes()
    assert "0 entries taken over" in curate("label", "arm", "--merge", "copy")[1]
    assert "0 entries taken over" in curate("label", "arm", "--merge", "copy/curation/labels.jsonl")[1]
    assert Labels(arm).path.read_bytes() == before
    curate("label", "arm", "1-2", "--verdict", "drop", "--settle", "--author", "cleo")
    assert "no two people" in curate("label", "arm", "--conflicts")[1]
    assert json.loads(curate("query", "arm", "@good", "--columns=episode_index", "--json")[1]) == [
        {"episode_index": 0},
        {"episode_index": 3},
    ]
    refuses("label", "arm", "--merge", "nowhere", words=["nowhere"], code=3)
    refuses("label", "arm", "1", "--merge", "copy", words=["name no episodes"], code=2)


def test_labels_of_another_revision_find_their_episodes(arm, curate, refuses, tmp_path):
    curate("edit", "drop", "arm", "0,1", "--output=fewer")  # episode 2 is 0 there
    curate("label", "fewer", "0,5", "--verdict", "drop", "--author", "bob")
    curate("label", "arm", "0", "--rating", "2")
    assert curate("label", "arm", "--merge", "fewer")[0] == 0
    assert Labels(arm).current() == {0: {"rating": 2}, 2: {"verdict": "drop"}, 7: {"verdict": "drop"}}
    assert (
        "1 entries are about episodes that this dataset lacks"
        in curate("label", "fewer", "--merge", "arm")[1]
    )
    curate("label", "arm", "13", "--rating", "1")
    refuses(
        "label",
        "fewer",
        "--merge",
        arm / "curation" / "labels.jsonl",
        words=["matched by their content"],
        code=2,
    )


def test_select_csv_and_saved_selections(arm, curate, refuses):
    curate("label", "arm", "2-6", "--verdict", "keep", "--tag", "a,b")
    code, out, err = curate(
        "query", "arm", "SELECT verdict, count(*) AS n FROM episodes GROUP BY 1 ORDER BY n", "--csv"
    )
    assert code == 0 and out == "verdict,n\nkeep,5\n,9\n" and "2 rows" in err
    code, out, _ = curate("query", "arm", "verdict = 'keep'", "--columns=episode_index,tags,success", "--csv")
    assert out.splitlines()[:2] == ["episode_index,tags,success", "2,a;b,true"]
    assert "chooses 5 of 14" in curate("query", "arm", "verdict = 'keep'", "--save", "good")[1]
    assert "chooses 0 of 14" in curate("query", "arm", "verdict = 'drop'", "--save", "bad")[1]
    saved = json.loads(curate("query", "arm", "--saved", "--json")[1])
    assert [(s["name"], s["sql"], s["author"]) for s in saved] == [
        ("bad", "verdict = 'drop'", "ann"),
        ("good", "verdict = 'keep'", "ann"),
    ]
    assert curate("label", "arm", "--where", "@good and not success", "--verdict", "drop")[0] == 0
    assert curate("edit", "keep", "arm", "--where", "@good", "--output=new")[0] == 0
    assert json.loads(
        curate("query", "new", "SELECT count(*) AS n FROM episodes WHERE @good", "--json")[1]
    ) == [{"n": 4}]
    assert curate("query", "arm", "--forget", "good")[0] == 0
    refuses("query", "arm", "@good", words=["no selection @good", "@bad"], code=2)
    assert "1 of 14" in curate("query", "arm", "@bad")[2]
    refuses("query", "arm", "@bad and episode_index > 5", words=["none of 14"], code=2)
    refuses("query", "arm", "nosuch = 1", "--save", "x", words=["nosuch"], code=2)
    refuses("query", "arm", "SELECT length FROM episodes", "--save", "x", words=["episode_index"], code=2)
    refuses("query", "arm", "true", "--save", "a b", words=["no name"], code=2)
    refuses("query", "arm", "--save", "x", words=["needs what to save"], code=2)
    refuses("query", "arm", "SELECT * FROM read_csv('/etc/passwd')", words=["read_csv"], code=2)
    refuses("query", "arm", "COPY episodes TO 'x'", code=2)
    refuses("query", "arm", "true", "--json", "--csv", words=["not both"], code=2)
