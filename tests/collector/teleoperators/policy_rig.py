"""Small, untrained policies as training leaves them, and what a robot shows them."""

from types import SimpleNamespace

import numpy as np
import torch

from collector.teleoperators.policy import Policy, PolicyConfig

STATE, SCENE, ACTION = "observation.state", "observation.environment_state", "action"
JOINTS = ["b.pos", "a.pos"]


def save_policy(folder, kind="bc", joints=JOINTS, scene=("x", "y"), **settings):
    """Save a small, untrained policy with its processors, as training leaves it."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.configs.parser import load_plugin
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

    load_plugin("training.policies")
    defaults = {"device": "cpu", "horizon": 4, "n_action_steps": 2, "hidden_dim": 16, "fps": 20}
    config = make_policy_config(kind, **{**defaults, **settings})
    config.input_features = {STATE: PolicyFeature(FeatureType.STATE, (len(joints),))}
    stats = {
        key: {"mean": np.zeros(n), "std": np.ones(n)}
        for key, n in ((STATE, len(joints)), (ACTION, len(joints)))
    }
    if scene:
        config.input_features[SCENE] = PolicyFeature(FeatureType.ENV, (len(scene),))
        stats[SCENE] = {"mean": np.zeros(len(scene)), "std": np.ones(len(scene))}
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (len(joints),))}
    config.action_feature_names = config.state_feature_names = list(joints)
    config.environment_state_names = list(scene) or None
    torch.manual_seed(0)
    policy = get_policy_class(kind)(config=config)
    policy.save_pretrained(folder)
    for processor in make_pre_post_processors(config, dataset_stats=stats):
        processor.save_pretrained(folder)
    return policy


def connected(folder, **settings):
    pilot = Policy(PolicyConfig(path=str(folder), **settings))
    pilot.connect()
    return pilot


def observation(a=1.0, b=2.0, scene=(3.0, 4.0)):
    return {"a.pos": a, "b.pos": b, "environment_state": np.array(scene, np.float32)}


def robot_with(observed, acted, scene=None, **more):
    task = SimpleNamespace(environment_state_names=scene) if scene else None
    features = dict.fromkeys(observed, float)
    return SimpleNamespace(
        name="some_arm",
        observation_features=features,
        action_features=dict.fromkeys(acted, float),
        task=task,
        **more,
    )
