"""lerobot's own policies through `demodeck train`: fed as lerobot feeds them, and resumed to the same bits."""

from __future__ import annotations

import shutil

import pytest
import torch
from test_train_command import one_line, same, train, weights

from collector.dataset.reader import Dataset
from training.images import open_images
from training.lerobot_policies import batches, first_frames, statistics
from training.train import policy_frames

ACT = ["--policy.type=act", "--policy.dim_model=16", "--policy.n_heads=2", "--policy.dim_feedforward=16"]
ACT += ["--policy.chunk_size=4", "--policy.n_action_steps=2", "--policy.pretrained_backbone_weights=null"]
ACT += ["--batch_size=8", "--num_threads=1", "--policy.device=cpu"]
CAMERA = "observation.images.front"


def test_batch_and_loss_are_those_of_lerobots_own_pipeline(filmed_dataset):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.utils.constants import IMAGENET_STATS
    from lerobot.utils.feature_utils import dataset_to_policy_features

    dataset = Dataset.open(filmed_dataset)
    features = dataset_to_policy_features(dataset.features)
    config = ACTConfig(
        input_features={key: ft for key, ft in features.items() if key != "action"},
        output_features={"action": features["action"]},
        chunk_size=4, n_action_steps=2, dim_model=16, n_heads=2, dim_feedforward=16, device="cpu",
        pretrained_backbone_weights=None,
    )  # fmt: skip
    episodes = list(range(dataset.num_episodes))
    frames = policy_frames(config, dataset, episodes)
    frames.images[CAMERA] = open_images(dataset, CAMERA, episodes, "memory", filmed_dataset)
    preprocessor, _ = make_pre_post_processors(config, dataset_stats=statistics(frames))
    index = torch.tensor([0, 6, 7, 20, 43])
    ours = batches(frames, preprocessor)(index)

    deltas = {"action": [step / 20 for step in config.action_delta_indices]}
    plain = LeRobotDataset("lab/small", root=filmed_dataset, delta_timestamps=deltas, video_backend="pyav")
    stats = plain.meta.stats | {CAMERA: {key: torch.tensor(value) for key, value in IMAGENET_STATS.items()}}
    preprocessor, _ = make_pre_post_processors(config, dataset_stats=stats)
    theirs = preprocessor(torch.utils.data.default_collate([plain[int(i)] for i in index]))
    for key in ("observation.state", "observation.environment_state", "action", CAMERA):
        assert torch.allclose(ours[key], theirs[key], atol=1e-5), key
    assert torch.equal(ours["action_is_pad"], theirs["action_is_pad"])
    assert ours["task"] == theirs["task"]
    policy = ACTPolicy(config).train()
    losses = []
    for batch in (ours, theirs):
        torch.manual_seed(0)
        losses.append(policy.forward(batch)[0].item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_run_is_resumed_to_the_same_bits_and_flies(filmed_dataset, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(filmed_dataset, whole, *ACT, "--steps=4", "--save_freq=2", kind=None) == 0
    shutil.copytree(whole, broken, symlinks=True)
    shutil.rmtree(broken / "checkpoints" / "000004")
    (broken / "checkpoints" / "last").unlink()
    assert train(None, broken, "--resume=true", kind=None) == 0
    assert same(weights(whole, 4), weights(broken, 4))

    from collector.teleoperators.policy import Policy, PolicyConfig

    pilot = Policy(PolicyConfig(path=str(broken), device="cpu"))
    assert (pilot.fps, pilot.cameras) == (20, ["front"])
    pilot.connect()
    picture = torch.zeros((32, 48, 3), dtype=torch.uint8).numpy()
    pilot.observe(
        {"a.pos": 0.0, "b.pos": 0.0, "c.pos": 0.0, "environment_state": [0.0, 0.0], "front": picture}
    )
    assert len(pilot.get_action()) == 3


def test_diffusion_leaves_out_the_frames_that_lerobot_leaves_out(small_dataset):
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
    from lerobot.utils.feature_utils import dataset_to_policy_features

    dataset = Dataset.open(small_dataset)
    features = dataset_to_policy_features(dataset.features)
    config = DiffusionConfig(
        input_features={key: ft for key, ft in features.items() if key != "action"},
        output_features={"action": features["action"]}, horizon=8, n_action_steps=4, drop_n_last_frames=6,
    )  # fmt: skip
    frames = policy_frames(config, dataset, [0, 1, 2, 3])
    # Episodes of 7, 12, 5 and 20 frames.
    assert first_frames(config, frames).tolist() == [0, *range(7, 13), *range(24, 38)]


def test_what_such_a_policy_cannot_is_refused(small_dataset, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "run", *ACT, "--dataset.weight=1 + episode_index", kind=None) == 2
    assert "cannot weigh frames" in one_line(capsys)
    assert train(small_dataset, tmp_path / "run", "--policy.type=actt", kind=None) == 2
    assert "bc, or one of lerobot's own: act, diffusion" in one_line(capsys)
