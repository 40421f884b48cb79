"""What was learnt in a simulator, as a lerobot policy of type `bc`.

`Actor` and `bc` with `squash` are the same network; means, spreads and the actions' box go into lerobot's
normalising pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature
from lerobot.utils.constants import ACTION, OBS_ENV_STATE, OBS_STATE

from collector.errors import MismatchError
from training.irl.actor import HIGH, LOW, MEAN, NETWORK, STD, STEPS
from training.policies.bc import BcConfig, BcPolicy, make_bc_pre_post_processors


@dataclass(frozen=True)
class Rig:
    """What a policy must know of the robot that it flies.

    Attributes:
        state: Names of `observation.state`'s entries.
        environment: Names of `observation.environment_state`'s entries; empty where there is none.
        action: Names of the actions.
        fps: Control rate [Hz].
    """

    state: Sequence[str]
    environment: Sequence[str]
    action: Sequence[str]
    fps: int


def lerobot_policy(
    policy: Mapping[str, np.ndarray], rig: Rig
) -> tuple[BcPolicy, dict[str, dict[str, torch.Tensor]]]:
    """Return a kept policy as lerobot's, and the statistics that its pipelines normalise by.

    Args:
        policy: As `Actor.policy` gives it.
        rig: As `Rig`.

    Raises:
        MismatchError: If the policy's sizes are not the rig's.
    """
    n_seen, n_actions = len(rig.state) + len(rig.environment), len(rig.action)
    if len(policy[MEAN]) != n_seen or len(policy[LOW]) != n_actions:
        raise MismatchError(
            f"the policy sees {len(policy[MEAN])} numbers and gives {len(policy[LOW])}, the robot shows {n_seen} and "
            f"takes {n_actions}: it was learnt on another robot"
        )
    layers = [name for name in policy if name.startswith(NETWORK) and name.endswith("weight")]
    weights = sorted(layers, key=lambda name: int(name.split(".")[1]))
    horizon = len(policy[weights[-1]]) // n_actions
    config = BcConfig(
        horizon=horizon,
        n_action_steps=int(policy[STEPS]),
        hidden_dim=len(policy[weights[0]]),
        n_layers=len(weights) - 1,
        squash=True,
        device="cpu",
        normalization_mapping={
            "STATE": NormalizationMode.MEAN_STD,
            "ENV": NormalizationMode.MEAN_STD,
            "ACTION": NormalizationMode.MIN_MAX,
        },
        fps=rig.fps,
        action_feature_names=list(rig.action),
        state_feature_names=list(rig.state),
        environment_state_names=list(rig.environment) or None,
    )
    config.input_features = {OBS_STATE: PolicyFeature(FeatureType.STATE, (len(rig.state),))}
    if rig.environment:
        config.input_features[OBS_ENV_STATE] = PolicyFeature(FeatureType.ENV, (len(rig.environment),))
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (n_actions,))}
    made = BcPolicy(config)
    network = {
        name.removeprefix(NETWORK): torch.as_tensor(v) for name, v in policy.items() if NETWORK in name
    }
    made.net.load_state_dict(network)
    mean, std = (torch.as_tensor(policy[name]).float() for name in (MEAN, STD))
    n = len(rig.state)
    stats = {
        OBS_STATE: {"mean": mean[:n], "std": std[:n]},
        OBS_ENV_STATE: {"mean": mean[n:], "std": std[n:]},
        ACTION: {"min": torch.as_tensor(policy[LOW]).float(), "max": torch.as_tensor(policy[HIGH]).float()},
    }
    return made.eval(), {
        key: value for key, value in stats.items() if key != OBS_ENV_STATE or rig.environment
    }


def save_policy(policy: Mapping[str, np.ndarray], rig: Rig, folder: Path) -> None:
    """Write a kept policy as lerobot's `pretrained_model` folder, which `demodeck eval --policy.path` flies.

    Raises:
        MismatchError: If the policy's sizes are not the rig's.
        OSError: If the disk refuses.
    """
    made, stats = lerobot_policy(policy, rig)
    folder.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(folder)
    for pipeline in make_bc_pre_post_processors(made.config, stats):
        pipeline.save_pretrained(folder)
