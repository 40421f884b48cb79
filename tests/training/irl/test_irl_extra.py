"""SAC and GAIL of the extra `irl`; without it these tests say what to install."""

import builtins

import numpy as np
import pytest

from collector.errors import DataError, UsageError
from training.irl.simulated import Demonstrations, Schedule, Setup
from training.irl.successor import RlSettings
from training.irl.worlds import PendulumWorld, fly

EXTRA = "needs the extra 'irl': pip install 'demodeck[irl]'"
SETTINGS = RlSettings(hidden_dim=16, batch_size=32, updates=0.25)


def phi(seen):
    return np.asarray(seen, float) / np.array([2.0, 2.0, 16.0])


def setup(shown, schedule):
    return Setup(lambda: PendulumWorld(1), phi, ("cos", "sin", "speed"), shown, schedule, SETTINGS, 0)


@pytest.fixture(scope="module")
def shown():
    flown = fly(PendulumWorld(1), lambda: lambda seen: np.zeros((len(seen), 1)), [0])
    return Demonstrations([flown[0][0]], None, [flown[0][0][0]])


def test_sac_goes_on_with_what_was_flown_under_the_new_reward(shown):
    pytest.importorskip("stable_baselines3", reason=EXTRA)
    from training.irl.sac import SacLearner

    schedule = Schedule(frames=40, warmup=40)
    learner = SacLearner(setup(shown, schedule))
    first = learner.first(0)
    second = learner.improve(np.array([1.0, 0, 0]), first, 0)
    assert any(not np.array_equal(first[name], second[name]) for name in first)
    flown = learner.agent.frames
    learner.improve(np.array([0, 0, 1.0]), second, 0)
    memory = learner.agent._sac.replay_buffer
    assert learner.agent.frames == memory.pos == flown + 40
    seen, _ = learner.agent.transitions()
    assert memory.rewards[: memory.pos, 0] == pytest.approx(seen[:, 2] / 16, abs=1e-4)
    assert seen[:, 0] ** 2 + seen[:, 1] ** 2 == pytest.approx(1, abs=1e-3)
    kept = learner.actor.of(second)
    assert kept.act(seen[:5]) != pytest.approx(learner.actor.act(seen[:5]))
    with pytest.raises(DataError, match="must be bounded"):
        learner.agent.pursue(lambda seen, after: np.full(len(seen), 1e6))


def test_gails_discriminator_tells_the_expert_from_others():
    pytest.importorskip("stable_baselines3", reason=EXTRA)
    pytest.importorskip("torchrl", reason=EXTRA)
    from training.irl.gail import GailLearner

    upright = np.random.default_rng(0).normal([1, 0, 0], 0.5, size=(100, 3)).astype(np.float32)
    shown = Demonstrations([upright], None, [0])
    schedule = Schedule(frames=4, warmup=40)
    learner = GailLearner(setup(shown, schedule))
    policy = learner.improve(np.zeros(3), learner.first(0), 0)
    assert np.isfinite(learner.expectations(policy, 0).mean).all()
    seen, after = learner.agent.transitions()
    expert = shown.observations[0]
    ours, theirs = learner.reward(expert[:-1], expert[1:]), learner.reward(seen, after)
    assert np.median(ours) > np.median(theirs)


@pytest.mark.parametrize(
    "module, importer", [("stable_baselines3", "sac.import_sb3"), ("torchrl", "gail.import_torchrl")]
)
def test_without_the_extra_it_says_what_to_install(monkeypatch, module, importer):
    import importlib

    where, name = importer.split(".")
    if where == "gail":
        pytest.importorskip("stable_baselines3", reason=EXTRA)
    found, plain = importlib.import_module(f"training.irl.{where}"), builtins.__import__

    def refuse(wanted, *args, **kwargs):
        if wanted.startswith(module):
            raise ImportError(f"No module named '{module}'")
        return plain(wanted, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"demodeck\[irl\]"):
        getattr(found, name)()
