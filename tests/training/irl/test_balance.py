"""CartPole for learners in a simulator: it moves and ends as gymnasium's, and the sign of an action is the push."""

import numpy as np
import pytest

from collector.errors import UsageError
from training.interrupt import StopRequest
from training.irl import balance, trial
from training.irl.arenas import cartpole_arena


def test_it_moves_and_ends_as_gymnasiums():
    import gymnasium

    theirs, ours = gymnasium.make("CartPole-v1"), balance.CartPoleWorld(1)
    rng = np.random.default_rng(0)
    lengths = []
    for seed in range(20):
        start, _ = theirs.reset(seed=seed)
        seen, over = ours.reset([start]), False
        assert seen[0] == pytest.approx(start)
        while not over:
            push = rng.uniform(-1, 1)
            there, _, over, _, _ = theirs.step(int(push > 0))
            seen, ended = ours.step(np.array([[push]]))
            assert seen[0] == pytest.approx(there, abs=1e-5) and ended[0] == over
            lengths.append(over)
        stays, ended = ours.step(np.array([[1.0]]))
        assert (stays == seen).all() and ended[0]
    assert sum(lengths) == 20 < len(lengths)


def test_what_ends_a_flight_has_no_feature_left():
    place, angle = balance.MOST_PLACE_M, balance.MOST_ANGLE_RAD
    found = balance.phi(np.array([[0, 0, 0, 0], [place, 9, 0, 9], [0, 9, -angle, 9], [9, 0, 9, 0]]))
    assert found * np.sqrt(2) == pytest.approx(np.array([[1, 1], [1, 0], [0, 1], [0, 0]]))


def test_the_expert_holds_the_pole_and_the_judge_counts_its_steps():
    arena = cartpole_arena(2, seed=0)
    assert [len(flight) for flight in arena.shown.observations] == [balance.FRAMES] * 2
    assert {*np.concatenate(arena.shown.actions).ravel()} == {-1.0, 1.0}

    def leans(gain):
        return lambda: lambda seen: gain * seen[:, 2:3] + seen[:, 3:4]

    assert (arena.judge(leans(5), 3) > arena.judge(leans(-5), 3)).all()
    always_right = arena.judge(lambda: lambda seen: np.ones((len(seen), 1)), 2)
    assert always_right.tolist() == [balanced(seed, 1) for seed in (0, 1)]
    with pytest.raises(UsageError, match="at least 1"):
        cartpole_arena(0, seed=0)


def balanced(seed, action):
    """Return gymnasium's return of one push for ever."""
    import gymnasium

    world, total, over = gymnasium.make("CartPole-v1"), 0.0, False
    world.reset(seed=seed)
    while not over:
        _, reward, over, *_ = world.step(action)
        total += reward
    return total


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--arena=cartpole", "--features=fourier"], "cartpole has named"),
        (["--arena=cartpole", "--root=flights"], "--root belongs to --arena=sim_pusht"),
        (["--arena=cartpole", "--policy=here"], "cartpole is no robot"),
        (["--arena=pendulum", "--policy=here"], "pendulum is no robot"),
    ],
)
def test_what_a_trial_cannot_use_is_refused_before_anything_is_learnt(args, says):
    with StopRequest() as stop, pytest.raises(UsageError, match=says):
        trial._work(args, stop)
