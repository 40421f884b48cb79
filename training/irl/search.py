"""Inner learning by search among flights: where flying is cheaper than gradients, and good flights lie near known ones.

A flight is good under the reward w . phi when it is worth about what the demonstrations are. That is enough: the loop
of `apprenticeship` needs policies with w . mu >= w . mu_E, not the best of all (the step from (10) to (11) in Abbeel &
Ng 2004). From a large pool of starts the search takes those next that are most like starts from which a good flight is
known, first those of the demonstrations themselves, and flies there what `contexts.forecast` reads off the good
flights, undisturbed, disturbed, or what came nearest so far, disturbed. So it spreads from the demonstrations outwards,
and what one start taught need not be found again. Then the policy is fitted to the good flights alone: a cross-entropy
method over flights (Rubinstein 1999), whose policy carries what was found at some starts to all, as in Levine & Koltun
2013, "Guided Policy Search". A new reward costs a product of kept features: no flight is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.errors import UsageError
from training.irl.actor import Actor
from training.irl.contexts import Good, forecast, padded, smooth_noise
from training.irl.expectations import Expectations
from training.irl.simulated import Demonstrations, Watched, discounted, flown_expectations
from training.irl.worlds import Phi, World, fly

_OWN = -1  # root of what the policy flew
_SAID = 10  # times a search says how it gets on
_AGAIN = 0.5  # share of flights that disturb the best one of a start, where it is not good yet
_MEMORY = 0.02  # weight of the last flight in what new starts and others are found to yield
_LEAST = 1e-3  # of what entries of an observation are divided by
_STEP = 1.2  # the distance of new starts grows by this with a good flight ...
_AIM = 0.25  # ... and stands where this share of them is good
_PATIENCE = 15.0  # tries that put a start back as much as its distance does


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        discount: gamma.
        starts: Starts in the pool.
        flights: Flights for each new reward, at most; fewer where all starts have a good one.
        measured: Flights by which a policy's feature expectations are measured, from starts that are not in the pool.
        slack: How much less than the demonstrations a good flight may be worth, in shares of what they are worth more
            than the first policy.
        near: Least and greatest number of flights within a forecast's bandwidth.
        ridge: Least and greatest ridge of a forecast.
        disturbance: Least and greatest standard deviation of what disturbs actions [half ranges].
        knot_frames: As `contexts.smooth_noise`.
        fit_steps: Gradient steps of a policy, the clone that it begins with included.
        hidden_dim: Width of the policy's network.
        n_layers: Its hidden layers.
        horizon: Actions that the policy predicts at once.
        n_action_steps: Actions that it flies before it looks again.
    """

    discount: float = 0.98
    starts: int = 3000
    flights: int = 1000
    measured: int = 20
    slack: float = 0.35
    near: tuple[int, int] = (6, 60)
    ridge: tuple[float, float] = (0.003, 0.3)
    disturbance: tuple[float, float] = (0.005, 0.3)
    knot_frames: int = 6
    fit_steps: int = 1500
    hidden_dim: int = 256
    n_layers: int = 2
    horizon: int = 16
    n_action_steps: int = 12

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1:
            raise UsageError(f"discount {self.discount}: it must be at least 0 and below 1")
        for name in ("starts", "flights", "measured", "knot_frames", "fit_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: it must be at least 1")


@dataclass
class _Flight:
    """A flight: observations, actions and features by frame, and the number of the one that it was varied from."""

    observation: np.ndarray
    action: np.ndarray
    phi: np.ndarray
    ended: bool
    root: int


class SearchLearner(Watched):
    """The inner learner by search: `apprenticeship.Learner`.

    Attributes:
        names: The features' names.
        frames: Frames flown.
    """

    def __init__(
        self,
        world: World,
        phi: Phi,
        names: Sequence[str],
        shown: Demonstrations,
        settings: SearchSettings,
        seed: int,
    ) -> None:
        """Begin.

        Args:
            world: Where to fly; it must begin by seeds.
            phi: Features of observations, ||phi|| <= 1.
            names: Their names.
            shown: The expert's flights; where they have actions the search and the policy begin with them.
            settings: As `SearchSettings`.
            seed: Of the network, the starts and the disturbances.
        """
        import torch

        torch.manual_seed(seed)
        self.names, self.frames = tuple(names), 0
        self._world, self._phi, self._shown, self._settings = world, phi, shown, settings
        self._rng = np.random.default_rng([seed, 0x5EA2C4])
        self.actor = self._network(shown.seen)
        seeds = self._rng.choice(2**31, size=settings.starts + settings.measured, replace=False)
        self._starts = [int(s) for s in seeds[: settings.starts]]
        self._measuring = [int(s) for s in seeds[settings.starts :]]
        ended = [False] * len(shown.observations) if shown.ended is None else shown.ended
        actions = shown.actions or [np.zeros((0, len(world.low)))] * len(shown.observations)
        self._demonstrated = [
            self._flight(o, a, bool(end), number)
            for number, (o, a, end) in enumerate(zip(shown.observations, actions, ended))
        ]
        self._begins: np.ndarray | None = None
        self._kept: list[list[_Flight]] = [[] for _ in self._starts]  # what was the best of its start once
        self._tries = np.zeros(settings.starts, int)
        self._first: list[_Flight] = []
        # Share of good flights among those from new starts, and from others again.
        self._won = np.full(2, 0.1)
        self._reach = 0.0  # how far from good flights new starts are taken, the nearest at first

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a clone of the expert, or a random policy where it showed no actions."""
        if self._shown.actions is not None:
            self.actor.fit(self._shown.observations, self._shown.actions, self._settings.fit_steps, self._rng)
        return self.actor.policy()

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Search on with the kept flights in the light of the new reward; a resumed run begins to keep anew."""
        self.actor.take(last)
        if not self._first:
            self.expectations(last, seed)
        self._search(weights)
        self._fit(weights)
        return self.actor.policy()

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Fly from starts that are not in the pool, always the same ones."""
        flown = fly(self._world, self.actor.of(policy).pilot, self._measuring)
        self.frames += sum(len(flight) for flight, _, _ in flown)
        flights, _, ended = zip(*flown)
        if not self._first:
            self._first = [self._flight(*one, _OWN) for one in flown]
        return flown_expectations(flights, self._phi, self._settings.discount, ended)

    def value(self, flight: _Flight, weights: np.ndarray) -> float:
        """Return sum_t gamma^t w . phi(s_t), the end held for good."""
        return float(discounted(flight.phi @ weights, self._settings.discount, flight.ended))

    def good_from(self, weights: np.ndarray) -> float:
        """Return what a flight must be worth to be good."""
        shown = float(np.mean([self.value(flight, weights) for flight in self._demonstrated]))
        return shown - self._settings.slack * self._lead(weights)

    def _lead(self, weights: np.ndarray) -> float:
        """Return what the demonstrations are worth more than the first policy's flights, at least 0."""
        shown, first = (
            np.mean([self.value(flight, weights) for flight in flights] or [0.0])
            for flights in (self._demonstrated, self._first)
        )
        return max(float(shown - first), 0.0)

    # Searching -------------------------------------------------------------------------------------------------

    def _search(self, weights: np.ndarray) -> None:
        """Fly from the starts that have no good flight yet, those first that are most like others that have."""
        from scipy.spatial import cKDTree

        settings, level = self._settings, self.good_from(weights)
        begins = self._seen_first()
        best, worth = self._best(weights)
        scale, gap = self._scale(begins), max(self._lead(weights), 1e-9)
        flown, said = 0, 0
        while flown < settings.flights and (worth < level).any():
            self.look_up()
            models = self._models(best, worth, level)
            known = (
                np.array([flight.observation[0] for flight in models]).reshape(-1, begins.shape[1]) / scale
            )
            apart = cKDTree(known).query(begins / scale)[0] if len(known) else np.zeros(len(begins))
            group = self._next(apart, (level - worth) / gap)
            asked = None  # by the policy
            if models:
                scaled = [padded(self.actor.scaled(f.action), self._world.frames) for f in models]
                good = Good(known, np.array(scaled), np.array([flight.root for flight in models]))
                asked = [self._propose(begins[i] / scale, best[i], good) for i in group]
            for i, flight in zip(group, self._fly(group, asked)):
                value = self.value(flight, weights)
                again = int(self._tries[i] > 0)
                self._won[again] += _MEMORY * (float(value >= level) - self._won[again])
                if not again and asked:
                    self._reach *= _STEP if value >= level else _STEP ** (-_AIM / (1 - _AIM))
                if value > worth[i]:
                    best[i], worth[i] = flight, value
                    self._kept[i].append(flight)
            flown += len(group)
            self._tries[group] += 1
            if flown * _SAID >= (said + 1) * settings.flights:
                said = flown * _SAID // settings.flights
                self.look_up(
                    f"{(worth >= level).sum()} of {len(begins)} starts have a good flight, {flown} flights for this "
                    f"reward, {self.frames:,} frames flown"
                )

    def _seen_first(self) -> np.ndarray:
        """Return where the pool's flights begin, (starts, observation_dim)."""
        if self._begins is None:
            world, starts = self._world, self._starts
            groups = [starts[i : i + world.n_copies] for i in range(0, len(starts), world.n_copies)]
            self._begins = np.concatenate([world.reset(group).copy() for group in groups])
            self.frames += len(starts)
        return self._begins

    def _scale(self, begins: np.ndarray) -> np.ndarray:
        """Return what makes entries of an observation comparable: how they differ by start, or in a flight."""
        return np.maximum(np.maximum(begins.std(axis=0), self._shown.seen.std(axis=0)), _LEAST)

    def _models(self, best: Sequence[_Flight | None], worth: np.ndarray, level: float) -> list[_Flight]:
        """Return whom to follow: the demonstrations and the good flights, or the best tenth where there are none."""
        models = [flight for flight in self._demonstrated if len(flight.action)]
        models += [flight for flight, value in zip(best, worth) if flight is not None and value >= level]
        if models:
            return models
        order = np.argsort(-worth)[: max(1, int(np.isfinite(worth).sum()) // 10)]
        return [flight for i in order if (flight := best[i]) is not None]

    def _next(self, apart: np.ndarray, lack: np.ndarray) -> np.ndarray:
        """Return from which starts to fly, as many as fly at once: new ones, and others again, as either pays.

        Args:
            apart: Distance to the nearest start with a good flight.
            lack: What the best flight lacks to be good, in shares of what the first policy lacks; 0 or less where it is
                good.
        """
        n, tries = self._world.n_copies, self._tries
        new = np.flatnonzero((tries == 0) & (lack > 0))
        if len(new):
            self._reach = max(self._reach, float(apart[new].min()))
        new = new[np.argsort(np.abs(apart[new] - self._reach))]
        again = np.flatnonzero((tries > 0) & (lack > 0))
        again = again[np.argsort(lack[again] + tries[again] / _PATIENCE)]
        share = self._won[1] / self._won.sum()
        n_again = min(len(again), max(round(share * n), 1, n - len(new)))
        return np.concatenate([new[: n - n_again], again[:n_again]])

    def _propose(self, context: np.ndarray, best: _Flight | None, good: Good) -> tuple[np.ndarray, int]:
        """Return actions within about [-1, 1], (frames, action_dim), and their root."""
        settings, rng = self._settings, self._rng
        size = np.exp(rng.uniform(*np.log(settings.disturbance)))
        if best is not None and rng.random() < _AGAIN:
            action, root = self.actor.scaled(best.action), best.root
            return action + self._noise(len(action), size), root
        near, ridge = np.exp(rng.uniform(*np.log([settings.near, settings.ridge]).T))
        told = forecast(good, context, round(near), float(ridge), rng)
        length = len(self._demonstrated[told.root].action) if told.root != _OWN else self._world.frames
        action = told.action
        if best is not None:  # else it has not been tried yet as it is
            kind = rng.integers(3)
            if kind == 0:
                action = action + self._noise(len(action), size)
            elif kind == 1:
                action = (
                    action + np.tensordot(rng.normal(size=len(told.varied)), told.varied, 1) * rng.random()
                )
        return action[:length], told.root

    def _noise(self, frames: int, size: float) -> np.ndarray:
        return smooth_noise(frames, len(self._world.low), self._settings.knot_frames, size, self._rng)

    def _fly(self, group: np.ndarray, asked: Sequence[tuple[np.ndarray, int]] | None) -> list[_Flight]:
        """Fly some of the starts at once, by given actions or, where there are none, by the policy."""
        world, actor, starts = self._world, self.actor, [self._starts[i] for i in group]
        if asked is None:
            flown = fly(world, actor.pilot, starts)
            self.frames += sum(len(flight) for flight, _, _ in flown)
            return [self._flight(*one, _OWN) for one in flown]
        lengths = [len(action) for action, _ in asked]
        given = np.array([padded(action, max(lengths)) for action, _ in asked])
        plan = iter(actor.in_units(np.clip(given, -1, 1)).transpose(1, 0, 2))
        flown = fly(world, lambda: lambda seen: next(plan), starts, max(lengths))
        self.frames += len(group) * max(lengths)
        return [
            self._flight(o[:n], a[:n], e and len(o) <= n, root)
            for (o, a, e), n, (_, root) in zip(flown, lengths, asked)
        ]

    def _flight(self, seen: np.ndarray, action: np.ndarray, ended: bool, root: int) -> _Flight:
        if ended and len(action) > 1:  # at its end nothing was done
            action = np.append(action[:-1], action[-2:-1], axis=0)
        return _Flight(seen, action, self._phi(seen), ended, root)

    def _best(self, weights: np.ndarray) -> tuple[list[_Flight | None], np.ndarray]:
        """Return the best flight from each start, None where there is none, and what it is worth, (starts,)."""
        best: list[_Flight | None] = [None] * len(self._starts)
        worth = np.full(len(self._starts), -np.inf)
        for i, flights in enumerate(self._kept):
            for flight in flights:
                if (value := self.value(flight, weights)) > worth[i]:
                    best[i], worth[i] = flight, value
        return best, worth

    def _fit(self, weights: np.ndarray) -> None:
        """Fit a new policy to the good flights and the demonstrations, or to the best tenth where there are none."""
        flights = self._models(*self._best(weights), self.good_from(weights))
        seen = [flight.observation for flight in flights]
        self.actor = self._network(np.concatenate([self._shown.seen, *seen]))
        self.actor.fit(seen, [flight.action for flight in flights], self._settings.fit_steps, self._rng)

    def _network(self, seen: np.ndarray) -> Actor:
        world, settings = self._world, self._settings
        return Actor(
            seen, world.low, world.high, settings.hidden_dim, settings.n_layers, settings.horizon,
            settings.n_action_steps,
        )  # fmt: skip
