"""`--irl.type=apprenticeship`: Abbeel & Ng 2004 from flights alone, without a simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collector.errors import DataError, UsageError
from training.irl.apprenticeship import REASONS, Outcome, Settings, learn
from training.irl.config import IrlConfig
from training.irl.iterates import RECORD, Iterate, IterateFolder
from training.irl.lstd import LspiLearner
from training.irl.neighbours import NeighbourMdp
from training.irl.offline import FlightsLearner, comparable
from training.irl.task import Learnt, Task

INNER = ("neighbours", "lspi")
_CLEAR = 2.0  # times the sampling error, below which what tells the others from the expert may be chance
_CONNECTED = (
    0.2  # share of the frames with a neighbour of another flight, below which hardly anything can be chosen
)


@IrlConfig.register_subclass("apprenticeship")
@dataclass
class ApprenticeshipConfig(IrlConfig):
    """Settings of `--irl.type=apprenticeship`."""

    update: str = "max_margin"  # max_margin, projection or literal: how the next reward is found
    iterations: int = 30  # policies to learn, at most
    epsilon: float = 0.01  # margin to stop at, in shares of ||mu_E||; never below the sampling error of mu_E
    # The inner learner: neighbours (does what was done in frames like it, and cannot diverge) or lspi (LSTD-mu; for
    # discrete actions)
    inner: str = "neighbours"
    ridge: float = 0.01  # of lspi, in shares of the features' mean square
    n_neighbours: int = 8  # frames of other flights whose action may be taken
    reach: float = 3.0  # how far away they may be, in typical distances between flights
    price: float = 1.0  # of an action from a typical distance away, in standard deviations of the reward
    temperature: float = (
        0.5  # of the frames' weights exp(A / temperature) in cloning, in standard deviations of A
    )

    def check(self) -> None:
        super().check()
        self.settings(0, self.epsilon)
        if self.n_neighbours < 1:
            raise UsageError(f"--irl.n_neighbours={self.n_neighbours}: it must be at least 1")
        if self.inner not in INNER:
            raise UsageError(f"--irl.inner={self.inner}: choose one of {', '.join(INNER)}")
        for name in ("reach", "temperature", "ridge"):
            if not getattr(self, name) > 0:
                raise UsageError(f"--irl.{name}={getattr(self, name)}: it must be above 0")
        if not self.price >= 0:
            raise UsageError(f"--irl.price={self.price}: it must be at least 0")

    def settings(self, seed: int, epsilon: float) -> Settings:
        """Return the loop's settings."""
        return Settings(self.update, self.iterations, epsilon, seed)

    def learn(self, task: Task) -> Learnt:
        learner: FlightsLearner | LspiLearner = (
            self._lspi(task) if self.inner == "lspi" else self._neighbours(task)
        )
        expert = task.expert()
        norm = expert.norm or 1.0
        # Nearer than mu_E is known nothing can be matched: rewards learnt there follow the noise.
        noise = 0.0 if np.isnan(expert.sampling_error) else expert.sampling_error / norm
        settings = self.settings(task.seed, max(self.epsilon, noise))

        def say(iterate: Iterate) -> None:
            margin = f"margin {iterate.margin / norm:.4f}" if iterate.number else "how the others fly"
            worth = iterate.weights @ iterate.mean * (1 - task.discount)
            told = f", its return {worth:.4f}" if iterate.number else ""
            if not iterate.number and iterate.distance < _CLEAR * noise * norm:
                task.report(
                    f"warning: the others are {iterate.distance / norm:.3f} of ||mu_E|| from the expert, whose mean is "
                    f"known to {noise:.3f}: hardly anything tells them apart; give more flights, others by "
                    "--dataset.coverage_filter, or other --irl.features"
                )
            task.report(
                f"iteration {iterate.number}/{self.iterations}: {margin}, distance {iterate.distance / norm:.4f}{told}"
            )

        resume = task.resume and (task.folder / RECORD).exists()
        folder = IterateFolder(task.folder, resume)
        outcome = learn(learner, expert, settings, folder, say, task.stopped)
        if outcome.reason == "stopped":
            return Learnt(np.zeros(len(task.features.names)), interrupted=True)
        if len(outcome.iterates) < 2:
            raise DataError(
                f"the others are {outcome.iterates[0].distance / norm:.3f} of ||mu_E|| from the expert, whose mean is "
                f"known to {noise:.3f}: nothing tells them apart; give more flights, others by "
                "--dataset.coverage_filter, or other --irl.features"
            )
        task.report(
            f"ended: {REASONS[outcome.reason]}; mixture at {outcome.mixture_distance / norm:.4f} of ||mu_E||"
        )
        return Learnt(
            weights=_reward(outcome),
            figures={
                "update": self.update,
                "iterations": len(outcome.iterates) - 1,
                "ended": REASONS[outcome.reason],
                "margin": outcome.margin / norm,
                "best_distance": outcome.iterates[outcome.best].distance / norm,
                "mixture_distance": outcome.mixture_distance / norm,
                "mixture": {str(i): round(float(s), 4) for i, s in enumerate(outcome.mixture) if s > 1e-4},
                "sampling_error": noise,
                "inner": self.inner,
            },
            frame_weights=self._frame_weights(learner, outcome, task),
        )

    def _lspi(self, task: Task) -> LspiLearner:
        from training.irl.transitions import transitions_of_dataset

        flights = task.flights
        flown = transitions_of_dataset(flights.dataset, flights.episodes, task.inputs)
        if not flown.n_actions:
            raise UsageError(
                "--irl.inner=lspi is for discrete actions, these are continuous: leave it out, or take neighbours"
            )
        return LspiLearner(
            task.phi,
            np.setdiff1d(np.arange(len(task.phi)), flights.last),
            flown.action,
            flown.ended,
            flights.first[flights.is_expert],
            flown.n_actions,
            task.features.names,
            task.discount,
            self.ridge,
        )

    def _neighbours(self, task: Task) -> FlightsLearner:
        flights = task.flights
        states = comparable(flights.table(task.inputs))
        task.report(f"looking up neighbours of {len(states):,} frames in {states.shape[1]} dimensions")
        mdp = NeighbourMdp(states, flights.lengths, task.discount, self.n_neighbours, self.reach)
        share = mdp.n_connected / len(states)
        if share < _CONNECTED:
            task.report(
                f"warning: only {share:.0%} of the frames have one of another flight near: hardly anything can be "
                "chosen but what was done; raise --irl.reach, or add flights by --dataset.coverage_filter"
            )
        covering = np.flatnonzero(~flights.is_expert[flights.of_frame])
        return FlightsLearner(
            mdp, task.phi, task.features.names, flights.first[flights.is_expert], covering, self.price
        )

    def _frame_weights(
        self, learner: FlightsLearner | LspiLearner, outcome: Outcome, task: Task
    ) -> np.ndarray | None:
        """Return exp(A / T), (n_frames,): A of going on as was done, the mean over the mixture's rewards.

        None where actions are discrete: no policy of demodeck's does those.

        Advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177, eq. 8), by the expert's reward.
        """
        if not isinstance(learner, FlightsLearner) or task.flights.is_discrete:
            task.report("actions are discrete, for which there is no policy here: it stays at the reward")
            return None
        advantage = sum(
            share * learner.advantages(iterate.weights, iterate.policy)
            for share, iterate in _with_rewards(outcome)
        )
        assert isinstance(advantage, np.ndarray)
        spread = float(advantage.std())
        return np.exp(advantage / (self.temperature * spread)) if spread > 0 else np.ones(len(advantage))


def _with_rewards(outcome: Outcome) -> list[tuple[float, Iterate]]:
    """Return the mixture's policies that are optimal for a reward, all but pi_0, with their shares, which sum to 1."""
    shares = outcome.mixture.copy()
    shares[0] = 0.0
    if not shares.sum() > 0:
        shares[outcome.best or len(shares) - 1] = 1.0
    return [(s, iterate) for s, iterate in zip(shares / shares.sum(), outcome.iterates) if s > 0]


def _reward(outcome: Outcome) -> np.ndarray:
    """Return the mean of the rewards that the mixture's policies are optimal for."""
    return np.sum([share * iterate.weights for share, iterate in _with_rewards(outcome)], axis=0)
