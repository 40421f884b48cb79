"""Apprenticeship learning on gymnasium's Pendulum, from a few demonstrations of somebody who swings it up.

    python -m training.irl.pendulum --features=fourier --demonstrations=5 --seed=0 [--json]

The demonstrator is nearly optimal (dynamic programming on a grid with the true reward); the learner sees its
observations alone, and may fly the simulator from where the demonstrations began. Beside it, behaviour cloning and
IQ-Learn see the torques too and fly nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from collector.errors import UsageError
from training.interrupt import StopRequest
from training.irl import swing
from training.irl.apprenticeship import Settings, learn
from training.irl.command import Progress, ending, folder_of, make_parser, run, settings_of
from training.irl.expectations import Expectations, estimate
from training.irl.features import NamedFeatures, RandomFourier
from training.irl.iterates import IterateFolder
from training.irl.transitions import Transitions
from training.irl.views import View

DEMONSTRATION_SEED, EVALUATION_SEED = 10_000, 0
RIVAL_STEPS = 1500
_SCALE = np.array([1.0, 1.0, swing.MAX_SPEED])
_BANDWIDTH, _WAVES, _LEARNT = 0.5, 100, 128


class Features(Protocol):
    """Features of observations, ||phi|| <= 1."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def __call__(self, observation: np.ndarray, /) -> np.ndarray:
        """Return features of observations, (n, observation_dim) to (n, n_features)."""
        ...


FEATURES: dict[str, Callable[[int], Features]] = {
    "named": lambda seed: NamedFeatures(
        {
            "height": lambda seen: seen[:, 0],
            "angle squared": lambda seen: (np.arctan2(seen[:, 1], seen[:, 0]) / np.pi) ** 2,
            "speed squared": lambda seen: (seen[:, 2] / swing.MAX_SPEED) ** 2,
        }
    ),
    "fourier": lambda seed: RandomFourier(_SCALE, _WAVES, _BANDWIDTH, seed),
    "dynamics": lambda seed: learnt_features(seed),
}
LEARNT_FROM = 20  # flights with torques drawn by chance, by which `dynamics` are learnt


def learnt_features(seed: int, steps: int = 2000) -> Features:
    """Return features learnt to foretell the pendulum, from flights with torques that are drawn, each for .2 s."""
    from training.irl.dynamics import fit_dynamics

    rng = np.random.default_rng([seed, 0xD1FA])
    state = rng.uniform([-np.pi, -1], [np.pi, 1], size=(LEARNT_FROM, 2))
    drawn = rng.uniform(-swing.MAX_TORQUE, swing.MAX_TORQUE, size=(LEARNT_FROM, swing.FRAMES // 4 + 1))
    torques = np.repeat(drawn, 4, axis=1)[:, : swing.FRAMES]
    states = np.empty((LEARNT_FROM, swing.FRAMES, 2))
    for t in range(swing.FRAMES):
        states[:, t] = state
        state = swing.step(state, torques[:, t])
    seen = swing.observe(states).reshape(-1, 3)
    entries = {"observation.state": ["cosine", "sine", "speed"]}
    table = {"observation.state": seen}
    found, _ = fit_dynamics(table, list(table), entries, transitions(states, torques), _LEARNT, seed, steps)
    return View(found, {"observation.state": seen.shape[1]})


def frames_for(features: str) -> int:
    """Return how many frames were flown to learn features of a kind."""
    return LEARNT_FROM * swing.FRAMES if features == "dynamics" else 0


class SwingLearner:
    """Solves the pendulum for a reward of its observations on a grid, and flies it from given states."""

    def __init__(self, features: Features, start: np.ndarray) -> None:
        """Take the features, and the demonstrations' first states, (n, 2).

        From the same states the expert's and the learner's expectations differ by what they do, and not by chance.
        """
        self._features, self._start, self.names = features, start, features.names

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a policy that looks ahead at random values."""
        n = swing.model().n_states
        return {"values": np.random.default_rng(seed).normal(size=n), "action": np.zeros(n, np.int8)}

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Return the values of the optimal policy on the grid; nothing is drawn."""
        reward = self._features(swing.observe(swing.grid())) @ weights
        action, values = swing.model().solve(reward, last["action"].astype(np.int64))
        return {"values": values, "action": action.astype(np.int8)}

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Fly from each first state; the pendulum and the policy are deterministic."""
        states, _ = swing.fly(self._start, policy["values"])
        return expectations_of(self._features, swing.observe(states))


def expectations_of(features: Features, observation: np.ndarray) -> Expectations:
    """Return the feature expectations of flights, (n, frames, observation_dim), cut off by their time limit."""
    return estimate([features(flight) for flight in observation], swing.DISCOUNT, complete=True)


def first_states(n: int, seed: int) -> np.ndarray:
    """Return where gymnasium's Pendulum-v1 begins by the seeds `seed` to `seed + n - 1`, float64, (n, 2)."""
    import gymnasium

    world = gymnasium.make("Pendulum-v1")
    seen = np.array([world.reset(seed=seed + i)[0] for i in range(n)], float)
    world.close()
    return swing.state_of(seen)


def returns(states: np.ndarray, torques: np.ndarray) -> np.ndarray:
    """Return the returns of Pendulum-v1, not discounted and with its price of torque, float64, (n,)."""
    return (swing.true_reward(states) - 0.001 * torques**2).sum(axis=1)


def demonstrate(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states, (n, frames, 2), and torques, (n, frames), of the demonstrator.

    Raises:
        UsageError: If `n` is not positive.
    """
    if n < 1:
        raise UsageError(f"--demonstrations={n}: at least 1 is needed")
    return swing.fly(first_states(n, DEMONSTRATION_SEED + 1000 * seed), expert_values())


def expert_values() -> np.ndarray:
    """Return the demonstrator's values on the grid, (n_states,)."""
    return swing.model().solve(swing.true_reward(swing.grid()))[1]


def experiment(
    features: str,
    demonstrations: int,
    settings: Settings,
    episodes: int = 50,
    rivals: bool = True,
    folder: IterateFolder | None = None,
    **watch: Any,
) -> dict[str, Any]:
    """Learn from a few flights, and fly what was learnt from 50 other states.

    Args:
        features: A key of `FEATURES`.
        demonstrations: Flights of the expert.
        settings: How to learn.
        episodes: Flights to judge by, from the same seeds of gymnasium's always.
        rivals: Also learn from the same flights by behaviour cloning and by IQ-Learn.
        folder: As in `learn`.
        **watch: `report` and `stopped`, as in `learn`.

    Returns:
        `iterations`, `reason`, `margin` (of ||mu_E||), `truncation` (of it too), `seconds` and `frames` (flown by the
        learner), mean returns of `expert`, `mixture`, `best` (the single policy nearest to the expert), `first` and,
        where asked for, `bc` and `iq_learn`, and the best policy's `weights` by name.

    Raises:
        UsageError: If a number is not positive.
    """
    if episodes < 1:
        raise UsageError(f"--episodes={episodes}: at least 1 is needed")
    phi = FEATURES[features](settings.seed)
    states, _ = demonstrate(demonstrations, settings.seed)
    expert = expectations_of(phi, swing.observe(states))
    watch.setdefault("report", Progress(expert.norm))
    began = time.process_time()
    outcome = learn(SwingLearner(phi, states[:, 0]), expert, settings, folder, **watch)
    seconds = time.process_time() - began
    start = first_states(episodes, EVALUATION_SEED)

    def worth(values: np.ndarray) -> float:
        return float(returns(*swing.fly(start, values)).mean())

    used = np.flatnonzero(outcome.mixture)
    result = {
        "features": features,
        "demonstrations": demonstrations,
        "iterations": len(outcome.iterates) - 1,
        "reason": outcome.reason,
        "margin": outcome.margin / expert.norm,
        "truncation": expert.truncation / expert.norm,
        "seconds": seconds,
        "frames": frames_for(features) + len(outcome.iterates) * states.shape[0] * states.shape[1],
        "expert": worth(expert_values()),
        "mixture": float(sum(outcome.mixture[i] * worth(outcome.iterates[i].policy["values"]) for i in used)),
        "best": worth(outcome.iterates[outcome.best].policy["values"]),
        "first": worth(outcome.iterates[0].policy["values"]),
        "weights": dict(zip(phi.names, map(float, outcome.iterates[outcome.best].weights))),
    }
    if rivals:
        result |= {
            name: found["return"] for name, found in rivals_of(demonstrations, settings.seed, start).items()
        }
    return result


def transitions(states: np.ndarray, torques: np.ndarray) -> Transitions:
    """Return demonstrations as transitions of gymnasium's observations, torques in their box."""
    seen = swing.observe(states).astype(np.float32)
    return Transitions(
        seen[:, :-1].reshape(-1, 3),
        torques[:, :-1].reshape(-1, 1).astype(np.float32),
        seen[:, 1:].reshape(-1, 3),
        np.zeros(seen[:, 1:].shape[:2], bool).ravel(),
        low=np.array([-swing.MAX_TORQUE]),
        high=np.array([swing.MAX_TORQUE]),
    )


def rivals_of(demonstrations: int, seed: int, start: np.ndarray) -> dict[str, dict[str, float]]:
    """Learn from the same flights with their torques, and without a step in the world.

    Args:
        demonstrations: Flights.
        seed: Which, and of the networks.
        start: Where what was learnt is flown from, (n, 2).

    Returns:
        By rival, `bc` and `iq_learn`: its mean `return` and its `cpu_seconds`.
    """
    import torch

    from training.irl.cloning import clone_continuous
    from training.irl.iq_learn import IqSettings, iq_learn

    torch.set_num_threads(1)
    shown = transitions(*demonstrate(demonstrations, seed))
    ways: dict[str, Callable[[], Callable[[np.ndarray], np.ndarray]]] = {
        "bc": lambda: clone_continuous(shown, RIVAL_STEPS, seed),
        "iq_learn": lambda: iq_learn(shown, IqSettings(steps=RIVAL_STEPS, learning_rate=1e-3, seed=seed)).act,
    }
    found = {}
    for name, learn_it in ways.items():
        began = time.process_time()
        act = learn_it()
        spent = time.process_time() - began
        found[name] = {"return": float(fly_network(act, start).mean()), "cpu_seconds": spent}
    return found


def fly_network(act: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> np.ndarray:
    """Return the returns, (n,), of a policy of observations, (n, 3) to torques (n, 1), from states, (n, 2)."""
    state, flown = start, []
    for _ in range(swing.FRAMES):
        torque = np.clip(act(swing.observe(state))[:, 0], -swing.MAX_TORQUE, swing.MAX_TORQUE)
        flown.append((state, torque))
        state = swing.step(state, torque)
    states, torques = zip(*flown)
    return returns(np.stack(states, axis=1), np.stack(torques, axis=1))


def _work(args: list[str], stop: StopRequest) -> dict[str, Any]:
    parser = make_parser("pendulum", "Apprenticeship learning on gymnasium's Pendulum.")
    parser.add_argument("--features", choices=list(FEATURES), default="fourier", help="default fourier")
    parser.add_argument("--demonstrations", type=int, default=5, metavar="N", help="flights, default 5")
    parser.add_argument("--episodes", type=int, default=50, help="flights to judge by, default 50")
    parser.add_argument("--rivals", action="store_true", help="learn by cloning and by IQ-Learn beside it")
    flags = parser.parse_args(args)
    if flags.picture is not None:
        raise UsageError("--picture: this experiment has none; leave it out")
    settings = settings_of(flags)
    found = experiment(
        flags.features,
        flags.demonstrations,
        settings,
        flags.episodes,
        flags.rivals,
        folder_of(flags),
        stopped=lambda: bool(stop.signal),
    )
    text = (
        f"{found['iterations']} iterations ({ending(found['reason'], flags)}), {found['seconds']:.0f} s: return of the "
        f"expert {found['expert']:.1f}, mixture {found['mixture']:.1f}, best single policy {found['best']:.1f}, first "
        f"policy {found['first']:.1f}"
    )
    if flags.rivals:
        text += f", behaviour cloning {found['bc']:.1f}, IQ-Learn {found['iq_learn']:.1f}"
    return {"update": settings.update, "seed": settings.seed} | found | {"text": text, "json": flags.json}


if __name__ == "__main__":
    sys.exit(run("pendulum", _work))
