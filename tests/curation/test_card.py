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


def test_what_it_was_made_of_is_told_and_the_version_is_pinned(arm, curate, tmp_path):
    curate("edit", "drop", "arm", "2,5", "--output", "less")
    curate("edit", "drop", "less", "--where", "length < 0 or episode_index = 1", "--output", "fewer")
    text = dataset_card(Dataset.open(tmp_path / "fewer"), "ann/arm", versions=["v2", "good"])
    assert (
        "Made by `demodeck edit`: drop (where length < 0 or episode_index = 1) from 12 episodes of 'less', which was "
        "made by drop (episodes 2,5) from 14 episodes of 'arm'. Verdicts:"
    ) in text
    assert 'LeRobotDataset("ann/arm", revision="v2")' in text and str(tmp_path) not in text
    for odd in (
        "[]",
        '{"sources": 3, "verb": {}}',
        '{"decisions": {}, "verb": "x", "sources": [{"episodes": "y"}]}',
    ):
        (tmp_path / "fewer" / "curation" / "edit.json").write_text(odd)
        assert "Made by `demodeck edit`" not in dataset_card(Dataset.open(tmp_path / "fewer"), "ann/arm")


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
