"""The loop: on small worlds it reaches the expert, says why it ended, and goes on where it was stopped."""

import itertools
import json

import numpy as np
import pytest

from collector.errors import DataError, UsageError
from training.irl.apprenticeship import Settings, learn
from training.irl.expectations import Expectations
from training.irl.gridworld import experiment, make_gridworld
from training.irl.iterates import IterateFolder
from training.irl.tabular_learner import TabularLearner


@pytest.fixture(scope="module")
def world():
    return make_gridworld(seed=0, size=24, macrocells=4, discount=0.95)


@pytest.mark.parametrize("update", ["max_margin", "projection"])
def test_the_mixture_reaches_the_expert(world, update):
    outcome, found = experiment(world, Settings(update, iterations=40, epsilon=0.01))
    assert found["mixture"]["distance"] < 0.01
    assert found["mixture"]["value"] > 0.99
    assert outcome.reason == "reached"
    margins = [row["margin"] for row in found["iterations"][1:]]
    if update == "max_margin":  # each further policy is one more constraint
        assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(margins))


def test_the_literal_update_goes_back_and_forth(world):
    _, found = experiment(world, Settings("literal", iterations=25, epsilon=0.01))
    distances = [row["distance"] for row in found["iterations"][1:]]
    assert found["reason"] == "iterations"
    assert min(distances[5:]) > 0.05
    turns = np.diff(np.sign(np.diff(distances)))
    assert (turns != 0).sum() >= 5


def test_the_bound_of_the_paper_holds_for_the_true_reward(world):
    """|w . mu_E - w . mu| <= ||mu_E - mu|| for ||w|| <= 1 (eq. 6 to 9)."""
    outcome, _ = experiment(world, Settings(iterations=6))
    mixed = outcome.mixture @ np.array([iterate.mean for iterate in outcome.iterates])
    lost = world.true_weights @ (world.expert.mean - mixed)
    assert abs(lost) <= np.linalg.norm(world.true_weights) * outcome.mixture_distance + 1e-9


def test_the_mixtures_policies_are_drawn_by_their_shares(world):
    outcome, _ = experiment(world, Settings(iterations=5, epsilon=0.0))
    drawn = [outcome.draw(seed) for seed in range(600)]
    for share, iterate in zip(outcome.mixture, outcome.iterates):
        seen = sum(policy is iterate.policy for policy in drawn) / len(drawn)
        assert seen == pytest.approx(share, abs=0.07)


def test_few_flights_teach_more_than_cloning_them():
    world = make_gridworld(seed=1, size=32, macrocells=8, discount=0.97)
    _, found = experiment(world, Settings(iterations=8), demonstrations=4)
    rivals = [rival["value"] for rival in found["baselines"].values()]
    assert found["mixture"]["value"] > max(rivals) + 0.2
    assert found["truncation"] > 0 and found["sampling_error"] > 0


def test_demonstrations_that_no_policy_matches_end_it_at_the_nearest_mixture(world):
    """An expert that lifts all features at once cannot be: the loop ends where no policy comes nearer."""
    impossible = Expectations(np.full(16, 4.0), 0.95)
    outcome = learn(TabularLearner(world.model), impossible, Settings(iterations=200, epsilon=0.0))
    assert outcome.reason == "settled"
    assert len(outcome.iterates) < 100


def test_a_stopped_run_goes_on_to_the_same_bits(world, tmp_path):
    settings = Settings(iterations=8, epsilon=0.0, seed=3)
    whole, _ = experiment(world, settings, folder=IterateFolder(tmp_path / "whole"))
    seen = []
    stopped, _ = experiment(
        world,
        settings,
        folder=IterateFolder(tmp_path / "parts"),
        report=seen.append,
        stopped=lambda: len(seen) == 4,
    )
    assert stopped.reason == "stopped" and len(stopped.iterates) == 4
    (tmp_path / "parts/iterates/.0004.npz.1.tmp").write_bytes(b"half of an iterate")  # as kill -9 leaves it
    seen = []
    resumed, _ = experiment(
        world, settings, folder=IterateFolder(tmp_path / "parts", resume=True), report=seen.append
    )
    assert [iterate.number for iterate in seen] == list(range(9))
    for ours, theirs in zip(resumed.iterates, whole.iterates):
        assert (ours.mean == theirs.mean).all() and (ours.weights == theirs.weights).all()
        assert (ours.policy["action"] == theirs.policy["action"]).all()
    assert (resumed.mixture == whole.mixture).all()


def test_a_folder_of_another_run_is_refused(world, tmp_path):
    folder = tmp_path / "run"
    experiment(world, Settings(iterations=1), folder=IterateFolder(folder))
    with pytest.raises(UsageError, match="is not empty"):
        experiment(world, Settings(iterations=1), folder=IterateFolder(folder))
    with pytest.raises(UsageError, match="another update, seed"):
        experiment(world, Settings("literal", 1, seed=1), folder=IterateFolder(folder, resume=True))
    with pytest.raises(DataError, match="no run to resume"):
        experiment(world, Settings(), folder=IterateFolder(tmp_path / "other", resume=True))
    (folder / "iterates/0001.npz").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"0001\.npz is no iterate"):
        experiment(world, Settings(iterations=1), folder=IterateFolder(folder, resume=True))
    record = json.loads((folder / "apprenticeship.json").read_text())
    assert record["features"][0] == "macrocell 0,0" and record["discount"] == 0.95


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"update": "max-margin"}, "one of max_margin, projection, literal"),
        ({"iterations": 0}, "at least 1"),
        ({"epsilon": float("nan")}, "at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Settings(**given)


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (np.zeros(16), "no feature fires"),
        (np.full(16, 10.0), "divide"),
        (np.ones(3), "3 features, the learner 16"),
    ],
)
def test_an_expert_that_cannot_be_learnt_from_is_refused(world, mean, words):
    with pytest.raises(DataError, match=words):
        learn(TabularLearner(world.model), Expectations(mean, 0.95), Settings())
