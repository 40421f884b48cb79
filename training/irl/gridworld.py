"""The gridworld of Abbeel & Ng 2004, section 5.1, solved exactly: how near each update comes, and how fast.

    python -m training.irl.gridworld --update=max_margin --iterations=25 --seed=0 --json

128 x 128 cells in 64 macrocells of 16 x 16. Four actions move a cell; with 30 % one fails into a random direction, and
at the edge nothing happens. phi_i(s) is 1 in macrocell i. The expert is optimal for weights of which a tenth are drawn
from [0, 1] and the rest are 0 (at least two are not), scaled to sum 1; flights begin anywhere, gamma is .99.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.errors import UsageError
from training.interrupt import StopRequest
from training.irl.apprenticeship import Outcome, Settings, learn
from training.irl.baselines import BASELINES
from training.irl.command import Progress, ending, folder_of, make_parser, run, settings_of
from training.irl.expectations import Expectations
from training.irl.iterates import IterateFolder
from training.irl.pictures import check_picture, draw_gridworld
from training.irl.tabular import TabularMdp
from training.irl.tabular_learner import TabularLearner, demonstrate
from training.irl.updates import nearest_mixture

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left
FAILS = 0.3  # how often an action moves in a random direction
REWARDED = 0.1  # share of macrocells with a reward
TRUNCATION = 1e-3  # what demonstrations may lack, in shares of the longest mu


@dataclass(frozen=True)
class Gridworld:
    """One world with its expert.

    Attributes:
        model: The task, features by macrocell.
        macrocell: Each state's macrocell, int64, (n_states,).
        true_weights: w*, (n_macrocells,): known to the expert and to the judge, not to the learner.
        expert_policy: An optimal policy, int64, (n_states,).
        expert: Its feature expectations, exact.
    """

    model: TabularMdp
    macrocell: np.ndarray
    true_weights: np.ndarray
    expert_policy: np.ndarray
    expert: Expectations

    def value(self, mean: np.ndarray) -> float:
        """Return the true value of a policy with these feature expectations, in shares of the expert's."""
        return float(self.true_weights @ mean / (self.true_weights @ self.expert.mean))


def make_gridworld(seed: int, size: int = 128, macrocells: int = 8, discount: float = 0.99) -> Gridworld:
    """Draw a world and solve it for its expert.

    Args:
        seed: Of the weights.
        size: Cells along a side.
        macrocells: Macrocells along a side.
        discount: gamma.

    Raises:
        UsageError: If the macrocells do not divide the side, or gamma is not within [0, 1).
    """
    if macrocells < 2 or size % macrocells:
        raise UsageError(
            f"a side of {size} cells in {macrocells} macrocells: at least 2, and they must divide the side"
        )
    row, column = np.divmod(np.arange(size * size), size)
    ahead = [
        np.clip(row + down, 0, size - 1) * size + np.clip(column + right, 0, size - 1)
        for down, right in MOVES
    ]
    n_actions = len(MOVES)
    successor = np.broadcast_to(np.stack(ahead, axis=1), (n_actions, size * size, n_actions)).copy()
    chance = np.full((n_actions, n_actions), FAILS / n_actions) + (1 - FAILS) * np.eye(n_actions)
    probability = np.broadcast_to(chance[:, None], successor.shape).copy()
    side = size // macrocells
    macrocell = row // side * macrocells + column // side
    model = TabularMdp.of(
        successor,
        probability,
        start=np.full(size * size, 1 / (size * size)),
        features=np.eye(macrocells**2)[macrocell],
        discount=discount,
        names=tuple(f"macrocell {i // macrocells},{i % macrocells}" for i in range(macrocells**2)),
    )
    weights = _draw_weights(macrocells**2, np.random.default_rng(seed))
    policy, _ = model.solve(model.features @ weights)
    return Gridworld(model, macrocell, weights, policy, model.expectations(policy))


def _draw_weights(n: int, rng: np.random.Generator) -> np.ndarray:
    while True:
        weights = np.where(rng.random(n) < REWARDED, rng.random(n), 0.0)
        if (weights > 0).sum() >= 2:
            return weights / weights.sum()


def horizon_for(discount: float) -> int:
    """Return after how many frames no more than `TRUNCATION` of the discounted sum is left."""
    return 1 if discount == 0 else int(np.ceil(np.log(TRUNCATION) / np.log(discount)))


def experiment(
    world: Gridworld,
    settings: Settings,
    demonstrations: int = 0,
    folder: IterateFolder | None = None,
    **watch: Any,
) -> tuple[Outcome, dict[str, Any]]:
    """Learn one world from its expert.

    Args:
        world: The world.
        settings: How to learn.
        demonstrations: Flights to estimate mu_E from; 0 takes it exactly.
        folder: As in `learn`.
        **watch: `report` and `stopped`, as in `learn`.

    Returns:
        What was learnt, and of it: `expert_norm`, `truncation` and `sampling_error` (of mu_E), `reason`,
        `iterations` (each `iteration`, `margin` and, in shares of ||mu_E|| and against the true mu_E, the policy's own
        `distance` and the `mixture`'s of all up to it; None for what is infinite), `mixture` and `best` (each
        `distance` and `value` in shares of the expert's) and, with demonstrations, `baselines` (`value` by name).
    """
    expert, rivals = world.expert, {}
    if demonstrations:
        horizon = horizon_for(world.model.discount)
        shown = demonstrate(world.model, world.expert_policy, demonstrations, horizon, seed=settings.seed)
        expert = shown.expectations
        for name, clone in BASELINES.items():
            policy = clone(shown, world.macrocell, world.model.n_actions)
            rivals[name] = {"value": world.value(world.model.expectations(policy).mean)}
    outcome = learn(TabularLearner(world.model), expert, settings, folder, **watch)
    return outcome, summary(world, expert, outcome) | ({"baselines": rivals} if rivals else {})


def summary(world: Gridworld, seen: Expectations, outcome: Outcome) -> dict[str, Any]:
    """Return the figures of `experiment`."""
    true, policies = world.expert, np.array([iterate.mean for iterate in outcome.iterates])
    rows = []
    for iterate in outcome.iterates:
        share, _ = nearest_mixture(seen.mean, policies[: iterate.number + 1])
        mixed = float(np.linalg.norm(true.mean - share @ policies[: iterate.number + 1]))
        rows.append(
            {
                "iteration": iterate.number,
                "margin": iterate.margin / true.norm if np.isfinite(iterate.margin) else None,
                "distance": float(np.linalg.norm(true.mean - iterate.mean)) / true.norm,
                "mixture": mixed / true.norm,
            }
        )
    mixture, best = outcome.mixture @ policies, policies[outcome.best]
    return {
        "expert_norm": true.norm,
        "discount": true.discount,
        "demonstrations": seen.n_episodes,
        "truncation": seen.truncation / true.norm,
        "sampling_error": seen.sampling_error / true.norm if np.isfinite(seen.sampling_error) else None,
        "reason": outcome.reason,
        "margin": outcome.margin / true.norm,
        "iterations": rows,
        "mixture": {"distance": rows[-1]["mixture"], "value": world.value(mixture)},
        "best": {
            "iteration": outcome.best,
            "distance": rows[outcome.best]["distance"],
            "value": world.value(best),
        },
    }


def square(world: Gridworld, by_state: np.ndarray) -> np.ndarray:
    """Lay values of the states, (n_states,), out as the world lies, (size, size)."""
    size = round(world.model.n_states**0.5)
    return by_state.reshape(size, size)


def _work(args: list[str], stop: StopRequest) -> dict[str, Any]:
    parser = make_parser("gridworld", "Apprenticeship learning in Abbeel & Ng's gridworld.")
    parser.add_argument(
        "--demonstrations", type=int, default=0, metavar="M", help="flights; 0: mu_E is known exactly"
    )
    parser.add_argument("--size", type=int, default=128, help="cells along a side, default 128")
    parser.add_argument("--macrocells", type=int, default=8, help="macrocells along a side, default 8")
    parser.add_argument("--discount", type=float, default=0.99, help="gamma, default .99")
    flags = parser.parse_args(args)
    settings = settings_of(flags)
    if flags.demonstrations < 0:
        raise UsageError(
            f"--demonstrations={flags.demonstrations}: 0 for the exact expert, or a number of flights"
        )
    if flags.picture is not None:
        check_picture(flags.picture)
    world = make_gridworld(flags.seed, flags.size, flags.macrocells, flags.discount)
    outcome, figures = experiment(
        world,
        settings,
        flags.demonstrations,
        folder_of(flags),
        report=Progress(world.expert.norm),
        stopped=lambda: bool(stop.signal),
    )
    if flags.picture is not None:
        draw_gridworld(world, outcome, figures, flags.picture)
    mixture, best = figures["mixture"], figures["best"]
    text = (
        f"{settings.update}, {len(outcome.iterates) - 1} iterations ({ending(outcome.reason, flags)}): margin "
        f"{figures['margin']:.4f}, mixture of {(outcome.mixture > 0).sum()} policies at distance "
        f"{mixture['distance']:.4f} worth {mixture['value']:.1%} of the expert, best single policy (iteration "
        f"{best['iteration']}) at {best['distance']:.4f} worth {best['value']:.1%}"
    )
    for name, rival in figures.get("baselines", {}).items():
        text += f"\n{name}: worth {rival['value']:.1%} of the expert"
    given = {"update": settings.update, "seed": flags.seed, "epsilon": flags.epsilon}
    return given | figures | {"text": text, "json": flags.json}


if __name__ == "__main__":
    sys.exit(run("gridworld", _work))
