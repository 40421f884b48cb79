"""Images in memory, on disk and streamed are those that lerobot decodes; training on each is the same, to the bit."""

from __future__ import annotations

import shutil

import pytest
import torch
from test_train_command import one_line, same, train, weights

from collector.dataset.reader import Dataset
from collector.errors import DataError, UsageError
from training.data import EpisodeFrames
from training.images import StreamedImages, choose_cache, open_images
from training.source import load_frames

CAMERA, STATE = "observation.images.front", "observation.state"
CHOSEN, WINDOW = [1, 3], [-2, 0, 1]


@pytest.fixture(scope="module")
def lerobots(filmed_dataset):
    """All windows of the chosen episodes, as lerobot's own dataset gives them."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    theirs = LeRobotDataset(
        "lab/small",
        root=filmed_dataset,
        episodes=CHOSEN,
        delta_timestamps={key: [d / 20 for d in WINDOW] for key in (CAMERA, STATE)},
        video_backend="pyav",
    )
    return torch.utils.data.default_collate([theirs[i] for i in range(len(theirs))])


@pytest.mark.parametrize("cache", ["memory", "disk", "stream"])
def test_image_windows_are_those_of_lerobot(filmed_dataset, lerobots, tmp_path, cache):
    dataset = Dataset.open(filmed_dataset)
    frames: EpisodeFrames = load_frames(dataset, CHOSEN, {STATE: WINDOW})
    frames.images[CAMERA] = open_images(dataset, CAMERA, CHOSEN, cache, tmp_path)
    frames.deltas[CAMERA] = WINDOW
    batch = frames.batch(torch.arange(len(frames)))
    assert batch[CAMERA].dtype == torch.uint8
    assert batch[CAMERA].shape == (32, 3, 3, 32, 48)
    assert torch.equal(batch[CAMERA].float() / 255, lerobots[CAMERA])
    assert torch.equal(batch[f"{CAMERA}_is_pad"], lerobots[f"{CAMERA}_is_pad"])
    assert torch.equal(batch[STATE], lerobots[STATE])


def test_images_that_are_prefetched_are_the_same_and_leave_nothing_behind(filmed_dataset, tmp_path):
    dataset = Dataset.open(filmed_dataset)
    whole = open_images(dataset, CAMERA, CHOSEN, "memory", tmp_path)
    streamed = open_images(dataset, CAMERA, CHOSEN, "stream", tmp_path)
    assert isinstance(streamed, StreamedImages)
    index = torch.tensor([[31, 0, 0], [12, 11, 30]])
    streamed.prefetch(index)
    assert torch.equal(streamed[index], whole[index])
    assert not streamed._ahead


def test_a_whole_file_on_disk_is_taken_and_a_broken_one_made_again(filmed_dataset, tmp_path):
    dataset = Dataset.open(filmed_dataset)
    first = open_images(dataset, CAMERA, CHOSEN, "disk", tmp_path).clone()
    path = tmp_path / f"{CAMERA}.u8"
    before = path.stat().st_mtime_ns
    open_images(dataset, CAMERA, CHOSEN, "disk", tmp_path)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"cut short")
    assert torch.equal(open_images(dataset, CAMERA, CHOSEN, "disk", tmp_path), first)


def test_the_first_cache_with_room_is_chosen(tmp_path):
    assert choose_cache(1000, tmp_path / "not" / "there") == "memory"
    assert choose_cache(1 << 60, tmp_path) == "stream"
    with pytest.raises(UsageError, match="memory, disk, stream"):
        open_images(None, CAMERA, [], "ram", tmp_path)


def test_a_video_that_is_missing_is_named(filmed_dataset, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(filmed_dataset, root)
    shutil.rmtree(root / "videos")
    with pytest.raises(DataError, match="is missing"):
        open_images(Dataset.open(root), CAMERA, CHOSEN, "memory", tmp_path)


SEEN = [f"--policy.inputs=[{STATE},{CAMERA}]", "--policy.image_size=24", "--policy.n_obs_steps=2"]


def test_training_on_images_is_the_same_from_every_cache(filmed_dataset, tmp_path):
    for cache in ("memory", "disk", "stream"):
        flags = [*SEEN, f"--image_cache={cache}", "--steps=6", "--policy.n_layers=1"]
        assert train(filmed_dataset, tmp_path / cache, *flags) == 0
    runs = [weights(tmp_path / cache, 6) for cache in ("memory", "disk", "stream")]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_a_camera_that_the_data_lacks_is_named(small_dataset, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "run", f"--policy.inputs=[{CAMERA}]") == 2
    assert f"no column '{CAMERA}'" in one_line(capsys)
