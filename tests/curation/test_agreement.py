"""Agreement of several people: textbook figures, honest intervals, the command, draws for a second opinion."""

import json

import numpy as np
import pytest

from collector.dataset.labels import Labels
from curation import agreement
from curation.agreement import cohen, fleiss

# Fleiss 1971's kind of table: of each episode how many of 14 people chose each of five values.
FOURTEEN = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def two(counts):
    """Return the words of a and b from how often they said (keep keep), (keep drop), (drop keep), (drop drop)."""
    pairs = [(x, y) for x in ("keep", "drop") for y in ("keep", "drop")]
    said = [pair for pair, n in zip(pairs, counts) for _ in range(n)]
    return {episode: {"a": x, "b": y} for episode, (x, y) in enumerate(said)}


def test_cohen_of_a_known_table():
    kappa = cohen(two([20, 5, 10, 15]), "verdict", "a", "b")
    assert (kappa.episodes, kappa.agreed, kappa.kappa) == (50, 0.7, pytest.approx(0.4))
    assert 0.1 < kappa.low < 0.2 and 0.6 < kappa.high < 0.7
    assert cohen(two([20, 5, 10, 15]), "verdict", "a", "c") is None


def test_fleiss_of_a_known_table(monkeypatch):
    monkeypatch.setitem(agreement.FIELDS, "verdict", tuple(range(5)))
    words = {
        episode: {str(n): v for n, v in enumerate(np.repeat(range(5), counts).tolist())}
        for episode, counts in enumerate(FOURTEEN)
    }
    kappa = fleiss(words, "verdict")
    assert (kappa.kappa, kappa.agreed, len(kappa.authors)) == (pytest.approx(0.210, abs=5e-4), 0.1, 14)
    assert kappa.low < 0.210 < kappa.high


def test_near_ratings_disagree_less():
    near = {e: {"a": 1 + e % 5, "b": min(5, 2 + e % 5)} for e in range(20)}
    far = {e: {"a": 1 + e % 5, "b": 5 - e % 5} for e in range(20)}
    assert 0.7 < cohen(near, "rating", "a", "b").kappa < 0.9
    assert cohen(far, "rating", "a", "b").kappa == pytest.approx(-1.0)
    assert fleiss(far, "rating").kappa < -0.8


def test_a_few_episodes_that_all_agree_prove_little():
    few, many = (cohen(two([n, 0, 0, n]), "verdict", "a", "b") for n in (3, 100))
    assert few.kappa == many.kappa == 1.0
    assert few.low < 0.5 < 0.9 < many.low and many.high <= 1.0
    one_thing = cohen(two([9, 0, 0, 0]), "verdict", "a", "b")
    assert one_thing.kappa is None and one_thing.agreed == 1.0 and one_thing.low < 0


@pytest.mark.parametrize("table", [(0.4, 0.1, 0.1, 0.4), (0.7, 0.1, 0.05, 0.15), (0.25, 0.25, 0.25, 0.25)])
def test_the_interval_holds_the_truth_as_often_as_it_says(table, monkeypatch):
    monkeypatch.setattr(agreement, "_DRAWS", 2000)
    rng = np.random.default_rng(5)
    shares = np.array(table).reshape(2, 2)
    chance = (shares.sum(0) * shares.sum(1)).sum()
    truth = (np.trace(shares) - chance) / (1 - chance)
    held = 0
    for _ in range(400):
        kappa = cohen(two(rng.multinomial(30, table)), "verdict", "a", "b")
        held += kappa.low <= truth <= kappa.high
    assert held / 400 >= 0.92


def test_the_command_compares_people_and_no_check(arm, curate, refuses):
    refuses("agreement", "arm", words=["by two people", "--author"], code=2)
    curate("label", "arm", "0-5", "--verdict", "keep")
    curate("label", "arm", "6,7", "--verdict", "drop")
    curate("label", "arm", "0-4,7", "--verdict", "keep", "--author", "bob")
    curate("label", "arm", "5,6", "--verdict", "drop", "--author", "bob")
    Labels(arm).set([0, 1], "verdict", "drop", "check:glitch")
    code, out, err = curate("agreement", "arm")
    assert (code, err) == (0, "")
    assert (
        "ann and bob" in out and "0.33 (Cohen)" in out and "2 episodes in dispute over verdict: 5, 7" in out
    )
    curate("label", "arm", "7", "--verdict", "drop", "--settle", "--author", "cleo")
    found = json.loads(curate("agreement", "arm", "--json")[1])
    assert found["disputed"] == [5] and found["all"] is None and len(found["pairs"]) == 1
    curate("label", "arm", "0-3", "--verdict", "drop", "--author", "cleo")
    found = json.loads(curate("agreement", "arm", "--json")[1])
    assert found["all"]["authors"] == ["ann", "bob", "cleo"] and len(found["pairs"]) == 3
    assert found["all"]["low"] < found["all"]["kappa"] < found["all"]["high"]
    narrowed = json.loads(curate("agreement", "arm", "5-7", "--json")[1])
    assert [pair["episodes"] for pair in narrowed["pairs"]] == [3]


def test_a_sample_for_a_second_blind_opinion(arm, curate, refuses):
    refuses("agreement", "arm", "--draw", "3", words=["waits for a second verdict by ann"], code=2)
    curate("label", "arm", "0-7", "--verdict", "keep", "--author", "bob")
    curate("label", "arm", "2", "--verdict", "keep")
    code, out, _ = curate("agreement", "arm", "--draw", "3", "--seed", "4")
    assert code == 0 and "@second: 3 episodes for ann to judge" in out
    drawn = json.loads(curate("agreement", "arm", "--draw", "3", "--seed", "4", "--json")[1])["episodes"]
    assert len(drawn) == 3 and 2 not in drawn
    rows = json.loads(curate("query", "arm", "@second", "--json")[1])
    assert [row["episode_index"] for row in rows] == drawn
    assert "no more than 7 wait" in curate("agreement", "arm", "--draw", "30", "--save", "all_of_them")[1]
    refuses("agreement", "arm", "--draw", "0", words=["--draw is 0", "at least 1"], code=2)
    refuses("agreement", "arm", "3", "--draw", "2", words=["name no episodes"], code=2)
