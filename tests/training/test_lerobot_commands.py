"""Our policies under lerobot's own commands: trained by lerobot-train's parts, flown by lerobot-rollout itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import demodeck

PROJECT = Path(__file__).parents[2]
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]


@pytest.mark.parametrize("kind", ["bc", "action_diffusion"])
def test_lerobot_trains_them(small_dataset, kind):
    """The calls of lerobot-train: features, windows, names and rate come from the dataset by themselves."""
    from lerobot.configs.parser import load_plugin
    from lerobot.datasets.dataset_metadata import LeRobotDatasetMetadata
    from lerobot.datasets.factory import resolve_delta_timestamps
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    from lerobot.policies.factory import make_policy, make_policy_config, make_pre_post_processors

    load_plugin("training.policies")
    meta = LeRobotDatasetMetadata("lab/small", root=small_dataset)
    config = make_policy_config(kind, device="cpu", hidden_dim=16, horizon=4, n_action_steps=2)
    policy = make_policy(config, ds_meta=meta)
    assert (config.fps, config.action_feature_names) == (20, ["a.pos", "b.pos", "c.pos"])
    assert config.environment_state_names == ["x", "y"]
    dataset = LeRobotDataset(
        "lab/small", root=small_dataset, delta_timestamps=resolve_delta_timestamps(config, meta)
    )
    loader = torch.utils.data.DataLoader(dataset, batch_size=8)
    before, _ = make_pre_post_processors(config, dataset_stats=meta.stats)
    optimizer = config.get_optimizer_preset().build(policy.get_optim_params())
    scheduler = config.get_scheduler_preset().build(optimizer, 6)
    policy.train()
    start = [p.detach().clone() for p in policy.parameters()]
    for batch in loader:
        loss, _ = policy.forward(before(batch))
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(start, policy.parameters()))


@pytest.mark.slow
def test_lerobot_rollout_flies_them(write_dataset, tmp_path):
    """The whole command, on the simulated arm: a policy of state alone, which lerobot's own refuse to be."""
    columns = ["observation.state", "action"]
    root = write_dataset(
        tmp_path / "data", lengths=(30,), joints=[f"{joint}.pos" for joint in JOINTS], columns=columns
    )
    run = tmp_path / "run"
    flags = ["--policy.type=bc", "--policy.hidden_dim=16", f"--dataset.root={root}", "--steps=3"]
    assert demodeck.main(["train", *flags, f"--output_dir={run}"]) == 0
    command = [
        *[sys.executable, "-m", "lerobot.scripts.lerobot_rollout"],
        # Any prefix but `policy` does: lerobot takes its own flag `--policy.discover_packages_path` for a
        # setting of the policy as soon as --policy.path is given.
        "--policies.discover_packages_path=training.policies",
        "--robot.discover_packages_path=collector.robots",
        f"--policy.path={run / 'checkpoints' / 'last' / 'pretrained_model'}",
        *["--robot.type=sim_so101", "--robot.cameras=[]", "--duration=1", "--fps=20", "--task=move"],
    ]
    env = os.environ | {"PYTHONPATH": str(PROJECT), "HF_HOME": str(tmp_path / "hf-home")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Duration limit reached" in done.stderr + done.stdout
    assert "Rollout finished" in done.stderr + done.stdout
