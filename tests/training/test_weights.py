"""Weights of frames: by an SQL expression over the episode, and where a person overrode a policy."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from test_train_command import one_line, same, train, weights

from collector.dataset.reader import Dataset
from collector.errors import UsageError
from training.config import DatasetSource
from training.source import frame_weights

LENGTHS = [7, 12, 5, 20]


@pytest.fixture
def overridden_dataset(small_dataset, tmp_path):
    """The small dataset with a column `intervention`, true in every third frame."""
    root = tmp_path / "overridden"
    shutil.copytree(small_dataset, root)
    for path in (root / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        column = pa.array(np.arange(table.num_rows) % 3 == 0)
        pq.write_table(table.append_column("intervention", column), path)
    info = json.loads((root / "meta" / "info.json").read_text())
    info["features"]["intervention"] = {"dtype": "bool", "shape": [1], "names": None}
    (root / "meta" / "info.json").write_text(json.dumps(info))
    return root


def test_without_flags_there_are_none(small_dataset):
    assert frame_weights(Dataset.open(small_dataset), [0, 1], DatasetSource()) is None


def test_an_expression_weighs_episodes_to_a_mean_of_one(small_dataset):
    found = frame_weights(Dataset.open(small_dataset), [1, 3], DatasetSource(weight="1 + episode_index"))
    raw = np.repeat([2.0, 4.0], [12, 20])
    assert found == pytest.approx(raw / raw.mean())


def test_interventions_are_weighed(overridden_dataset):
    found = frame_weights(
        Dataset.open(overridden_dataset), [0, 1, 2, 3], DatasetSource(intervention_weight=4)
    )
    raw = np.where(np.arange(44) % 3 == 0, 4.0, 1.0)
    assert found == pytest.approx(raw / raw.mean())


def test_frames_that_a_policy_flew_count_as_told_and_demonstrations_in_full(overridden_dataset):
    for path in (overridden_dataset / "meta" / "episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        pilots = ["policy" if episode in (1, 3) else "pad" for episode in table["episode_index"].to_pylist()]
        pq.write_table(table.append_column("pilot", pa.array(pilots)), path)
    source = DatasetSource(intervention_weight=4, policy_weight=0)
    found = frame_weights(Dataset.open(overridden_dataset), [0, 1, 2, 3], source)
    by_policy = np.repeat([False, True, False, True], LENGTHS)
    raw = np.where(np.arange(44) % 3 == 0, 4.0, np.where(by_policy, 0.0, 1.0))
    assert found == pytest.approx(raw / raw.mean())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"weight": "length >"}, "is no SQL expression"),
        ({"weight": "-1"}, "is -1.0 for episode 0"),
        ({"weight": "NULL"}, "is None for episode 0"),
        ({"weight": "0"}, "nothing would be learnt"),
        ({"intervention_weight": 2.0}, "has no column 'intervention'"),
        ({"policy_weight": 0.0}, "policy_weight: .* has no column 'intervention'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(small_dataset, source, says):
    with pytest.raises(UsageError, match=says):
        frame_weights(Dataset.open(small_dataset), [0, 1, 2, 3], DatasetSource(**source))


def test_equal_weights_change_nothing_and_others_do(small_dataset, tmp_path):
    for name, flags in {"none": [], "two": ["2"], "late": ["episode_index"]}.items():
        given = [f"--dataset.weight={flag}" for flag in flags]
        assert train(small_dataset, tmp_path / name, "--steps=5", *given) == 0
    plain, twos, late = (weights(tmp_path / name, 5) for name in ("none", "two", "late"))
    assert all(torch.allclose(plain["raw"][key], twos["raw"][key], atol=1e-6) for key in plain["raw"])
    assert not same(plain, late)


def test_a_negative_weight_of_interventions_is_refused(small_dataset, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "run", "--dataset.intervention_weight=-1") == 2
    assert "must be at least 0" in one_line(capsys)
