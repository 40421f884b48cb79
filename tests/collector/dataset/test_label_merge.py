"""Two people's labels come together: whatever is merged with whatever, in any order, nobody's word is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.dataset.label_file import entry_id, in_order, read_entries
from collector.dataset.label_merge import missing, renumbered
from collector.dataset.labels import Labels
from collector.errors import UsageError

N_EPISODES = 4


@pytest.fixture
def root(tmp_path):
    return dataset_at(tmp_path / "set")


def dataset_at(root):
    """Make as much of a dataset as labels look at."""
    (root / "meta").mkdir(parents=True)
    info = {"codebase_version": "v3.0", "fps": 10, "total_episodes": N_EPISODES, "features": {}}
    (root / "meta" / "info.json").write_text(json.dumps(info))
    return root


AUTHORS = ("ana", "ben", "cleo")
SAID = st.one_of(
    st.tuples(st.just("verdict"), st.sampled_from(["keep", "drop", None])),
    st.tuples(st.just("rating"), st.sampled_from([1, 5, None])),
    st.tuples(
        st.just("tags"),
        st.sampled_from([{"add": ["a"]}, {"remove": ["a"]}, {"add": ["b"], "remove": ["a"]}, ["c"], None]),
    ),
    st.tuples(
        st.just("segments"),
        st.sampled_from([{"add": [{"from_frame": 0, "to_frame": 2, "text": "x"}]}, {"remove": [[0, 2]]}]),
    ),
    st.tuples(st.just("mood"), st.just("a newer version's")),
)
ENTRY = st.builds(
    lambda number, minute, author, episodes, said: {
        "id": f"e{number}",
        "at": f"2026-01-01T00:{minute:02d}:00+00:00",
        "author": author,
        "episodes": sorted(episodes),
        "field": said[0],
        "value": said[1],
    },
    st.integers(0, 10**6),
    st.integers(0, 3),  # often the same: then the id decides
    st.sampled_from(AUTHORS),
    st.sets(st.integers(0, N_EPISODES - 1), min_size=1),
    SAID,
)


@st.composite
def files(draw):
    """Three copies of a file: each has some of what was ever said, and some undoing."""
    said = draw(st.lists(ENTRY, max_size=8, unique_by=lambda e: e["id"]))
    for number in range(draw(st.integers(0, 3)) if said else 0):
        undo = draw(st.sampled_from(said))["id"]
        at = f"2026-01-01T00:0{draw(st.integers(0, 5))}:30+00:00"
        said.append({"id": f"u{number}", "at": at, "author": draw(st.sampled_from(AUTHORS)), "undo": undo})
    return [[e for e in said if draw(st.booleans())] for _ in range(3)]


def merged(ours, theirs):
    return [*ours, *missing(ours, theirs)]


def state(root, entries):
    labels = Labels(root)
    labels.path.parent.mkdir(exist_ok=True)
    labels.path.write_text("".join(json.dumps(e) + "\n" for e in entries))
    return (
        labels.current(),
        {author: labels.current(author) for author in AUTHORS},
        [(c.episode, c.field, c.element, sorted(c.said), c.holds) for c in labels.conflicts()],
        sorted(labels.unknown().items()),
    )


@given(files())
@settings(max_examples=60, deadline=None)
def test_merging_is_commutative_associative_and_idempotent(tmp_path_factory, three):
    root = dataset_at(tmp_path_factory.mktemp("merge") / "set")
    a, b, c = three
    ab, ba = merged(a, b), merged(b, a)
    assert in_order(ab) == in_order(ba)
    assert state(root, ab) == state(root, ba)
    assert state(root, merged(ab, c)) == state(root, merged(a, merged(b, c)))
    assert merged(ab, a) == ab and merged(ab, b) == ab and merged(a, a) == a
    assert {entry_id(e) for e in ab} == {entry_id(e) for e in [*a, *b]}  # nobody's word is lost


def test_entries_of_part_of_the_episodes_and_without_an_id():
    whole = {
        "id": "x",
        "at": "2026",
        "author": "ana",
        "episodes": [0, 1, 2],
        "field": "verdict",
        "value": "keep",
    }
    part = {**whole, "episodes": [1, 3]}
    assert missing([whole], [part]) == [{**whole, "episodes": [3]}]
    assert missing([part], [whole]) == [{**whole, "episodes": [0, 2]}]
    old = {"at": "2026", "author": "tool", "episode": 2, "field": "verdict", "value": "drop"}
    (taken,) = missing([], [old])
    assert taken["id"] == entry_id(old) and missing([old], [taken]) == [] and missing([taken], [old]) == []


def test_other_numbers():
    said = {"id": "x", "author": "ana", "episodes": [0, 2], "field": "verdict", "value": "keep"}
    undo = {"id": "u", "author": "ana", "undo": "x"}
    gone = {**said, "id": "y", "episodes": [1]}
    assert renumbered([said, undo, gone], {0: 5, 2: 0}) == ([{**said, "episodes": [5, 0]}, undo], 1)


def test_conflicts_are_listed_until_they_are_settled(root):
    labels = Labels(root)
    labels.set([0, 1], "verdict", "keep", "ana")
    labels.set([1], "verdict", "drop", "check:lag")  # a check is nobody
    assert labels.conflicts() == []
    labels.set([1], "verdict", "drop", "ben")
    labels.set([2], "tags", {"add": ["wet", "red"]}, "ana")
    labels.set([2], "tags", {"remove": ["wet"], "add": ["fast"]}, "ben")
    verdict, wet = labels.conflicts()
    assert (verdict.episode, verdict.field, verdict.holds) == (1, "verdict", "drop")
    assert [(author, value) for author, value, _ in verdict.said] == [("ana", "keep"), ("ben", "drop")]
    assert (wet.episode, wet.element, wet.holds) == (2, "wet", None)
    labels.set([1], "verdict", "keep", "cleo", settles=True)
    assert [c.episode for c in labels.conflicts()] == [2]
    assert labels.current("ben")[1] == {"verdict": "drop"} and labels.current()[1] == {"verdict": "keep"}
    labels.undo()
    assert [c.episode for c in labels.conflicts()] == [1, 2]


def test_tags_and_segments_change_one_by_one(root):
    ours, theirs = Labels(root), Labels(root)  # two people, the same file
    ours.set([0], "tags", {"add": ["slippery"]}, "ana")
    theirs.set([0], "tags", {"add": ["two-handed"]}, "ben")
    ours.set([0], "tags", {"remove": ["slippery"], "add": ["slow"]}, "ana")
    assert theirs.current()[0]["tags"] == ["slow", "two-handed"]
    reach, grasp = (
        {"from_frame": a, "to_frame": b, "text": t} for a, b, t in ((0, 5, "reach"), (5, 9, "grasp"))
    )
    ours.set([0], "segments", {"add": [grasp]}, "ana")
    theirs.set([0], "segments", {"add": [reach]}, "ben")
    assert ours.current()[0]["segments"] == [reach, grasp]
    theirs.set([0], "segments", {"add": [{**grasp, "text": "grasp it"}]}, "ben")
    assert ours.current()[0]["segments"][1]["text"] == "grasp it"
    ours.set([0], "segments", {"remove": [[0, 5]]}, "ana")
    assert [s["text"] for s in ours.current()[0]["segments"]] == ["grasp it"]
    assert [s["text"] for s in ours.current("ben")[0]["segments"]] == ["reach", "grasp it"]
    ours.set([0], "tags", ["only"], "ana")
    assert ours.current() == {0: {"tags": ["only"], "segments": theirs.current()[0]["segments"]}}
    ours.set([0], "tags", None, "ana")
    assert "tags" not in ours.current()[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rating", 0), ("rating", 6), ("rating", True), ("rating", 3.0), ("weight", -1), ("weight", float("nan")),
        ("tags", "a"), ("tags", {"add": ["a,b"]}), ("tags", {}), ("tags", {"plus": ["a"]}), ("tags", [" a"]),
        ("segments", [{"from_frame": 3, "to_frame": 3, "text": "x"}]), ("segments", {"add": [[0, 1]]}),
        ("segments", [{"from_frame": 0, "to_frame": 3, "text": " "}]), ("segments", {"remove": [3]}),
    ],
)  # fmt: skip
def test_values_that_are_none(root, field, value):
    with pytest.raises(UsageError, match=f"{field} cannot be"):
        Labels(root).set([0], field, value, "ana")
    assert not Labels(root).path.exists()


def test_undo_and_redo_without_end(root):
    labels = Labels(root)
    for rating in (1, 2, 3):
        labels.set([0], "rating", rating, "ana")
    labels.set([1], "rating", 5, "ben")
    assert [e["value"] for e in labels.undo("ana", of="ana")] == [3]
    assert labels.current() == {0: {"rating": 2}, 1: {"rating": 5}}
    assert [e["value"] for e in labels.undo("ana", of="ana")] == [2]
    assert [e["value"] for e in labels.redo("ana", of="ana")] == [2]
    assert [e["value"] for e in labels.redo("ana", of="ana")] == [3]
    assert labels.current()[0] == {"rating": 3}
    with pytest.raises(UsageError, match="no undo"):
        labels.redo("ana", of="ana")
    labels.undo("ana", of="ana")
    labels.set([0], "rating", 4, "ana")
    with pytest.raises(UsageError, match="set since"):
        labels.redo("ana", of="ana")
    assert labels.current()[0] == {"rating": 4}
    history = labels.history(0)
    assert [e["undone"] for e in history if "field" in e] == [False, False, True, False]


def test_what_a_newer_version_wrote_is_kept_and_ignored(root):
    labels = Labels(root)
    labels.set([0], "verdict", "keep", "ana")
    strange = [
        {
            "id": "n1",
            "at": "2099-01-01",
            "author": "zoe",
            "episodes": [0],
            "field": "mood",
            "value": {"x": [1]},
        },
        {"id": "n2", "at": "2099-01-01", "author": "zoe", "episodes": [0], "field": "rating", "value": 11},
        {"id": "n3", "at": "2099-01-01", "author": "zoe", "poll": True},
    ]
    with labels.path.open("a") as file:
        file.writelines(json.dumps(e) + "\n" for e in strange)
    labels.set([0], "rating", 4, "ana")
    assert labels.current() == {0: {"verdict": "keep", "rating": 4}}
    assert labels.unknown() == {"mood": 1, "rating": 1, "another kind of entry": 1}
    assert [e for e in read_entries(labels.path) if e["id"].startswith("n")] == strange
    at = [e["at"] for e in read_entries(labels.path)]
    assert at[-1] > at[1]  # what is said later counts later, whatever a clock says


def test_a_last_line_without_its_newline(root):
    labels = Labels(root)
    labels.set([0], "rating", 4, "ana")
    labels.path.write_bytes(labels.path.read_bytes().rstrip(b"\n"))  # as some editors leave it
    assert labels.current() == {0: {"rating": 4}}
    labels.set([1], "rating", 5, "ana")
    assert Labels(root).current() == {0: {"rating": 4}, 1: {"rating": 5}}


def child(root: Path, code: str) -> subprocess.Popen:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    text = f"from collector.dataset.labels import Labels\nlabels = Labels({str(root)!r})\n{code}"
    return subprocess.Popen([sys.executable, "-c", text], env=env, stdout=subprocess.PIPE, text=True)


def test_writers_at_once_lose_nothing(root):
    code = """
for k in range({n}):
    labels.set([{episode}], "tags", {{"add": [f"{name}{{k}}"]}}, "{name}")
"""
    n = 60
    writers = [child(root, code.format(n=n, episode=k % 2, name=f"w{k}-")) for k in range(4)]
    assert [writer.wait(timeout=240) for writer in writers] == [0] * 4
    entries = read_entries(root / "curation" / "labels.jsonl")
    assert len(entries) == 4 * n and len({e["id"] for e in entries}) == 4 * n
    at = [e["at"] for e in entries]
    assert at == sorted(set(at))  # each later than the one before
    assert sum(len(fields["tags"]) for fields in Labels(root).current().values()) == 4 * n


def test_killed_while_writing_the_file_heals(root):
    code = """
while True:
    labels.set([0, 1, 2], "note", "x" * 30000, "ana")
    print("said", flush=True)
"""
    acknowledged = 0
    for _ in range(4):
        writer = child(root, code)
        for _ in range(3):
            assert writer.stdout.readline() == "said\n"
            acknowledged += 1
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().count("said")
        writer.wait()
        labels = Labels(root)
        labels.set([3], "rating", 3, "ben")
        said = [e for e in read_entries(labels.path) if e["field"] == "note"]
        assert acknowledged <= len(said) and all(len(e["episodes"]) == 3 for e in said)
        acknowledged = len(said)
    # Cut anywhere within its last line, the file holds all that came before, and takes the next.
    whole = labels.path.read_bytes()
    last = len(whole[:-1]) - whole[:-1].rfind(b"\n") - 1
    for cut in (2, last // 2, last):
        labels.path.write_bytes(whole[:-cut])
        before = len(Labels(root).history(3))
        Labels(root).set([3], "rating", 1, "ben")
        assert len(Labels(root).history(3)) == before + 1 and Labels(root).current()[3] == {"rating": 1}
