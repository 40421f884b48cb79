"""The dataset card says what is in the data, and survives odd text."""

import yaml

from collector.dataset.reader import Dataset
from curation.card import dataset_card


def test_facts_columns_and_curation(arm, curate):
    text = dataset_card(Dataset.open(arm), "ann/arm")
    assert "No checks were run." in text and "undecided 14" in text
    curate("score", "arm", "--drop-faults")
    text = dataset_card(Dataset.open(arm), "ann/arm")
    assert "| success | 13 of 14 (93 %) |" in text and "| flown by | scripted |" in text
    assert "| `glitch` | 14 |" in text and "drop 3, undecided 11" in text
    assert "`action` | float32 | 6 | shoulder_pan.pos" in text
    assert 'LeRobotDataset("ann/arm")' in text
    assert "Move the cube, way 0" in text


def test_odd_names_keep_the_front_matter_valid(arm):
    dataset = Dataset.open(arm)
    dataset.info["robot_type"] = "arm: 'left' # \"2\"\n- x"
    text = dataset_card(dataset, "ann/arm", "other", ["a: b", "null"])
    front = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert front["tags"] == ["LeRobot", "robotics", "arm: 'left' # \"2\"\n- x", "a: b", "null"]


def test_a_dataset_without_any_of_our_columns(tmp_path, pytestconfig):
    import pytest

    root = pytestconfig.rootpath.parent / "shared" / "data" / "pusht_human"
    if not root.exists():
        pytest.skip("the human PushT data are not beside the project")
    text = dataset_card(Dataset.open(root), "ann/pusht")
    assert "| episodes | 206 |" in text and "privileged" not in text
