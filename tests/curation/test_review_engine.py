"""What the review room stands on: labels applied before they are written, plain words as SQL, completion, carrying."""

import itertools
import threading

import numpy as np
import pytest

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from curation.carried import carried
from curation.completion import completions, names_of
from curation.ledger import Decision, Ledger, Seen, Written
from curation.room import Room, matching
from curation.standing import Standing, fold
from curation.wishes import Wishes, as_sql

VALUES = {
    "verdict": ["keep", "drop", None],
    "success": [True, False, None],
    "rating": [1, 5, None],
    "note": ["a", None],
    "trim": [[0, 5], None],
    "tags": [{"add": ["a"]}, {"add": ["b"], "remove": ["a"]}, ["c"], None],
    "segments": [
        {"add": [{"from_frame": 0, "to_frame": 5, "text": "x"}]},
        {"remove": [[0, 5]]},
        [{"from_frame": 3, "to_frame": 9, "text": "y"}],
        None,
    ],
}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_applied_at_once_is_what_the_file_says_afterwards(arm, seed):
    rng, labels = np.random.default_rng(seed), Labels(arm)
    labels.set([1, 2], "verdict", "keep", "bob")
    labels.set([1, 2], "tags", ["a", "z"], "bob")
    dataset = Dataset.open(arm)
    standing = Standing(dataset, "ann", fold(labels, "ann"))
    for _ in range(60):
        field = str(rng.choice(list(VALUES)))
        value = VALUES[field][rng.integers(len(VALUES[field]))]
        about = [int(e) for e in rng.choice(14, rng.integers(1, 4), replace=False)]
        settles = bool(rng.random() < 0.2)
        labels.set(about, field, value, "ann", settles)
        standing.apply(about, field, value, settles)
    fresh = Standing(dataset, "ann", fold(labels, "ann"))
    everything = np.ones(14, bool)
    assert [dict(standing.said(e)) for e in range(14)] == [dict(fresh.said(e)) for e in range(14)]
    assert [dict(standing.mine(e)) for e in range(14)] == [dict(fresh.mine(e)) for e in range(14)]
    ours, theirs = standing.counts(everything), fresh.counts(everything)
    assert (ours.kept, ours.dropped, ours.unseen) == (theirs.kept, theirs.dropped, theirs.unseen)
    assert standing.tags() == fresh.tags()


def test_decisions_are_written_in_their_order_and_told(arm):
    told, seen = [], threading.Event()

    def hear(what):
        told.append(what)
        if isinstance(what, Seen):
            seen.set()

    labels = Labels(arm)
    ledger = Ledger(labels, "ann", hear)
    for n in range(30):
        ledger.add(Decision("rating", (n % 14,), 1 + n % 5))
    assert ledger.backlog == 30
    ledger.start()
    ledger.add(Decision("undo"))
    assert seen.wait(30)
    assert ledger.close() == [] and ledger.backlog == 0
    written = [what.decision.value for what in told if isinstance(what, Written)]
    assert written == [1 + n % 5 for n in range(30)] + [None]
    assert [e["value"] for e in Labels(arm).file.entries()[:-1]] == [1 + n % 5 for n in range(30)]
    last = next(what for what in told if isinstance(what, Seen))
    assert last.written == 31 and last.folded.mine[1]["rating"] == 1


def test_what_cannot_be_written_at_all_comes_back_at_the_end(arm, monkeypatch):
    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("collector.dataset.label_file.durable.write_all", full)
    monkeypatch.setattr("curation.ledger.RETRY_S", 0.01)
    ledger = Ledger(Labels(arm), "ann", lambda what: None)
    decisions = [Decision("verdict", (n,), "keep") for n in range(3)]
    for decision in decisions:
        ledger.add(decision)
    ledger.start()
    assert ledger.close() == decisions
    assert Labels(arm).file.entries() == []


def test_every_wish_is_sql_that_can_be_asked(arm, curate):
    curate("score", "arm")
    Labels(arm).set([1], "tags", ["it's"], "bob")
    Labels(arm).set([1, 2], "verdict", "keep", "o'neil")
    dataset = Dataset.open(arm)
    wishes = {
        "verdict": ["keep", "drop", "undecided"],
        "success": ["yes", "no", "unknown"],
        "found": ["anything", "nothing", "glitch"],
        "rating": ["3"],
        "tag": ["it's"],
        "shortest": ["1.5"],
        "longest": ["99"],
        "unseen_by": ["o'neil"],
    }
    for name, values in wishes.items():
        for value in values:
            matching(dataset, as_sql(Wishes(**{name: value})))
    every = [dict(zip(wishes, values)) for values in itertools.product(*wishes.values())]
    for one in every[::9]:
        matching(dataset, as_sql(Wishes(**one)))
    chosen = matching(dataset, as_sql(Wishes(verdict="keep", tag="it's", longest="99")))
    assert np.flatnonzero(chosen).tolist() == [1]
    assert np.flatnonzero(~matching(dataset, as_sql(Wishes(unseen_by="o'neil")))).tolist() == [1, 2]
    assert set(np.flatnonzero(matching(dataset, as_sql(Wishes(found="glitch"))))) <= {3, 7, 11}
    assert as_sql(Wishes()) == ""


def test_completion_knows_columns_checks_selections_tags_and_values(arm, curate):
    curate("score", "arm")
    curate("query", "arm", "success", "--save", "good")
    names = names_of(Dataset.open(arm), ["slow"])
    assert completions("faults = 0 and ver", names) == ["faults = 0 and verdict"]
    assert completions("@", names) == ["@good"]
    assert completions("verdict = 'k", names) == ["verdict = 'keep'"]
    assert completions("list_contains(tags, 's", names) == ["list_contains(tags, 'slow'"]
    assert "not glitch" in completions("not gli", names)
    assert completions("verdict = 'keep'", names) == [] and completions("1 > ", names) == []
    assert completions("verdict", names) == []


def test_sentences_are_carried_in_time_and_stay_side_by_side():
    segments = [
        {"from_frame": 0, "to_frame": 40, "text": "reach"},
        {"from_frame": 40, "to_frame": 100, "text": "push"},
    ]
    assert carried(segments, 100, 50) == [
        {"from_frame": 0, "to_frame": 20, "text": "reach"},
        {"from_frame": 20, "to_frame": 50, "text": "push"},
    ]
    for length in (1, 2, 3, 7, 333):
        for one in carried(segments, 100, length):
            assert 0 <= one["from_frame"] < one["to_frame"] <= length


def test_the_next_episode_that_waits_wraps_round_and_ends(arm):
    room = Room(Dataset.open(arm), "ann")
    room.standing.apply([int(e) for e in room.rows[1:13]], "verdict", "keep")
    assert room.next_waiting(0) == 13 and room.next_waiting(13) == 0
    room.standing.apply([int(room.rows[0]), int(room.rows[13])], "rating", 3)
    assert room.next_waiting(5) is None
