"""Soft scores order and never accuse; the estimators agree with what is known of them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from synthetic_arm import FPS, NAMES, episodes_of, flight

from curation.checks.base import Episode
from curation.ranking import RANKINGS, mutual_information, ordered, rank, smoothness, spearman
from curation.scores import reference_of


def test_mutual_information_of_gaussians_is_the_known_one():
    rng = np.random.default_rng(0)
    rho, n = 0.9, 400
    episodes = []
    for i in range(10):
        state = rng.normal(size=(n, 1))
        action = rho * state + np.sqrt(1 - rho**2) * rng.normal(size=(n, 1))
        episodes.append(Episode.of(i, 30, {"observation.state": state, "action": 100 + action}))
    reference = reference_of(episodes)
    assert not reference.tracks.any()
    values = mutual_information(episodes, reference)
    assert values.mean() == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.06)


def test_random_actions_come_last():
    rng = np.random.default_rng(1)
    flights = [flight(seed) for seed in range(20)]
    flights[4]["action"] = rng.permutation(flights[4]["action"])
    episodes = episodes_of(flights)
    reference = reference_of(episodes, NAMES, NAMES)
    scores = rank(episodes, reference)
    by_name = {ranking.name: ranking for ranking in RANKINGS}
    for name in ("mutual_information", "smoothness", "path_length"):
        assert ordered(by_name[name], scores[name])[-1] == 4, name


def test_smoothness_does_not_depend_on_size():
    t = np.linspace(0, 1, 60)[:, None]
    path = 10 * t**3 - 15 * t**4 + 6 * t**5
    episodes = [
        Episode.of(i, FPS, {"action": k * path, "observation.state": k * path}) for i, k in enumerate((1, 5))
    ]
    values = smoothness(episodes, reference_of(episodes))
    assert values[0] == pytest.approx(values[1])


def test_rank_correlation_shares_ranks():
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 8, 27, 64])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 2, 3]), np.array([3.0, 2, 2, 1])) == pytest.approx(-1)
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))


def test_tiny_and_empty_episodes_have_no_score():
    tiny = [Episode.of(i, FPS, {k: v[:i] for k, v in flight(3).items()}) for i in range(3)]
    for values in rank(tiny, reference_of(tiny)).values():
        assert values.shape == (3,)


def test_the_command_shows_them_and_drops_nothing_by_them(arm, curate):
    code, out, _ = curate("score", "arm", "--rank", "--drop-faults", "--json")
    result = json.loads(out)
    assert code == 0 and set(result["ranking"]) == {r.name for r in RANKINGS}
    assert all(-1 <= r["correlation_to_length"] <= 1 for r in result["ranking"].values())
    assert set(map(int, result["dropped"])) == set(result["faulty"])
    rows = pq.read_table(arm / "curation" / "scores.parquet").to_pylist()
    assert {r["check"] for r in rows if r["state"] == "rank"} == {r.name for r in RANKINGS}
    code, out, _ = curate(
        "query", "arm", "smoothness < 0", "--columns", "episode_index,mutual_information", "--json"
    )
    assert code == 0 and len(json.loads(out)) > 10
    assert "correlation to length" in curate("score", "arm", "--rank")[1]


def test_explain_states_the_false_alarms(arm, curate):
    out = curate("score", "arm", "--explain", "3")[1]
    assert "false alarms" in out and "chance accuses about" in out
