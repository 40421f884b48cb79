"""`demodeck score --reward`: a learnt reward is one more soft score, and one that does not fit is refused."""

import json

import numpy as np
import pytest

from collector.dataset.feature_maps import fit_named
from collector.dataset.linear_reward import LinearReward
from collector.dataset.reader import Dataset


@pytest.fixture
def reward(arm):
    """What it is worth to have the first joint far up, saved at `run/reward`."""
    state = Dataset.open(arm).columns(["observation.state"])
    first = Dataset.open(arm).features["observation.state"]["names"][0]
    names = {"observation.state": Dataset.open(arm).features["observation.state"]["names"]}
    features = fit_named(state, names, {"up": ("observation.state[0]", None, first)})
    made = LinearReward(features, np.ones(1), 0.98, {"by": "hand"})
    made.save(arm.parent / "run" / "reward")
    return made


def test_it_is_a_column_of_the_query_and_told_with_its_correlation_to_length(arm, reward, curate):
    code, out, err = curate("score", "arm", "--reward", "run/reward")
    assert code == 0 and err == ""
    line = next(line for line in out.splitlines() if line.startswith("reward "))
    assert "worth most by the learnt reward" in line
    assert "smoothness" not in out
    code, out, _ = curate("query", "arm", "SELECT reward FROM episodes ORDER BY episode_index", "--json")
    found = [row["reward"] for row in json.loads(out)]
    dataset = Dataset.open(arm)
    expected = reward.worth(dataset.columns(["observation.state"]), dataset.lengths())
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_folder_of_the_run_will_do_and_other_soft_scores_come_along(arm, reward, curate):
    code, out, _ = curate("score", "arm", "--reward", "run", "--rank", "--json")
    assert code == 0
    ranking = json.loads(out)["ranking"]
    assert {"reward", "smoothness", "coverage"} <= set(ranking)
    assert len(ranking["reward"]["scores"]) == Dataset.open(arm).num_episodes
    assert -1 <= ranking["reward"]["correlation_to_length"] <= 1


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (
            {"columns": ["force"], "widths": {"force": 1}, "entries": {"force": []}},
            7,
            "the reward reads 'force'",
        ),
        ({"widths": {"observation.state": 3}}, 7, "of 3 entries"),
        ({"entries": {"observation.state": ["a"]}}, 7, "the reward was learnt from a"),
        ({"expressions": ["open(x)"]}, 2, "there is no function 'open'"),
    ],
)
def test_a_reward_of_another_robot_is_refused(arm, reward, curate, spoil, code, words):
    file = arm.parent / "run/reward/config.json"
    config = json.loads(file.read_text())
    config["features"] |= spoil
    if "expressions" not in spoil and "columns" in spoil:
        config["features"]["expressions"] = ["force"]
    file.write_text(json.dumps(config))
    found, _, err = curate("score", "arm", "--reward", "run/reward")
    assert found == code and words in err and len(err.strip().splitlines()) == 1
    assert not (arm / "curation/scores.parquet").exists()


def test_no_reward_is_said(arm, curate):
    code, _, err = curate("score", "arm", "--reward", "nowhere")
    assert code == 3 and "holds no reward" in err
