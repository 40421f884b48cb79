"""The policies as lerobot sees them: they fit, sample by their formulas, and load through its factories."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lerobot.configs import FeatureType, PolicyFeature, PreTrainedConfig
from lerobot.configs.parser import load_plugin
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from policies_of_three_joints import ACTION, SCENE, STATE, small, some_batch

from collector.errors import UsageError
from training.policies.action_diffusion import ActionDiffusionConfig, ActionDiffusionPolicy
from training.policies.bc import BcConfig, BcPolicy

KINDS = ["bc", "action_diffusion"]


@pytest.mark.parametrize("kind", KINDS)
def test_actions_come_from_a_queue_that_reset_empties(kind):
    policy, batch = small(kind), some_batch(n=1)
    noise = torch.zeros(1, 4, 3)
    chunk = policy.predict_action_chunk(batch, noise)
    first = policy.select_action(batch, noise)
    other = some_batch(n=1, seed=2)
    second = policy.select_action(other, noise)  # still the first observation's chunk
    assert torch.equal(first, chunk[:, 0])
    assert torch.equal(second, chunk[:, 1])
    third = policy.select_action(other, noise)
    assert torch.equal(third, policy.predict_action_chunk(other, noise)[:, 0])
    policy.reset()
    assert torch.equal(policy.select_action(batch, noise), chunk[:, 0])


def test_padding_is_masked_only_when_asked():
    policy, batch = small("bc"), some_batch()
    batch["action_is_pad"][:, 2:] = True
    error = (policy.predict_action_chunk(batch) - batch[ACTION]) ** 2
    assert float(policy.forward(batch)[0].detach()) == pytest.approx(float(error.mean()))
    policy.config.mask_padding = True
    assert float(policy.forward(batch)[0].detach()) == pytest.approx(float(error[:, :2].mean()))
    per_sample = policy.forward(batch, reduction="none")[0]
    assert per_sample.detach().numpy() == pytest.approx(error[:, :2].mean((1, 2)).detach().numpy())


def test_training_alone_adds_observation_noise():
    policy, batch = small("bc", observation_noise=0.5), some_batch()
    policy.eval()
    assert torch.equal(policy.forward(batch)[0], policy.forward(batch)[0])
    policy.train()
    assert not torch.equal(policy.forward(batch)[0], policy.forward(batch)[0])


def test_diffusion_trains_towards_the_clean_chunk():
    """Its loss is ||f(s, sqrt(abar) a + sqrt(1 - abar) eps, k) - a||^2, worked out with the same draws."""
    policy, batch = small("action_diffusion", num_train_timesteps=10), some_batch()
    torch.manual_seed(5)
    k = 1 + torch.randint(10, (8,))
    noise = torch.randn(8, 4, 3)
    # Nichol & Dhariwal: alpha_bar(t) = cos((t + 0.008) / 1.008 * pi / 2)^2, by ratios, beta <= 0.999.
    wave = [math.cos((t / 10 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(11)]
    alpha_bar = np.cumprod([max(wave[i + 1] / wave[i], 1 - 0.999) for i in range(10)])
    abar = torch.tensor(alpha_bar[k.numpy() - 1], dtype=torch.float32)[:, None, None]
    noisy = abar.sqrt() * batch[ACTION] + (1 - abar).sqrt() * noise
    observation = torch.cat([batch[STATE], batch[SCENE]], dim=1)
    expected = ((policy.denoise(observation, noisy, k) - batch[ACTION]) ** 2).mean()
    torch.manual_seed(5)
    assert float(policy.forward(batch)[0].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_window_is_learnt_from_by_several_noises_at_once():
    batch = some_batch(n=2)
    batch["action_is_pad"][1, 2:] = True
    one, four = (small("action_diffusion", noise_draws=n, mask_padding=True) for n in (1, 4))
    torch.manual_seed(5)
    together = four.forward(batch, reduction="none")[0]
    torch.manual_seed(5)
    repeated = {key: values.repeat_interleave(4, dim=0) for key, values in batch.items()}
    apart = one.forward(repeated, reduction="none")[0]
    assert together.shape == (2,)
    assert torch.allclose(together, apart.view(2, 4).mean(1), rtol=1e-5)
    with pytest.raises(UsageError, match="noise_draws=0"):
        small("action_diffusion", noise_draws=0)


def with_denoiser(policy):
    """Replace the network by one whose answers are easy to follow: half its input less the levels below."""
    policy.denoiser_at = lambda observation, levels, known: (
        lambda noisy, step: noisy / 2 - 0.01 * (levels[step] - 1)
    )
    return policy


def test_literal_feeds_the_clean_estimate_back():
    policy = with_denoiser(
        small("action_diffusion", sampler="literal", num_train_timesteps=3, num_inference_steps=1)
    )
    start = torch.full((1, 4, 3), 8.0)
    # k = 3, 2, 1: 8 -> 4 - .02 -> 1.99 - .01 -> .99
    assert policy.predict_action_chunk(some_batch(1), start).numpy() == pytest.approx(0.99)


def test_ddim_renoises_to_the_next_level():
    policy = with_denoiser(small("action_diffusion", num_train_timesteps=4, num_inference_steps=2))
    start = torch.full((1, 4, 3), 0.8)
    alpha_bar = policy.path.signal[1:].double().numpy() ** 2
    # Two steps, from k = 4 and k = 2; a' = sqrt(abar') x0 + sqrt(1 - abar') eps.
    clean = 0.8 / 2 - 0.03
    eps = (0.8 - math.sqrt(alpha_bar[3]) * clean) / math.sqrt(1 - alpha_bar[3])
    middle = math.sqrt(alpha_bar[1]) * clean + math.sqrt(1 - alpha_bar[1]) * eps
    expected = middle / 2 - 0.01
    assert policy.predict_action_chunk(some_batch(1), start).numpy() == pytest.approx(expected, rel=1e-5)


def test_ddpm_draws_from_the_posterior():
    policy = with_denoiser(
        small("action_diffusion", sampler="ddpm", num_train_timesteps=2, num_inference_steps=1)
    )
    start = torch.full((20000, 4, 3), 0.8)
    alpha_bar = policy.path.signal[1:].double().numpy() ** 2
    alpha, beta = alpha_bar[1] / alpha_bar[0], 1 - alpha_bar[1] / alpha_bar[0]
    clean = 0.8 / 2 - 0.01
    # Ho et al. 2020, eq. 7.
    mean = (math.sqrt(alpha_bar[0]) * beta * clean + math.sqrt(alpha) * (1 - alpha_bar[0]) * 0.8) / (
        1 - alpha_bar[1]
    )
    variance = (1 - alpha_bar[0]) / (1 - alpha_bar[1]) * beta
    torch.manual_seed(0)
    chunk = policy.predict_action_chunk(some_batch(20000), start).double()
    # The last step (level 0) is deterministic: half of a sample of the posterior.
    assert float(chunk.mean()) == pytest.approx(mean / 2, abs=3e-3)
    assert float(chunk.var()) == pytest.approx(variance / 4, rel=0.05)


def test_clean_estimates_are_clipped():
    policy = small("action_diffusion", clip_sample_range=0.25, num_inference_steps=2)
    policy.denoiser_at = lambda observation, levels, known: lambda noisy, step: torch.full_like(noisy, 9.0)
    assert float(policy.predict_action_chunk(some_batch(1)).max()) <= 0.25 + 1e-6


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("bc", {"n_action_steps": 9}, "between 1 and --policy.horizon"),
        ("bc", {"n_obs_steps": 0}, "at least 1"),
        ("bc", {"n_obs_steps": 4}, r"n_obs_steps \+ 1 \(1\)"),
        ("bc", {"head": "gnn"}, "choose one of mse, gmm"),
        ("bc", {"n_modes": 0}, "at least 1"),
        ("action_diffusion", {"sampler": "heun"}, "ddim, ddpm, literal, euler"),
        ("action_diffusion", {"sampler": "euler"}, "noise_schedule=flow, not cosine"),
        ("action_diffusion", {"network": "cnn"}, "mlp, unet, transformer"),
        ("action_diffusion", {"noise_schedule": "sigmoid"}, "cosine, linear, flow"),
        ("action_diffusion", {"prediction_type": "sample"}, "x0, epsilon, velocity"),
        ("action_diffusion", {"prediction_type": "epsilon", "noise_schedule": "flow"}, "noise alone"),
        ("action_diffusion", {"num_inference_steps": 101}, "between 1 and --policy.num_train_timesteps"),
    ],
)
def test_settings_that_do_not_fit_are_refused(kind, settings, says):
    with pytest.raises(UsageError, match=says):
        small(kind, **settings)


def test_images_are_ignored_and_nothing_else_to_see_is_refused():
    config = BcConfig(device="cpu")
    config.input_features = {"observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, 8, 8))}
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (3,))}
    with pytest.raises(ValueError, match="has neither"):
        BcPolicy(config)
    config.input_features = {
        "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, 8, 8)),
        STATE: PolicyFeature(FeatureType.STATE, (3,)),
    }
    assert list(BcPolicy(config).config.input_features) == [STATE]


@pytest.mark.parametrize("kind", KINDS)
def test_saved_policy_loads_through_lerobots_factories(kind, tmp_path):
    """The very calls of lerobot-rollout (get_policy_class, from_pretrained, make_pre_post_processors)."""
    load_plugin("training.policies")
    policy = small(kind)
    stats = {
        STATE: {"mean": np.arange(3.0), "std": np.full(3, 2.0)},
        SCENE: {"mean": np.zeros(2), "std": np.ones(2)},
        ACTION: {"mean": np.full(3, 10.0), "std": np.full(3, 5.0)},
    }
    before, after = make_pre_post_processors(policy.config, dataset_stats=stats)
    policy.save_pretrained(tmp_path)
    before.save_pretrained(tmp_path)
    after.save_pretrained(tmp_path)

    config = PreTrainedConfig.from_pretrained(tmp_path)
    config.pretrained_path = tmp_path
    loaded = get_policy_class(config.type).from_pretrained(tmp_path, config=config)
    for name, weights in policy.state_dict().items():
        assert torch.equal(weights, loaded.state_dict()[name])
    before, after = make_pre_post_processors(
        config,
        pretrained_path=str(tmp_path),
        preprocessor_overrides={
            "device_processor": {"device": "cpu"},
            "rename_observations_processor": {"rename_map": {}},
        },
    )
    torch.manual_seed(3)
    action = after(loaded.select_action(before({STATE: torch.full((1, 3), 4.0), SCENE: torch.ones(1, 2)})))
    seen = {STATE: (torch.full((1, 3), 4.0) - torch.arange(3)) / (2 + 1e-8), SCENE: torch.ones(1, 2)}
    torch.manual_seed(3)
    expected = policy.predict_action_chunk(seen)[:, 0] * 5 + 10
    assert torch.allclose(action, expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_policy_loads_as_in_lerobot_eval(kind, tmp_path):
    """lerobot-eval builds from an environment's config: make_policy(cfg, env_cfg=...)."""
    from lerobot.envs.configs import PushtEnv
    from lerobot.policies.factory import make_policy

    load_plugin("training.policies")
    env = PushtEnv(obs_type="environment_state_agent_pos")
    config = {"bc": BcConfig, "action_diffusion": ActionDiffusionConfig}[kind](device="cpu", hidden_dim=32)
    made = make_policy(config, env_cfg=env)  # a fresh one takes the environment's features
    assert config.observation_dim == 18
    assert config.action_dim == 2
    made.save_pretrained(tmp_path)
    config = PreTrainedConfig.from_pretrained(tmp_path)
    config.pretrained_path = tmp_path
    loaded = make_policy(config, env_cfg=env)
    assert isinstance(loaded, BcPolicy if kind == "bc" else ActionDiffusionPolicy)
    for name, weights in made.state_dict().items():
        assert torch.equal(weights, loaded.state_dict()[name])
    observation = {STATE: torch.zeros(3, 2), SCENE: torch.zeros(3, 16)}
    assert loaded.select_action(observation).shape == (3, 2)
