"""The three updates and the nearest mixture, against each other and against another solver."""

import numpy as np
import pytest

from training.irl.updates import MEMORY, UPDATES, literal, matching, max_margin, nearest_mixture, projection


def points(seed, n, k, inside=False):
    rng = np.random.default_rng(seed)
    policies = rng.random((n, k))
    expert = rng.dirichlet(np.ones(n)) @ policies if inside else rng.random(k) + 1
    return expert, policies


@pytest.mark.parametrize(("n", "k"), [(1, 3), (2, 2), (5, 3), (4, 20), (40, 10)])
@pytest.mark.parametrize("seed", range(3))
def test_max_margin_solves_the_papers_program(seed, n, k):
    """SLSQP solves eq. 10 to 12 as they stand: maximise t with w . (mu_E - mu_j) >= t and ||w|| <= 1."""
    from scipy.optimize import minimize

    expert, policies = points(seed, n, k)
    apart = expert - policies
    found = max_margin(expert, policies)
    start = np.append(apart.mean(axis=0) / np.linalg.norm(apart.mean(axis=0)), 0.0)
    start[-1] = (apart @ start[:-1]).min()
    theirs = minimize(
        lambda x: -x[-1],
        start,
        jac=lambda x: np.append(np.zeros(k), -1.0),
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda x: apart @ x[:-1] - x[-1]},
            {"type": "ineq", "fun": lambda x: 1 - x[:-1] @ x[:-1]},
        ],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert found.margin == pytest.approx(theirs.x[-1], abs=1e-5)
    assert found.margin == pytest.approx((apart @ found.weights).min(), abs=1e-9)
    assert np.linalg.norm(found.weights) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_the_margin_is_the_distance_of_the_nearest_mixture(seed):
    """Duality: the hyperplane that is farthest from the expert touches the policies' hull in its nearest point."""
    expert, policies = points(seed, 8, 5)
    found = max_margin(expert, policies)
    share, distance = nearest_mixture(expert, policies)
    assert distance == pytest.approx(found.margin, rel=1e-6)
    assert share @ policies == pytest.approx(found.nearest, abs=1e-6)
    assert share.sum() == pytest.approx(1) and (share >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_an_expert_among_the_policies_is_reached(seed):
    expert, policies = points(seed, 8, 4, inside=True)
    _, distance = nearest_mixture(expert, policies)
    assert distance == pytest.approx(0, abs=1e-7)
    assert max_margin(expert, policies).margin == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("update", UPDATES.values())
def test_the_experts_own_policy_leaves_no_margin_and_no_reward(update):
    expert, policies = points(0, 4, 3)
    found = update(expert, np.vstack([policies, expert]))
    assert found.margin == 0 or (update is projection and found.margin < 1)
    assert np.isfinite(found.weights).all()
    assert nearest_mixture(expert, np.vstack([policies, expert]))[1] == 0


def test_projection_by_hand():
    """mu_bar goes from (0, 0) along (2, 0) to (1, 0), and from there towards (1, 4) to (1, 2)."""
    expert = np.array([1.0, 2.0])
    found = projection(expert, np.array([[0.0, 0.0], [2.0, 0.0]]))
    assert found.nearest.tolist() == [1.0, 0.0]
    assert found.margin == 2 and found.weights.tolist() == [0.0, 1.0]
    assert projection(expert, np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 4.0]])).margin == 0


def test_projection_never_leaves_the_policies_hull():
    """Beyond the last policy lies no mixture, though the line goes on: mu_bar stays at the policy."""
    found = projection(np.array([5.0, 0.0]), np.array([[0.0, 0.0], [2.0, 0.0]]))
    assert found.nearest.tolist() == [2.0, 0.0]


def test_literal_forgets_all_policies_but_the_last():
    expert, policies = points(0, 6, 3)
    found = literal(expert, policies)
    assert found.margin == pytest.approx(np.linalg.norm(expert - policies[-1]))
    assert (found.weights == literal(expert, policies[-1:]).weights).all()


def test_projection_is_never_nearer_than_the_nearest_mixture():
    for seed in range(20):
        expert, policies = points(seed, 7, 4)
        assert projection(expert, policies).margin >= nearest_mixture(expert, policies)[1] - 1e-9


def test_matching_adds_up_what_persists_and_not_what_alternates():
    expert = np.zeros(2)
    policies = np.array([[-1.0, (-1.0) ** i] for i in range(12)])
    found = matching(expert, policies)
    assert found.weights[0] > 0.9 and np.linalg.norm(found.weights) == pytest.approx(1)
    assert found.margin == pytest.approx(2**0.5)
    assert matching(expert, policies[:1]).weights == pytest.approx(literal(expert, policies[:1]).weights)
    one, two = policies[-2:]
    assert matching(expert, policies[-2:]).weights @ (two + MEMORY * one) < 0
    assert matching(expert, np.zeros((3, 2))).margin == 0
