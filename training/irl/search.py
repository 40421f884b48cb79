"""Inner learning by search among flights: where flying is cheaper than gradients, and good flights lie near known ones.

For each of a pool of starts the best flight under the reward w . phi is kept. Around it others are flown: its actions
with a smooth disturbance, those of a neighbouring start, and the present policy; the best of all is kept. Then the
policy is fitted to the kept flights, the better the more often, and flies the next ones (a cross-entropy method over
flights, Rubinstein 1999, with a policy that carries what was found at one start to the others, as in Levine & Koltun
2013, "Guided Policy Search"). A new reward costs a product of kept features: no flight is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.errors import UsageError
from training.irl.actor import Actor
from training.irl.expectations import Expectations
from training.irl.simulated import Demonstrations, Watched, discounted, flown_expectations
from training.irl.worlds import Phi, World, fly

_NEIGHBOURS = 4  # starts whose flights are tried at one


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        discount: gamma.
        starts: Starts in the pool.
        tries: Flights around the best one, a start and round.
        rounds: Rounds for each new reward.
        replays: Demonstrations whose actions are flown from each start once.
        measured: Flights by which a policy's feature expectations are measured, from starts that are not in the pool.
        disturbance: Least and greatest standard deviation of what disturbs actions [half ranges].
        knot_frames: Least frames between two independent disturbances, at most a whole flight; between them they are
            interpolated.
        fit_steps: Gradient steps of the policy a round.
        clone_steps: Gradient steps of the clone that it begins with.
        hidden_dim: Width of the policy's network.
        n_layers: Its hidden layers.
        horizon: Actions that the policy predicts at once.
        n_action_steps: Actions that it flies before it looks again.
        sharpness: How much more often the better flights are fitted to: shares go with
            exp(sharpness (value - best) / spread).
    """

    discount: float = 0.98
    starts: int = 40
    tries: int = 6
    rounds: int = 4
    replays: int = 4
    measured: int = 20
    disturbance: tuple[float, float] = (0.005, 0.3)
    knot_frames: int = 6
    fit_steps: int = 800
    clone_steps: int = 1500
    hidden_dim: int = 256
    n_layers: int = 2
    horizon: int = 16
    n_action_steps: int = 12
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1:
            raise UsageError(f"discount {self.discount}: it must be at least 0 and below 1")
        for name in ("starts", "tries", "rounds", "measured", "knot_frames", "fit_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: it must be at least 1")


@dataclass
class _Flight:
    """A flight that is kept: observations, actions and features by frame."""

    observation: np.ndarray
    action: np.ndarray
    phi: np.ndarray
    ended: bool


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
            shown: The expert's flights; where they have actions the policy begins as their clone, and stays with them.
            settings: As `SearchSettings`.
            seed: Of the network, the starts and the disturbances.
        """
        import torch

        torch.manual_seed(seed)
        self.names, self.frames = tuple(names), 0
        self._world, self._phi, self._shown, self._settings = world, phi, shown, settings
        self._rng = np.random.default_rng([seed, 0x5EA2C4])
        self.actor = Actor(
            shown.seen,
            world.low,
            world.high,
            settings.hidden_dim,
            settings.n_layers,
            settings.horizon,
            settings.n_action_steps,
        )
        seeds = self._rng.choice(2**31, size=settings.starts + settings.measured, replace=False)
        self._starts = [int(s) for s in seeds[: settings.starts]]
        self._measuring = [int(s) for s in seeds[settings.starts :]]
        self._kept: list[_Flight] = []

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a clone of the expert, or a random policy where it showed no actions."""
        if self._shown.actions is not None:
            steps, shown = self._settings.clone_steps, self._shown.observations
            self.actor.fit(shown, self._shown.actions, steps, self._rng)
        return self.actor.policy()

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Search on with the kept flights in the light of the new reward; a resumed run begins to keep anew."""
        self.actor.take(last)
        for number in range(self._settings.rounds):
            self._search(weights)
            self._fit(weights)
            values = [self.value(flight, weights) for flight in self._kept]
            self.look_up(
                f"round {number + 1}/{self._settings.rounds}: the kept flights are worth "
                f"{np.mean(values) * (1 - self._settings.discount):.4f} in the mean, {self.frames:,} frames flown"
            )
        return self.actor.policy()

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Fly from starts that are not in the pool, always the same ones."""
        flown = fly(self._world, self.actor.of(policy).pilot, self._measuring)
        self.frames += sum(len(flight) for flight, _, _ in flown)
        flights, _, ended = zip(*flown)
        return flown_expectations(flights, self._phi, self._settings.discount, ended)

    def value(self, flight: _Flight, weights: np.ndarray) -> float:
        """Return sum_t gamma^t w . phi(s_t), the end held for good."""
        return float(discounted(flight.phi @ weights, self._settings.discount, flight.ended))

    # Searching -------------------------------------------------------------------------------------------------

    def _search(self, weights: np.ndarray) -> None:
        """Fly around the best flight of each start, and keep the best."""
        n = self._world.n_copies
        for first in range(0, len(self._starts), n):
            group = list(range(first, min(first + n, len(self._starts))))
            if len(self._kept) <= first:
                self._kept += self._fly(group, [None] * len(group))
                for shown in self._shows():
                    self._keep(group, self._fly(group, [shown] * len(group)), weights)
            for number in range(self._settings.tries):
                self.look_up()
                self._keep(
                    group, self._fly(group, self._around(group, number), disturbed=number > 0), weights
                )

    def _around(self, group: list[int], number: int) -> list[np.ndarray | None]:
        """Return whose actions are flown: in turn the policy's (None), the best ones there, a neighbouring start's."""
        if number % 3 == 0:
            return [None] * len(group)
        if number % 3 == 1:
            return [self._kept[i].action for i in group]
        known = [(flight.observation[0], flight.action) for flight in self._kept]
        if self._shown.actions is not None:
            known += [(o[0], a) for o, a in zip(self._shown.observations, self._shown.actions)]
        first = self.actor.normalised(np.array([seen for seen, _ in known])).numpy()
        chosen: list[np.ndarray | None] = []
        for i in group:
            apart = np.linalg.norm(first - first[i], axis=1)
            near = np.argsort(apart)[1 : 1 + _NEIGHBOURS]  # the nearest is the start itself
            chosen.append(known[self._rng.choice(near)][1])
        return chosen

    def _keep(self, group: list[int], tried: Sequence[_Flight], weights: np.ndarray) -> None:
        for i, flight in zip(group, tried):
            if self.value(flight, weights) > self.value(self._kept[i], weights):
                self._kept[i] = flight

    def _shows(self) -> Sequence[np.ndarray]:
        """Return the actions of some demonstrations, to be flown from other starts too."""
        if self._shown.actions is None:
            return []
        n = len(self._shown.actions)
        return [
            self._shown.actions[i] for i in self._rng.choice(n, min(n, self._settings.replays), replace=False)
        ]

    def _fly(
        self, group: list[int], by: Sequence[np.ndarray | None], disturbed: bool = False
    ) -> list[_Flight]:
        """Fly some of the starts at once, each by the policy or by given actions."""
        world, actor = self._world, self.actor
        noise = self._noise(len(group)) if disturbed else np.zeros((len(group), world.frames, len(world.low)))
        turn, pilot = 0, actor.pilot()

        def act(seen: np.ndarray) -> np.ndarray:
            nonlocal turn
            action = actor.scaled(pilot(seen))
            for i, given in enumerate(by):
                if given is not None:
                    action[i] = actor.scaled(given[min(turn, len(given) - 1)])
            action = np.clip(action + noise[:, turn], -1, 1)
            turn += 1
            return actor.in_units(action)

        flown = fly(world, lambda: act, [self._starts[i] for i in group])
        self.frames += sum(len(flight) for flight, _, _ in flown)
        return [_Flight(flight, action, self._phi(flight), ended) for flight, action, ended in flown]

    def _noise(self, n: int) -> np.ndarray:
        """Return smooth disturbances [half ranges], (n, frames, action_dim).

        Size, pace and the actions that are disturbed differ by flight: some shift one joint all along, others shake
        everything for a moment. Where nothing is known of the scale, all scales are tried.
        """
        settings, frames, dim = self._settings, self._world.frames, len(self._world.low)
        noise = np.zeros((n, frames, dim))
        for i in range(n):
            size = np.exp(self._rng.uniform(*np.log(settings.disturbance)))
            pace = np.exp(self._rng.uniform(*np.log([min(settings.knot_frames, frames), frames])))
            at = np.arange(frames) / pace + self._rng.uniform()
            before = at.astype(int)
            knots = self._rng.normal(size=(before[-1] + 2, dim))
            share = (at - before)[:, None]
            chosen = self._rng.random(dim) < 0.5
            chosen[self._rng.integers(dim)] = True
            noise[i] = size * chosen * ((1 - share) * knots[before] + share * knots[before + 1])
        return noise

    def _fit(self, weights: np.ndarray) -> None:
        """Fit the policy to the kept flights, the better the more often, and to the expert's."""
        values = np.array([self.value(flight, weights) for flight in self._kept])
        spread = max(float(values.std()), 1e-9)
        share = np.exp(self._settings.sharpness * (values - values.max()) / spread)
        observations = [flight.observation for flight in self._kept]
        actions = [flight.action for flight in self._kept]
        if self._shown.actions is not None:
            observations += self._shown.observations
            actions += self._shown.actions
            share = np.append(share, np.ones(len(self._shown.actions)))
        self.actor.fit(observations, actions, self._settings.fit_steps, self._rng, share)
