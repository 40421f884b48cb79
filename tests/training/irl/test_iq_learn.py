"""IQ-Learn: its objective by hand, and what it learns offline."""

import numpy as np
import pytest
import torch

from collector.dataset.reader import Dataset
from collector.errors import DataError, UsageError
from training.irl.cartpole import demonstrate, demonstrator, fly
from training.irl.iq_learn import ContinuousSoftQ, DiscreteSoftQ, IqSettings, iq_learn, tensors
from training.irl.transitions import Transitions, transitions_of_dataset

GAMMA, T, ALPHA = 0.9, 0.5, 0.7


def discrete(n=12, n_actions=3, seed=0):
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(n + 1, 2)).astype(np.float32)
    ended = np.zeros(n, bool)
    ended[-1] = True
    return Transitions(seen[:-1], rng.integers(n_actions, size=n), seen[1:], ended, n_actions)


def continuous(n=200, seed=0):
    """An expert that does 2 x - 1 in [-3, 3], of one observation in [-1, 1]."""
    rng = np.random.default_rng(seed)
    seen = rng.uniform(-1, 1, size=(n + 1, 1)).astype(np.float32)
    return Transitions(
        seen[:-1], 2 * seen[:-1] - 1, seen[1:], np.zeros(n, bool), low=np.array([-3.0]), high=np.array([3.0])
    )


def test_the_objective_is_the_papers():
    """J = E[phi(Q - gamma V')] - E[V - gamma V'], phi(x) = x - x^2 / (4 alpha), V = T log sum exp(Q / T)."""
    shown = discrete()
    torch.manual_seed(0)
    settings = IqSettings(discount=GAMMA, temperature=T, alpha=ALPHA)
    model = DiscreteSoftQ(shown, settings)
    batch = tensors(shown, model)
    loss, reward = model.objective(batch)
    seen, action, after, ended = batch
    every = [torch.full_like(action, a) for a in range(3)]

    def q(observation):
        return torch.stack([model.q_and_value(observation, a)[0] for a in every], dim=1)

    def soft_value(observation):
        return T * (q(observation) / T).logsumexp(1)

    ahead = GAMMA * (1 - ended) * soft_value(after)
    r = q(seen).gather(1, action[:, None])[:, 0] - ahead
    by_hand = (r - r**2 / (4 * ALPHA)).mean() - (soft_value(seen) - ahead).mean()
    assert -loss.item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert reward.tolist() == pytest.approx(r.tolist(), rel=1e-4, abs=1e-6)
    assert model.rewards(shown).tolist() == pytest.approx(r.tolist(), rel=1e-4, abs=1e-6)
    assert model.value(seen).tolist() == pytest.approx(soft_value(seen).tolist(), rel=1e-4, abs=1e-6)


def test_along_a_flight_the_last_term_telescopes_to_the_first_states_value():
    shown = discrete(n=400)
    model = DiscreteSoftQ(shown, IqSettings(discount=GAMMA))
    seen, _, after, ended = tensors(shown, model)
    discounts = GAMMA ** torch.arange(len(shown))
    worth = model.value(seen) - GAMMA * (1 - ended) * model.value(after)
    assert (discounts * worth).sum().item() == pytest.approx(model.value(seen[:1]).item(), rel=1e-4)


def test_the_value_of_continuous_actions_is_the_soft_maximum_of_q():
    """V = T log of the integral of exp(Q / T) over all actions, here by a sum over a fine grid."""
    torch.manual_seed(0)
    model = ContinuousSoftQ(continuous(), IqSettings(temperature=T))
    action = torch.linspace(-20, 20, 8001)[:, None]
    seen = torch.full((len(action), 1), 0.3)
    with torch.no_grad():
        q, value = model.q_and_value(seen, action)
    integral = (q / T).exp().sum() * (action[1] - action[0])
    assert T * integral.log().item() == pytest.approx(value[0].item(), abs=1e-3)


def test_the_same_seed_learns_the_same_and_it_overfits_what_was_shown():
    shown = discrete()
    models = [
        iq_learn(shown, IqSettings(steps=250, hidden_dim=32, learning_rate=0.01, seed=3)) for _ in range(2)
    ]
    assert models[0].act(shown.observation).tolist() == shown.action.tolist()
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        assert (one == other).all()


def test_continuous_actions_are_learnt_in_their_box():
    shown = continuous()
    lines = []
    model = iq_learn(
        shown, IqSettings(steps=250, hidden_dim=32, learning_rate=0.01, discount=0.5), report=lines.append
    )
    seen = np.linspace(-0.8, 0.8, 9, dtype=np.float32)[:, None]
    assert np.abs(model.act(seen) - (2 * seen - 1)).mean() < 0.2
    assert [line["step"] for line in lines] == [250]
    assert model.act(seen[0]).shape == (1,)


def test_cartpole_is_balanced_longer_than_by_chance_after_few_steps():
    assert [fly(demonstrator(sharpness, 1), 0)[0] for sharpness in (3.0, np.inf)] == [500, 500]
    model = iq_learn(demonstrate(1, 0), IqSettings(steps=300))
    assert np.mean([fly(model.act, seed)[0] for seed in range(3)]) > 60  # chance: about 22


@pytest.mark.parametrize(("n", "sharpness", "words"), [(0, 3.0, "at least 1"), (1, 0.0, "above 0")])
def test_demonstrators_that_make_no_sense_are_refused(n, sharpness, words):
    with pytest.raises(UsageError, match=words):
        demonstrate(n, 0, sharpness)


def test_it_stops_when_asked():
    lines = []
    iq_learn(discrete(), IqSettings(steps=5000, hidden_dim=4), lines.append, stopped=lambda: len(lines) == 1)
    assert [line["step"] for line in lines] == [500]


def test_divergence_is_said():
    with pytest.raises(DataError, match="lower learning_rate"):
        iq_learn(discrete(), IqSettings(steps=5, learning_rate=1e30, hidden_dim=4))


@pytest.mark.parametrize(
    ("given", "words"),
    [({"steps": 0}, "steps=0"), ({"temperature": 0.0}, "above 0"), ({"discount": 1.0}, "below 1")],
)
def test_settings_that_make_no_sense_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        IqSettings(**given)


def test_experts_that_cannot_be_learnt_from_are_refused():
    shown = discrete()
    with pytest.raises(UsageError, match="no expert"):
        shown.every(1, first=100)
    with pytest.raises(DataError, match="NaN"):
        Transitions(shown.observation * np.nan, shown.action, shown.next_observation, shown.ended, 3)
    with pytest.raises(DataError, match="must be 0 to 1"):
        Transitions(shown.observation, shown.action, shown.next_observation, shown.ended, 2)


def test_a_dataset_of_lerobots_is_read(small_dataset):
    """Flights of 7, 12, 5 and 20 frames, of which the last has no successor."""
    dataset = Dataset.open(small_dataset)
    shown = transitions_of_dataset(dataset, [1, 2])
    assert len(shown) == 11 + 4 and shown.n_actions == 0
    assert shown.observation.shape == (15, 5) and shown.action.shape == (15, 3)
    flight = dataset.episode(2)
    assert (shown.observation[11:, :3] == flight["observation.state"][:-1]).all()
    assert (shown.next_observation[11:, :3] == flight["observation.state"][1:]).all()
    assert (shown.action > shown.low).all() and (shown.action < shown.high).all()
    assert not shown.ended.any()
    model = iq_learn(shown, IqSettings(steps=20, hidden_dim=8))
    assert model.act(shown.observation).shape == (15, 3)
