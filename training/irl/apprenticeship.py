"""Apprenticeship learning (Abbeel & Ng 2004): a reward under which the expert is best, and policies that match it.

The expert optimises an unknown reward w* . phi(s). A policy with the expert's feature expectations is as good as the
expert under every such reward, whatever w* is:
|E[sum gamma^t R(s_t) | pi_E] - E[sum gamma^t R(s_t) | pi]| = |w . (mu_E - mu)| <= ||mu_E - mu||_2 (eq. 6 to 9).

The loop, by the steps of section 3:
1. Take some policy pi_0, mu_0 = mu(pi_0), i = 1.
2. t_i, w_i by one of `updates.UPDATES`: the reward under which the expert beats the policies so far by most.
3. Stop if t_i <= epsilon.
4. pi_i: optimal for the reward w_i . phi.
5. mu_i = mu(pi_i), exactly or from flights.
6. i = i + 1; back to 2.

It also stops where pi_i does not come nearer: then mu_E, estimated from few flights, is matched by no policy, and
the nearest mixture of all policies is reached (the Frank-Wolfe gap is 0; Jaggi 2013, eq. 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from collector.errors import DataError, UsageError
from training.irl.expectations import Expectations
from training.irl.iterates import Iterate, IterateFolder
from training.irl.updates import STEPWISE, UPDATES, nearest_mixture

REASONS = {
    "reached": "the margin fell to epsilon",
    "settled": "no policy comes nearer to the demonstrations",
    "near": "its policies have been near to the demonstrations for long enough",
    "iterations": "all iterations are done",
    "stopped": "it was stopped",
}
_NO_NEARER = 1e-9  # of ||mu_E||


class AbandonedError(Exception):
    """A learner was told to stop in the midst of a policy: what it has of it is of no use."""


class Learner(Protocol):
    """What solves a task for a given reward: the inner reinforcement learning.

    A policy is a dictionary of arrays, so that it can be kept on disk whatever the learner is.
    """

    names: tuple[str, ...]

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return pi_0, any policy."""
        ...

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Return a policy that is optimal, or nearly, for the reward weights . phi(s), begun at the last one."""
        ...

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return the policy's feature expectations."""
        ...


@dataclass(frozen=True)
class Settings:
    """How to learn.

    Attributes:
        update: `max_margin`, `projection` or `literal`; `matching` for a learner that takes steps.
        iterations: The most policies to learn behind pi_0.
        epsilon: Margin to stop at, in shares of ||mu_E||.
        seed: Of pi_0 and of whatever the learner draws.
        patience: Policies in a row that come no nearer before it ends: 1 where each is optimal for its reward, more
            where the learner only approximates.
        near: Of `matching`: distance, in shares of ||mu_E||, below which a policy is near; it ends `patience` policies
            behind the first that is. A mean of few flights is not known so well that coming nearer would mean
            anything, and what is left of the gap drives a policy about. 0: only `epsilon` ends it.
    """

    update: str = "max_margin"
    iterations: int = 30
    epsilon: float = 1e-3
    seed: int = 0
    patience: int = 1
    near: float = 0.0

    def __post_init__(self) -> None:
        if self.update not in UPDATES | STEPWISE:
            raise UsageError(f"update '{self.update}': it must be one of {', '.join(UPDATES)}")
        if self.iterations < 1:
            raise UsageError(f"{self.iterations} iterations: at least 1 is needed")
        if self.patience < 1:
            raise UsageError(f"patience {self.patience}: it must be at least 1")
        for name in ("epsilon", "near"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} {getattr(self, name)}: it must be at least 0")


@dataclass(frozen=True)
class Outcome:
    """What was learnt.

    Attributes:
        iterates: pi_0 and all policies behind it, with the rewards that they are optimal for.
        reason: A key of `REASONS`.
        mixture: Shares of the mixture nearest to the expert, (n_iterates,), sums to 1.
        mixture_distance: ||mu_E - mu|| of that mixture.
        best: Number of the single policy nearest to the expert.
        margin: The last margin t.
    """

    iterates: list[Iterate]
    reason: str
    mixture: np.ndarray
    mixture_distance: float
    best: int
    margin: float

    @property
    def reward(self) -> np.ndarray:
        """The last reward's weights, (n_features,)."""
        return self.iterates[-1].weights

    def draw(self, seed: int) -> dict[str, np.ndarray]:
        """Return one policy drawn by the mixture's shares: fly it for one whole episode, then draw again."""
        drawn = np.random.default_rng(seed).choice(len(self.mixture), p=self.mixture)
        return self.iterates[drawn].policy


def learn(
    learner: Learner,
    expert: Expectations,
    settings: Settings,
    folder: IterateFolder | None = None,
    report: Callable[[Iterate], None] = lambda iterate: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Learn from the expert's feature expectations.

    Args:
        learner: Solves the task for each reward.
        expert: mu_E.
        settings: As `Settings`.
        folder: Where each iterate is kept; those that it holds already are not learnt again.
        report: Told of each iterate, those found in the folder too.
        stopped: Asked before each iteration.

    Raises:
        UsageError: If the folder's iterates were learnt by other settings or from another expert.
        DataError: If features are unbounded or a policy diverges.
        StorageError: If the disk is full.
        KeyboardInterrupt: If it was stopped before the first policy was there.
    """
    expert.check("the expert")
    if not expert.norm > 0:
        raise DataError(
            "the expert's feature expectations are 0: no feature fires in its flights; name others"
        )
    if len(learner.names) != len(expert.mean):
        raise DataError(
            f"the expert has {len(expert.mean)} features, the learner {len(learner.names)}: give the same"
        )
    iterates = [] if folder is None else folder.begin(_record(learner, expert, settings))
    for iterate in iterates:
        report(iterate)
    while True:
        reason, margin, weights = _next(iterates, expert, settings)
        if not reason and stopped():
            reason = "stopped"
        if reason and iterates:
            break
        last = iterates[-1].policy if iterates else None
        try:
            new = _iterate(learner, expert, settings, len(iterates), margin, weights, last)
        except AbandonedError:
            if not iterates:
                raise KeyboardInterrupt from None
            reason = "stopped"
            break
        iterates.append(new)
        if folder is not None:
            folder.keep(new)
        report(new)
    policies = np.array([iterate.mean for iterate in iterates])
    mixture, distance = nearest_mixture(expert.mean, policies)
    best = int(np.argmin([iterate.distance for iterate in iterates]))
    return Outcome(iterates, reason, mixture, distance, best, margin)


def _next(iterates: list[Iterate], expert: Expectations, settings: Settings) -> tuple[str, float, np.ndarray]:
    """Return why to stop, or "", the margin, and the next reward's weights."""
    if not iterates:
        return "", float("inf"), np.zeros_like(expert.mean)
    policies = np.array([iterate.mean for iterate in iterates])
    update = (UPDATES | STEPWISE)[settings.update]
    found = update(expert.mean, policies)
    reason = ""
    if found.margin <= settings.epsilon * expert.norm:
        reason = "reached"
    elif (
        len(iterates) > settings.patience
        and settings.update not in ("literal", *STEPWISE)
        and all(
            _came_no_nearer(update, policies[: len(policies) - k], expert) for k in range(settings.patience)
        )
    ):
        reason = "settled"
    elif (
        settings.update in STEPWISE
        and len(near_ones(iterates, settings.near * expert.norm)) > settings.patience
    ):
        reason = "near"
    elif len(iterates) > settings.iterations:
        reason = "iterations"
    return reason, found.margin, found.weights


def near_ones(iterates: Sequence[Iterate], distance: float) -> Sequence[Iterate]:
    """Return the first policy that came within a distance of the expert, and all behind it."""
    for place, iterate in enumerate(iterates):
        if iterate.distance < distance:
            return iterates[place:]
    return []


def _came_no_nearer(update: Callable[..., Any], policies: np.ndarray, expert: Expectations) -> bool:
    """Whether the last policy, optimal for its reward, lies no further along it than the point it began from."""
    before = update(expert.mean, policies[:-1])
    return bool(before.weights @ (policies[-1] - before.nearest) <= _NO_NEARER * expert.norm)


def _iterate(
    learner: Learner,
    expert: Expectations,
    settings: Settings,
    number: int,
    margin: float,
    weights: np.ndarray,
    last: dict[str, np.ndarray] | None,
) -> Iterate:
    # By iteration, so that a resumed run draws what an uninterrupted one would have drawn.
    seed = int(np.random.default_rng([settings.seed, number]).integers(2**31))
    policy = learner.first(seed) if last is None else learner.improve(weights, last, seed)
    found = learner.expectations(policy, seed)
    found.check(f"policy {number}")
    return Iterate(
        number=number,
        weights=weights,
        margin=margin,
        mean=found.mean,
        distance=float(np.linalg.norm(expert.mean - found.mean)),
        truncation=found.truncation,
        sampling_error=found.sampling_error,
        policy=policy,
    )


def _record(learner: Learner, expert: Expectations, settings: Settings) -> dict[str, Any]:
    """Return what must be the same for iterates to belong together; more iterations may be asked for later."""
    given = asdict(settings)
    for free in ("iterations", "epsilon", "patience", "near"):
        del given[free]
    return given | {
        "features": list(learner.names),
        "discount": expert.discount,
        "expert": expert.mean.tolist(),
        "demonstrations": expert.n_episodes,
    }
