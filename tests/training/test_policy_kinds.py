"""Every head, network, prediction and input: it fits one batch, remembers past observations, and saves."""

from __future__ import annotations

import json

import pytest
import torch
from lerobot.configs import PreTrainedConfig
from lerobot.configs.parser import load_plugin
from lerobot.policies.factory import get_policy_class
from policies_of_three_joints import ACTION, CAMERA, SCENE, STATE, small, some_batch
from torch import nn

from collector.errors import UsageError
from training.policies.denoisers import NETWORKS

KINDS = [
    ("bc", {}),
    ("bc", {"head": "gmm", "n_modes": 3}),
    *[
        ("action_diffusion", {"network": network, "prediction_type": prediction})
        for network in ("mlp", "unet", "transformer")
        for prediction in ("x0", "epsilon", "velocity")
    ],
]
INPUTS = [{}, {"inputs": [CAMERA]}, {"inputs": [STATE, CAMERA], "n_obs_steps": 2, "n_action_steps": 2}]


def overfit(policy, batch, steps, lr=3e-3):
    optimizer = torch.optim.AdamW(policy.parameters(), lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    policy.train()
    for _ in range(steps):
        loss, _ = policy.forward(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    return policy


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_overfits_one_batch(kind, settings):
    if kind == "action_diffusion":
        few = {"num_train_timesteps": 20, "num_inference_steps": 20, "clip_sample_range": 3.0}
        settings = {**settings, **few}
    is_mlp = settings.get("network", "mlp") == "mlp"
    policy, batch = small(kind, hidden_dim=128 if is_mlp else 48, n_layers=2, **settings), some_batch(n=4)
    many = {key: values.repeat(16, *[1] * (values.ndim - 1)) for key, values in batch.items()}
    overfit(policy, many, 300)
    torch.manual_seed(0)
    error = (policy.predict_action_chunk(batch) - batch[ACTION]) ** 2
    # At the highest levels a small error of epsilon is a large one of the actions: a few entries stay off.
    is_epsilon = settings.get("prediction_type") == "epsilon"
    assert float(error.median() if is_epsilon else error.mean()) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bc", "action_diffusion"])
@pytest.mark.parametrize("settings", INPUTS[1:])
def test_overfits_one_batch_of_images(kind, settings):
    policy = small(kind, **settings)
    batch = some_batch(n=4, n_obs_steps=policy.config.n_obs_steps)
    overfit(policy, batch, 200)
    found, wanted = policy.predict_action_chunk(batch), batch[ACTION][:, policy.config.n_obs_steps - 1 :]
    assert float(((found - wanted) ** 2).mean()) < 0.05


def test_a_mixture_keeps_two_ways_apart_where_the_mean_lies_between():
    """Half of the experts go left, half right, in the same state."""
    batch = some_batch(n=64)
    for key in (STATE, SCENE):
        batch[key] = torch.zeros_like(batch[key])
    side = torch.where(torch.arange(64) % 2 == 0, 1.0, -1.0)[:, None, None]
    batch[ACTION] = (side + 0.05 * torch.randn(64, 4, 3, generator=torch.Generator().manual_seed(0))).float()
    mean = overfit(small("bc"), batch, 200).predict_action_chunk(batch)[0]
    assert float(mean.abs().max()) < 0.3
    policy = overfit(small("bc", head="gmm", n_modes=5), batch, 300)
    way = policy.predict_action_chunk(batch)[0]
    assert float(way.abs().min()) > 0.8  # one of the ways,
    assert abs(float(way.sign().sum())) == way.numel()  # and the same one for the whole chunk
    log_weight, means, _ = policy.mixture(policy.observe(batch))
    right = log_weight[0].exp().detach() @ (means[0].detach().mean((1, 2)) > 0).float()
    assert float(right) == pytest.approx(0.5, abs=0.1)


def test_the_mixtures_loss_is_its_negative_log_likelihood_by_entry():
    policy, batch = small("bc", head="gmm", n_modes=2, mask_padding=True), some_batch()
    batch["action_is_pad"][:, 3:] = True
    log_weight, mean, std = policy.mixture(policy.observe(batch))
    parts = torch.distributions.Independent(torch.distributions.Normal(mean[:, :, :3], std[:, :, :3]), 2)
    mixture = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=log_weight), parts)
    expected = -mixture.log_prob(batch[ACTION][:, :3]) / 9
    assert torch.allclose(policy.forward(batch, reduction="none")[0], expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
@pytest.mark.parametrize("seen", INPUTS)
def test_it_saves_and_loads_and_flies_the_same(kind, settings, seen, tmp_path):
    load_plugin("training.policies")
    policy = small(kind, **settings, **seen).eval()
    policy.save_pretrained(tmp_path)
    config = PreTrainedConfig.from_pretrained(tmp_path)
    loaded = get_policy_class(config.type).from_pretrained(tmp_path, config=config)
    noise = torch.randn(2, 4, 3)
    for seed in range(4):
        batch = some_batch(n=2, seed=seed)
        action = policy.select_action(batch, noise)
        assert torch.equal(action, loaded.select_action(batch, noise))
        assert action.shape == (2, 3)


def test_past_observations_are_seen_oldest_first_and_the_first_stands_in_before_the_start():
    policy = small("bc", n_obs_steps=3, n_action_steps=1, inputs=[STATE])
    seen = [some_batch(n=1, seed=seed) for seed in range(5)]
    actions = [policy.select_action(batch) for batch in seen]

    def expected(*seeds):
        window = torch.stack([seen[seed][STATE] for seed in seeds], dim=1)
        return policy.predict_action_chunk({STATE: window})[:, 0]

    assert torch.equal(actions[0], expected(0, 0, 0))
    assert torch.equal(actions[1], expected(0, 0, 1))
    assert torch.equal(actions[4], expected(2, 3, 4))
    policy.reset()
    assert torch.equal(policy.select_action(seen[3]), expected(3, 3, 3))


def test_a_history_shifts_the_chunk_and_leaves_the_past_out():
    policy = small("bc", n_obs_steps=2, horizon=4)
    assert policy.config.observation_delta_indices == [-1, 0]
    assert policy.config.action_delta_indices == [-1, 0, 1, 2]
    assert policy.predict_action_chunk(some_batch(n=2)).shape == (2, 3, 3)


def test_images_as_bytes_and_as_floats_are_the_same_and_large_ones_are_shrunk():
    policy, batch = small("bc", inputs=[CAMERA], image_size=24), some_batch(n=2)
    as_bytes = (batch[CAMERA] * 255).round().to(torch.uint8)
    floats = policy.predict_action_chunk({CAMERA: as_bytes.float() / 255})
    assert torch.equal(policy.predict_action_chunk({CAMERA: as_bytes}), floats)


def test_several_tasks_are_told_by_text_or_index():
    policy = small("bc", tasks=["pick", "place", "push"])
    batch = some_batch(n=2)
    by_index = policy.predict_action_chunk({**batch, "task_index": torch.tensor([2, 0])})
    assert torch.equal(policy.predict_action_chunk({**batch, "task": ["push", "pick"]}), by_index)
    one = policy.predict_action_chunk({**batch, "task": "push"})
    assert torch.equal(one[0], by_index[0])
    assert not torch.equal(one[1], by_index[1])
    with pytest.raises(UsageError, match=r"task 'fold' is none .* 'pick', 'place', 'push'"):
        policy.predict_action_chunk({**batch, "task": "fold"})


def test_an_input_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"no column 'observation\.images\.wrist'"):
        small("bc", inputs=["observation.images.wrist"])


@pytest.mark.parametrize("kind", ["bc", "action_diffusion"])
def test_a_checkpoint_from_before_these_settings_loads(kind, tmp_path):
    """Its config knows none of them, and its weights bear the names that they had."""
    load_plugin("training.policies")
    policy = small(kind)
    policy.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for field in ("inputs", "image_size", "image_dim", "tasks", "head", "n_modes", "min_std"):
        config.pop(field, None)
    for field in ("network", "prediction_type", "noise_schedule"):
        config.pop(field, None)
    path.write_text(json.dumps(config))
    loaded = get_policy_class(kind).from_pretrained(
        tmp_path, config=PreTrainedConfig.from_pretrained(tmp_path)
    )
    assert set(loaded.state_dict()) == {
        f"net.{i}.{part}" for i in (0, 2, 4, 6) for part in ("weight", "bias")
    }
    batch, noise = some_batch(n=2), torch.randn(2, 4, 3)
    assert torch.equal(loaded.predict_action_chunk(batch, noise), policy.predict_action_chunk(batch, noise))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("rtc_max_delay", [0, 1, 3])
def test_a_chunk_goes_on_from_what_is_flown_meanwhile(network, rtc_max_delay):
    policy = small("action_diffusion", network=network, n_obs_steps=2, horizon=5, rtc_max_delay=rtc_max_delay)
    batch, noise = some_batch(n=2), torch.randn(2, 5, 3)
    free = policy.predict_action_chunk(batch, noise)
    left_over = torch.randn(2, 4, 3)
    told = {"prev_chunk_left_over": left_over, "inference_delay": 2}
    chunk = policy.predict_action_chunk(batch, noise, **told)
    assert chunk.shape == free.shape == (2, 4, 3)
    assert torch.equal(chunk[:, :2], left_over[:, :2])
    assert not torch.equal(chunk[:, 2:], free[:, 2:]), "the rest knows of it"
    other = {**told, "prev_chunk_left_over": torch.cat([left_over[:, :2], torch.zeros(2, 2, 3)], dim=1)}
    assert torch.equal(policy.predict_action_chunk(batch, noise, **other), chunk), (
        "later ones may still change"
    )
    assert torch.equal(policy.predict_action_chunk(batch, noise, left_over, 0), free)


def test_what_is_known_is_no_matter_of_the_loss():
    policy = small("action_diffusion", horizon=4, rtc_max_delay=3)
    policy.net = nn.Module()  # predicts nothing
    policy.net.forward = lambda observation, noisy, phase: torch.zeros_like(noisy)
    batch = some_batch(n=400)
    losses, _ = policy.forward(batch, reduction="none")
    squares = (batch[ACTION] ** 2).mean(-1)
    means = torch.stack([squares[:, n:].mean(-1) for n in range(4)])
    nearest = (losses - means).abs()
    assert nearest.min(0).values.max() < 1e-5
    counts = nearest.argmin(0).bincount(minlength=4)
    assert counts.min() > 60, "each number of known actions alike"


def test_no_more_can_be_known_than_is_predicted():
    with pytest.raises(UsageError, match=r"rtc_max_delay=4: it must be between 0 and 3"):
        small("action_diffusion", horizon=4, rtc_max_delay=4)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("rtc_max_delay", [0, 3])
def test_a_sampler_asks_the_network_that_was_trained(network, rtc_max_delay):
    """`denoiser_at` works out beforehand what `denoise` works out at each level."""
    policy = small("action_diffusion", network=network, horizon=4, rtc_max_delay=rtc_max_delay, n_layers=2)
    observation, noisy = torch.randn(6, 5), torch.randn(6, 4, 3)
    known = torch.rand(6, 4) < 0.5 if rtc_max_delay else None
    levels = [100, 37, 1]
    at_once = policy.denoiser_at(observation, levels, known)
    for step, level in enumerate(levels):
        expected = policy.denoise(observation, noisy, torch.full((6,), level), known)
        assert expected.std() > 0.01
        assert torch.allclose(at_once(noisy, step), expected, atol=1e-5)


@pytest.mark.parametrize("horizon", [1, 3, 4, 5])
def test_the_narrowest_unet_sees_and_flies_one_observation_at_a_time(horizon):
    settings = {"network": "unet", "hidden_dim": 16, "horizon": horizon, "n_action_steps": 1}
    policy = small("action_diffusion", **settings)
    one, other = some_batch(n=1), some_batch(n=1, seed=2)
    noise = torch.randn(1, horizon, 3)
    both = policy.predict_action_chunk(
        {key: torch.cat([one[key], other[key]]) for key in one}, noise.repeat(2, 1, 1)
    )
    assert torch.allclose(policy.predict_action_chunk(one, noise), both[:1], atol=1e-5)
    seen = []
    policy.net.middle.first.register_forward_hook(lambda _, __, out: seen.append(out))
    policy.predict_action_chunk(one, noise)
    policy.predict_action_chunk(one, -noise)
    assert not torch.allclose(seen[0], seen[-1], atol=1e-3), "its middle is told the actions"
