"""Windows over frames in memory equal plain lerobot's, bit for bit; batches depend on seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from collector.dataset.reader import Dataset
from collector.errors import DataError
from training.data import BatchOrder, EpisodeFrames
from training.source import load_frames

STATE, SCENE, ACTION = "observation.state", "observation.environment_state", "action"


@pytest.mark.parametrize("episodes", [None, [1, 3], [2]])
def test_batches_equal_lerobots_delta_timestamps(small_dataset, episodes):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    deltas = {STATE: [-2, -1, 0], SCENE: None, ACTION: list(range(-1, 9))}
    theirs = LeRobotDataset(
        "lab/small",
        root=small_dataset,
        episodes=episodes,
        delta_timestamps={key: [d / 20 for d in delta] for key, delta in deltas.items() if delta},
    )
    ours = load_frames(Dataset.open(small_dataset), episodes or [0, 1, 2, 3], deltas)
    assert len(ours) == len(theirs)
    batch = ours.batch(torch.arange(len(ours)))
    collated = torch.utils.data.default_collate([theirs[i] for i in range(len(theirs))])
    for key in (STATE, SCENE, ACTION, f"{STATE}_is_pad", f"{ACTION}_is_pad"):
        assert batch[key].dtype == collated[key].dtype
        assert torch.equal(batch[key], collated[key])


def test_stats_are_those_of_the_chosen_frames_alone(small_dataset):
    dataset = Dataset.open(small_dataset)
    frames = load_frames(dataset, [1, 3], {STATE: None})
    exact = dataset.exact_stats([STATE], [1, 3])[STATE]
    assert frames.stats()[STATE]["mean"] == pytest.approx(exact["mean"], rel=1e-5)
    assert frames.stats()[STATE]["std"] == pytest.approx(exact["std"], rel=1e-5)


def test_an_entry_that_never_changes_is_not_blown_up():
    column = np.stack([np.linspace(0, 1, 10), np.full(10, 0.3)], axis=1)
    std = EpisodeFrames.of({STATE: column}, [10]).stats()[STATE]["std"]
    assert std == pytest.approx([column[:, 0].std(), 1.0], rel=1e-5)


def test_single_entries_become_vectors():
    frames = EpisodeFrames.of({"action": np.arange(5.0)}, [2, 3], {"action": [0, 1]})
    assert frames.batch(torch.tensor([1, 2]))["action"].tolist() == [[[1], [1]], [[2], [3]]]


def test_nan_is_refused_with_its_place():
    column = np.zeros((6, 2))
    column[4, 1] = np.nan
    with pytest.raises(DataError, match=r"1 frames with NaN.*frame 1 of .*episode 1"):
        EpisodeFrames.of({STATE: column}, [3, 3])


def test_a_column_of_another_length_is_refused():
    with pytest.raises(DataError, match="has 4 frames, the episodes 6"):
        EpisodeFrames.of({STATE: np.zeros((4, 2))}, [3, 3])


def test_each_epoch_visits_every_frame_once_in_another_order():
    order = BatchOrder(n_frames=10, batch_size=4, seed=3)
    drawn = torch.cat([order.indices(step) for step in range(5)])
    assert sorted(drawn[:10].tolist()) == list(range(10)) == sorted(drawn[10:].tolist())
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_a_batch_is_a_function_of_seed_and_step():
    order = BatchOrder(10, 4, seed=3)
    late = order.indices(7)
    order.indices(0)
    assert torch.equal(order.indices(7), late)
    assert torch.equal(BatchOrder(10, 4, seed=3).indices(7), late)
    assert not torch.equal(BatchOrder(10, 4, seed=4).indices(7), late)


def test_a_batch_larger_than_the_data_repeats_whole_epochs():
    drawn = BatchOrder(n_frames=3, batch_size=7, seed=0).indices(0)
    assert sorted(drawn[:3].tolist()) == sorted(drawn[3:6].tolist()) == [0, 1, 2]
