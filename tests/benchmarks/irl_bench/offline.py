"""Apprenticeship learning without a step in the world: from the expert's flights and others, by two inner learners."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from recorder_bench import table

from collector.dataset.feature_maps import FeatureMap, fit_fourier
from collector.dataset.linear_reward import held_sum
from collector.errors import DataError
from irl_bench.figures import mean_interval
from training.irl import cartpole, pendulum, swing
from training.irl.apprenticeship import Outcome, Settings, learn
from training.irl.cloning import clone_continuous
from training.irl.expectations import Expectations
from training.irl.iq_learn import IqSettings, iq_learn
from training.irl.lstd import LspiLearner
from training.irl.neighbours import Choice, NeighbourMdp
from training.irl.offline import AFTER, APART, FlightsLearner

DEMONSTRATIONS, COVERING = 5, 60
ITERATIONS, WAVES, BC_STEPS = 15, 60, 1500
IQ: dict[str, Any] = {
    "steps": 1500,
    "discount": 0.98,
    "temperature": 0.1,
    "learning_rate": 1e-3,
}
DISCOUNT, RIDGE, PRICE = 0.98, 1e-2, 1.0
EPISODES = 10
SEEN = "observation.state"


class Flown:
    """Flights in one table: the expert's first."""

    def __init__(self, flights: list[np.ndarray], n_expert: int, seed: int) -> None:
        """Take observations of each flight, (n_frames, dim), and fit features and units to them."""
        self.lengths = np.array([len(one) for one in flights])
        self.observation = np.concatenate(flights).astype(float)
        self.first = np.cumsum(self.lengths) - self.lengths
        self.n_expert, self.spread = n_expert, self.observation.std(axis=0) + 1e-9
        self.features: FeatureMap = fit_fourier({SEEN: self.observation}, [SEEN], {}, WAVES, 0.5, seed)
        self.phi = self.features({SEEN: self.observation})

    def expert(self) -> Expectations:
        """Return mu_E."""
        sums = np.array(
            [held_sum(self.phi[f : f + n], DISCOUNT) for f, n in zip(self.first, self.lengths)][
                : self.n_expert
            ]
        )
        error = float(np.sqrt(sums.var(axis=0, ddof=1).sum() / len(sums)))
        return Expectations(sums.mean(axis=0), DISCOUNT, len(sums), 0.0, error)

    def neighbours(self) -> FlightsLearner:
        """Return the learner for any actions."""
        mdp = NeighbourMdp(self.observation / self.spread, self.lengths, DISCOUNT)
        covering = np.arange(self.first[self.n_expert], len(self.phi))
        return FlightsLearner(
            mdp, self.phi, self.features.names, self.first[: self.n_expert], covering, PRICE
        )


def _learn(learner: FlightsLearner | LspiLearner, flown: Flown, seed: int) -> Outcome:
    expert = flown.expert()
    epsilon = max(0.01, expert.sampling_error / expert.norm)
    return learn(learner, expert, Settings("max_margin", ITERATIONS, epsilon, seed))


def _follower(learner: FlightsLearner, outcome: Outcome, number: int, flown: Flown):  # type: ignore[no-untyped-def]
    """Return what gives for observations, (n, dim), the frames whose actions an iterate's policy takes."""
    iterate = outcome.iterates[number]
    reward = learner.phi @ iterate.weights
    price = learner.price(reward)
    value = learner.mdp.value(Choice(iterate.policy[AFTER], iterate.policy[APART]), reward, price)
    return lambda seen: learner.mdp.frames_to_follow(np.atleast_2d(seen) / flown.spread, value, reward, price)


def _shares(outcome: Outcome) -> list[tuple[int, float]]:
    """Return the mixture's policies but pi_0, with their shares."""
    shares = outcome.mixture.copy()
    shares[0] = 0.0
    if not shares.sum():
        shares[-1] = 1.0
    return [(i, float(s)) for i, s in enumerate(shares / shares.sum()) if s > 0.05]


def pendulum_once(seed: int) -> dict[str, float]:
    """Learn from one seed's flights of the pendulum; return mean returns and seconds."""
    states, torques = pendulum.demonstrate(DEMONSTRATIONS, seed)
    rng = np.random.default_rng([seed, 0x0FF])
    others, pushes = _covering_swings(rng)
    flown = Flown([*swing.observe(states), *swing.observe(others)], DEMONSTRATIONS, seed)
    torque = np.concatenate([torques.ravel(), pushes.ravel()])
    began = time.process_time()
    learner = flown.neighbours()
    outcome = _learn(learner, flown, seed)
    seconds = time.process_time() - began
    start = pendulum.first_states(EPISODES, pendulum.EVALUATION_SEED)

    def worth(act) -> float:  # type: ignore[no-untyped-def]
        state, path, done = np.array(start), [], []
        for _ in range(swing.FRAMES):
            push = act(swing.observe(state))
            path.append(state)
            done.append(push)
            state = swing.step(state, push)
        return float(pendulum.returns(np.stack(path, 1), np.stack(done, 1)).mean())

    def follow(number: int) -> float:
        frames = _follower(learner, outcome, number, flown)
        return worth(lambda seen: torque[frames(seen)])

    shown = pendulum.transitions(states, torques)
    began = time.process_time()
    cloned = clone_continuous(shown, BC_STEPS, seed)
    cloning = time.process_time() - began
    began = time.process_time()
    soft_q = iq_learn(shown, IqSettings(seed=seed, **IQ))
    learning = time.process_time() - began
    best = min(range(1, len(outcome.iterates)), key=lambda i: outcome.iterates[i].distance)
    best_there_is = swing.model().solve(swing.true_reward(swing.grid()))[1]
    return {
        "expert": float(pendulum.returns(*swing.fly(start, best_there_is)).mean()),
        "others": float(pendulum.returns(others, pushes).mean()),
        "neighbours, mixture": sum(share * follow(i) for i, share in _shares(outcome)),
        "neighbours, best": follow(best),
        "bc": worth(lambda seen: np.clip(cloned(seen.astype(np.float32))[:, 0], -2, 2)),
        "iq": worth(lambda seen: soft_q.act(seen.astype(np.float32))[:, 0]),
        "seconds": seconds,
        "bc seconds": cloning,
        "iq seconds": learning,
    }


def _covering_swings(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return states and torques of flights that push to and fro by chance, from anywhere."""
    state = np.stack([rng.uniform(-np.pi, np.pi, COVERING), rng.uniform(-4, 4, COVERING)], axis=1)
    states, torques = [], []
    push = rng.uniform(-2, 2, COVERING)
    for _ in range(swing.FRAMES):
        push = np.where(rng.random(COVERING) < 0.1, rng.uniform(-2, 2, COVERING), push)
        states.append(state)
        torques.append(push)
        state = swing.step(state, push)
    return np.stack(states, axis=1), np.stack(torques, axis=1)


def cartpole_once(seed: int) -> dict[str, float]:
    """Learn from one seed's flights of the cart and pole; return mean returns and seconds."""
    flights = [_cart(cartpole.SHARPNESS, 10_000 + 1000 * seed + i) for i in range(DEMONSTRATIONS)]
    rng = np.random.default_rng([seed, 0x0FF])
    flights += [
        _cart(float(np.exp(rng.uniform(np.log(0.01), np.log(0.5)))), 50_000 + 1000 * seed + i)
        for i in range(COVERING)
    ]
    observed = [np.array([step[0] for step in one] + [one[-1][2]]) for one in flights]
    flown = Flown(observed, DEMONSTRATIONS, seed)
    action = np.concatenate([[step[1] for step in one] + [0] for one in flights]).astype(int)
    last = flown.first + flown.lengths - 1
    now = np.setdiff1d(np.arange(len(action)), last)
    ended = np.concatenate([[step[3] for step in one] for one in flights]).astype(bool)
    result: dict[str, float] = {
        "expert": float(np.mean([len(one) for one in flights[:DEMONSTRATIONS]])),
        "others": float(np.mean([len(one) for one in flights[DEMONSTRATIONS:]])),
    }
    began = time.process_time()
    learner = flown.neighbours()
    outcome = _learn(learner, flown, seed)
    result["seconds"] = time.process_time() - began

    def follow(number: int) -> float:
        frames = _follower(learner, outcome, number, flown)
        return _mean_return(lambda seen: int(action[frames(seen)[0]]))

    best = min(range(1, len(outcome.iterates)), key=lambda i: outcome.iterates[i].distance)
    result["neighbours, mixture"] = sum(share * follow(i) for i, share in _shares(outcome))
    result["neighbours, best"] = follow(best)
    began = time.process_time()
    lspi = LspiLearner(
        flown.phi,
        now,
        action[now],
        ended,
        flown.first[:DEMONSTRATIONS],
        2,
        flown.features.names,
        DISCOUNT,
        RIDGE,
    )
    try:
        found = _learn(lspi, flown, seed)
        result["lspi seconds"] = time.process_time() - began
        best = min(range(1, len(found.iterates)), key=lambda i: found.iterates[i].distance)
        result["lspi, best"] = _mean_return(lambda seen: _lspi(lspi, found, best, flown, seen))
        result["lspi, mixture"] = sum(
            share * _mean_return(lambda seen, i=i: _lspi(lspi, found, i, flown, seen))
            for i, share in _shares(found)
        )
    except DataError as error:
        print(f"seed {seed}, LSPI: {error}", file=sys.stderr, flush=True)
        result |= {"lspi, best": float("nan"), "lspi, mixture": float("nan"), "lspi seconds": float("nan")}
    return result


def _cart(sharpness: float, seed: int) -> list[tuple]:
    return cartpole.fly(cartpole.demonstrator(sharpness, seed), seed)[1]


def _lspi(learner: LspiLearner, outcome: Outcome, number: int, flown: Flown, seen: np.ndarray) -> int:
    base = np.append(flown.features({SEEN: np.asarray(seen, float)[None]})[0], 1.0)
    return int(learner.act(outcome.iterates[number].policy, base[None])[0])


def _mean_return(act) -> float:  # type: ignore[no-untyped-def]
    return float(np.mean([cartpole.fly(act, cartpole.EVALUATION_SEED + i)[0] for i in range(EPISODES)]))


ROWS = {
    "expert": ("the expert itself (CartPole: its 5 flights)", None),
    "others": ("the other flights", None),
    "neighbours, mixture": ("apprenticeship, neighbours: mixture", "seconds"),
    "neighbours, best": ("apprenticeship, neighbours: nearest single policy", "seconds"),
    "lspi, mixture": ("apprenticeship, LSTD-mu + LSPI: mixture", "lspi seconds"),
    "lspi, best": ("apprenticeship, LSTD-mu + LSPI: nearest single policy", "lspi seconds"),
    "iq": ("IQ-Learn of the expert's flights", "iq seconds"),
    "bc": ("behaviour cloning of the expert's flights", "bc seconds"),
}


def returns(seeds: int, pictures: Path | None) -> None:
    """Print mean returns on both worlds; nothing is drawn."""
    for title, once, most in (("Pendulum", pendulum_once, "0"), ("CartPole", cartpole_once, "500")):
        found = []
        for seed in range(seeds):
            found.append(once(seed))
            print(f"{title}, seed {seed}: {found[-1]}", file=sys.stderr, flush=True)
        table.heading(
            f"Apprenticeship learning offline: {title}",
            f"From {DEMONSTRATIONS} flights of the expert and {COVERING} others, without a step in the world; mean "
            f"return of {EPISODES} flights from other seeds; mean of {seeds} seeds, Student's 95 % interval; {most} "
            "is the most.",
        )
        table.head("learner", "returns by seed", "mean and interval", "CPU [s]")
        for key, (name, seconds) in ROWS.items():
            if key in found[0]:
                values = [one[key] for one in found]
                stable = [one for one in found if not np.isnan(one[key])]
                table.row(
                    name,
                    ", ".join("unstable" if np.isnan(value) else f"{value:.0f}" for value in values),
                    mean_interval([one[key] for one in stable], 0),
                    "" if seconds is None else mean_interval([one[seconds] for one in stable], 2),
                )
