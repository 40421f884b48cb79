"""Labels: the fold, undo, history, and appends that are whole or absent."""

import json

import pytest
from flown import STATE, fly, record

from collector.dataset import schema
from collector.dataset.labels import Labels
from collector.errors import DataError, UsageError

FEATURES = schema.features_for(STATE, STATE, {})


@pytest.fixture
def root(tmp_path):
    record(tmp_path / "set", [fly(seed, 3, FEATURES) for seed in range(3)], features=FEATURES)
    return tmp_path / "set"


def test_fold_undo_and_history(root):
    labels = Labels(root)
    assert labels.current() == {} and labels.history() == []
    labels.set([0, 1], "verdict", "keep", "ana")
    labels.set([1], "verdict", "drop", "ben")
    labels.set([1], "success", False, "ben")
    labels.set([0], "note", "nice, schön", "ana")
    assert Labels(root).current() == {
        0: {"verdict": "keep", "note": "nice, schön"},
        1: {"verdict": "drop", "success": False},
    }
    assert [line["field"] for line in labels.undo("ana")] == ["note"]
    assert [line["episode"] for line in labels.undo("ana")] == [1]
    assert labels.current() == {0: {"verdict": "keep"}, 1: {"verdict": "drop"}}
    labels.undo()
    assert labels.current() == {0: {"verdict": "keep"}, 1: {"verdict": "keep"}}
    labels.set([0], "verdict", None, "ana")
    assert labels.current() == {1: {"verdict": "keep"}}
    labels.undo()
    assert len(labels.undo()) == 2 and labels.current() == {}
    with pytest.raises(UsageError, match="no label to undo"):
        labels.undo()
    everything = labels.history()
    assert len(everything) == 11 and all(line["at"] for line in everything)
    assert [line["author"] for line in labels.history(1) if "field" in line] == ["ana", "ben", "ben"]
    assert all(line["undone"] for line in everything if "field" in line)


def test_wrong_labels_are_refused_and_write_nothing(root):
    labels = Labels(root)
    for episodes, field, value, what in (
        ([0], "verdict", "maybe", "'keep', 'drop'"),
        ([0], "success", "yes", "true, false"),
        ([0], "mood", "good", "no label 'mood'"),
        ([0, 7], "verdict", "keep", "no episode 7"),
        ([-1], "verdict", "keep", "no episode -1"),
    ):
        with pytest.raises(UsageError, match=what):
            labels.set(episodes, field, value, "ana")
    assert not labels.path.exists()
    with pytest.raises(DataError, match="no dataset"):
        Labels(root / "nowhere").set([0], "verdict", "keep", "ana")


def test_a_torn_line_is_dropped_and_a_damaged_one_named(root):
    labels = Labels(root)
    labels.set([0, 1], "verdict", "keep", "ana")
    whole = labels.path.read_bytes()
    labels.path.write_bytes(whole + b'{"at": "2026-01-01", "author": "an')
    assert labels.current() == {0: {"verdict": "keep"}, 1: {"verdict": "keep"}}
    labels.set([2], "verdict", "drop", "ana")
    assert labels.current()[2] == {"verdict": "drop"}
    assert all(json.loads(line) for line in labels.path.read_text().splitlines())
    labels.path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(DataError, match="line 1, is no label"):
        labels.current()


def test_lines_of_others_need_no_batch(root):
    labels = Labels(root)
    labels.path.parent.mkdir()
    line = {"at": "2026-01-01", "author": "tool", "episode": 2, "field": "verdict", "value": "drop"}
    labels.path.write_text(json.dumps(line) + "\n")
    assert labels.current() == {2: {"verdict": "drop"}}
    labels.undo()
    assert labels.current() == {}


def test_a_full_disk_leaves_the_labels_as_they_were(root, monkeypatch):
    import os

    labels = Labels(root)
    labels.set([0], "verdict", "keep", "ana")
    before, real = labels.path.read_bytes(), os.write

    def write(descriptor, content):
        if len(content) < 20:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(content)[:20])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        labels.set([1, 2], "note", "x", "ana")
    assert labels.path.read_bytes() == before
