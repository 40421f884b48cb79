"""Every damaged, missing or foreign dataset is one line that says what to do."""

import json
import shutil

import pytest
from flown import STATE, fly, record

from collector.dataset import schema
from collector.dataset.locate import default_root, locate
from collector.dataset.reader import Dataset
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError

FEATURES = schema.features_for(STATE, STATE, {"front": (32, 32)})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets") / "whole"
    record(root, [fly(0, 4, FEATURES), fly(1, 5, FEATURES)], features=FEATURES)
    return root


@pytest.fixture
def root(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "set")
    return tmp_path / "set"


def edit_info(root, **changes):
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refused(action, *words):
    with pytest.raises((DataError, UsageError)) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_folders_that_are_no_dataset(tmp_path, root):
    refused(lambda: Dataset.open(tmp_path / "none"), "does not exist")
    (tmp_path / "empty").mkdir()
    refused(lambda: Dataset.open(tmp_path / "empty"), "no meta/info.json")
    (root / "meta" / "info.json").write_text("{")
    refused(lambda: Dataset.open(root), "info.json is damaged")


def test_other_versions(root):
    edit_info(root, codebase_version="v2.1")
    refused(
        lambda: Dataset.open(root), "v2.1", "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id="
    )
    edit_info(root, codebase_version="v4.0")
    refused(lambda: Dataset.open(root), "v4.0", "v3.0 is needed")


def test_half_written(root):
    edit_info(root, total_episodes=3)
    refused(lambda: Dataset.open(root), "half-written", "counts 3 episodes", "holds 2")
    refused(lambda: DatasetWriter.open(root), "half-written", "counts 3 episodes")
    edit_info(root, total_episodes=0)
    refused(lambda: Dataset.open(root), "no episodes", "record some")


def test_missing_and_truncated_files(root):
    video = root / "videos/observation.images.front/chunk-000/file-001.mp4"
    video.write_bytes(video.read_bytes()[:200])
    dataset = Dataset.open(root)
    assert len(list(dataset.frames(0, "observation.images.front"))) == 4
    refused(lambda: list(dataset.frames(1, "observation.images.front")), "file-001.mp4")
    refused(dataset.check_files, "file-001.mp4")
    video.unlink()
    refused(lambda: list(dataset.frames(1, "observation.images.front")), "is missing")
    data = root / "data/chunk-000/file-001.parquet"
    data.write_bytes(data.read_bytes()[:-20])
    refused(lambda: dataset.columns(["action"]), "file-001.parquet", "half-written or damaged")
    data.unlink()
    refused(lambda: Dataset.open(root), "half-written", "file-001.parquet is missing")
    table = root / "meta/episodes/chunk-000/file-001.parquet"
    table.write_bytes(table.read_bytes()[:-20])
    refused(lambda: Dataset.open(root), "file-001.parquet", "half-written or damaged")


def test_names_that_are_not_there(whole):
    dataset = Dataset.open(whole)
    refused(lambda: dataset.columns(["acton"]), "no column 'acton'", "action")
    refused(lambda: dataset.columns(["observation.images.front"]), "no column")
    refused(
        lambda: list(dataset.frames(0, "observation.images.left")), "no camera", "observation.images.front"
    )
    refused(lambda: dataset.lengths([2]), "no episode 2", "0 to 1")
    refused(lambda: dataset.exact_stats(["action"], []), "at least one episode")


def test_locate(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    refused(
        lambda: locate("me/set"), "no dataset 'me/set'", "datasets/me/set", str(tmp_path / "home" / "me/set")
    )
    shutil.copytree(whole, tmp_path / "home" / "me" / "set")
    assert locate("me/set") == tmp_path / "home" / "me" / "set"
    assert str(default_root("me/set")) == "datasets/me/set"
    shutil.copytree(whole, default_root("me/set"))
    assert locate("me/set") == default_root("me/set")
    assert locate(whole) == whole and locate("me/set", root=whole) == whole
    (tmp_path / "bare").mkdir()
    refused(lambda: locate("bare"), "no meta/info.json")
    refused(lambda: locate("me/set", root=tmp_path / "elsewhere"), "no dataset")


def test_pulled_without_videos(root):
    shutil.rmtree(root / "videos")
    assert Dataset.open(root).columns(["action"])["action"].shape == (9, 3)
