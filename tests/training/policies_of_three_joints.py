"""Small policies and batches for tests: 3 joints, 2 scene entries, 3 actions, and a camera where wanted."""

from __future__ import annotations

import torch
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.factory import get_policy_class

from training.policies.action_diffusion import ActionDiffusionConfig
from training.policies.bc import BcConfig

STATE, SCENE, ACTION = "observation.state", "observation.environment_state", "action"
CAMERA = "observation.images.front"
CONFIGS = {"bc": BcConfig, "action_diffusion": ActionDiffusionConfig}
FEATURES = {
    STATE: PolicyFeature(FeatureType.STATE, (3,)),
    SCENE: PolicyFeature(FeatureType.ENV, (2,)),
    CAMERA: PolicyFeature(FeatureType.VISUAL, (3, 24, 32)),
}


def small(kind, picture=FEATURES[CAMERA].shape, **settings):
    """A small policy of type `kind`, of pictures of shape (channels, height, width)."""
    defaults = {
        "device": "cpu",
        "horizon": 4,
        "n_action_steps": 2,
        "hidden_dim": 64,
        "observation_noise": 0.0,
    }
    config = CONFIGS[kind](**{**defaults, **settings})
    config.input_features = {**FEATURES, CAMERA: PolicyFeature(FeatureType.VISUAL, picture)}
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (3,))}
    torch.manual_seed(0)
    return get_policy_class(kind)(config=config)


def some_batch(n=8, horizon=4, seed=1, n_obs_steps=None, picture=FEATURES[CAMERA].shape):
    """A batch as lerobot's loaders make it; with `n_obs_steps`, observations have a window axis."""
    generator = torch.Generator().manual_seed(seed)
    window = () if n_obs_steps is None else (n_obs_steps,)
    return {
        STATE: torch.randn(n, *window, 3, generator=generator),
        SCENE: torch.randn(n, *window, 2, generator=generator),
        ACTION: torch.randn(n, horizon, 3, generator=generator),
        "action_is_pad": torch.zeros(n, horizon, dtype=torch.bool),
        CAMERA: torch.rand(n, *window, *picture, generator=generator),
    }
