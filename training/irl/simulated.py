"""Apprenticeship learning and successor feature matching in a simulator: what the loop of `apprenticeship` calls there.

Successor feature matching (Jain et al. 2024, "Non-Adversarial Inverse Reinforcement Learning via Successor Feature
Matching", arXiv 2411.07007) moves the actor along the gradient of -||mu_E - mu(pi)||^2 / 2,

    (mu_E - mu(pi)) . grad mu(pi),    which is the policy gradient of the reward w . phi with w = mu_E - mu(pi),

and measures mu(pi) anew after a few steps. So it is the loop with the update `matching`, whose inner learner takes a
few steps instead of all. No discriminator is trained, and the demonstrations need no actions.

mu(pi) is measured by flights from where the demonstrations began; the critic's own estimate of it, psi(s_0, pi(s_0)),
costs no frame but lags behind the actor, by as much as the gaps that are to be closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from collector.dataset.linear_reward import held_sum
from collector.errors import DataError, UsageError
from training.irl.actor import Actor
from training.irl.apprenticeship import AbandonedError
from training.irl.expectations import Expectations, check_bounded
from training.irl.iterates import Iterate
from training.irl.successor import RlSettings, SuccessorAgent
from training.irl.updates import MEMORY
from training.irl.worlds import Phi, Start, World, fly

_WIDE, _SLOWEST = 0.25, 0.03  # gap of ||mu_E|| below which matching slows down, and how far


@dataclass(frozen=True)
class Demonstrations:
    """An expert's flights in a world.

    Attributes:
        observations: Of each flight, float32, (n_frames, observation_dim).
        actions: In the world's units, (n_frames, action_dim) each; None where flights have none.
        starts: Where each began, as `World.reset` takes it.
        ended: Whether each really ended; None where none did.
    """

    observations: Sequence[np.ndarray]
    actions: Sequence[np.ndarray] | None
    starts: Sequence[Start]
    ended: Sequence[bool] | None = None

    def __post_init__(self) -> None:
        if not self.observations:
            raise UsageError("no expert: inverse reinforcement learning needs at least one demonstration")
        if len(self.starts) != len(self.observations):
            raise UsageError(
                f"{len(self.observations)} demonstrations and {len(self.starts)} starts: give as many"
            )
        if self.actions is not None and any(
            len(a) != len(o) for a, o in zip(self.actions, self.observations)
        ):
            raise DataError("a demonstration has more observations than actions, or fewer: give one for each")

    def without_actions(self) -> Demonstrations:
        """Return the same flights as an onlooker sees them."""
        return Demonstrations(self.observations, None, self.starts, self.ended)

    def expectations(self, phi: Phi, discount: float) -> Expectations:
        """Return mu_E, as `flown_expectations`."""
        return flown_expectations(self.observations, phi, discount, self.ended)

    @property
    def seen(self) -> np.ndarray:
        """All observations, (n, observation_dim)."""
        return np.concatenate(list(self.observations))


def flown_expectations(
    flights: Sequence[np.ndarray], phi: Phi, discount: float, ended: Sequence[bool] | None = None
) -> Expectations:
    """Return the feature expectations of flights, where one that did not end stays for good as it was last seen.

    Whoever lands a robot and lets go of the controls leaves it standing; and what a time limit cut off is then no
    cheaper than what it did not.

    Args:
        flights: Observations of each, (n_frames, observation_dim).
        phi: Features of observations.
        discount: gamma.
        ended: Whether each really ended, so that nothing comes behind it; None where none did.

    Raises:
        DataError: If features are longer than 1.
    """
    features = [phi(flight) for flight in flights]
    for number, one in enumerate(features):
        check_bounded(one, f"flight {number}")
    over = [False] * len(features) if ended is None else ended
    sums = np.array([discounted(one, discount, end) for one, end in zip(features, over)])
    spread = sums.var(axis=0, ddof=1).sum() if len(sums) > 1 else np.nan
    return Expectations(sums.mean(axis=0), discount, len(sums), 0.0, float(np.sqrt(spread / len(sums))))


def discounted(values: np.ndarray, discount: float, ended: bool) -> np.ndarray:
    """Return sum_t gamma^t x_t of a flight, whose last value stays for good unless it ended."""
    if ended:
        return discount ** np.arange(len(values)) @ values
    return held_sum(values, discount)


@dataclass(frozen=True)
class Schedule:
    """How much the inner learner flies.

    Attributes:
        frames: For each new reward.
        warmup: Random ones before the first reward, or with a cloned beginning noisy ones.
        clone: Begin with the expert's actions, which it must have shown then.
        clone_steps: Gradient steps of that.
    """

    frames: int = 2000
    warmup: int = 2000
    clone: bool = False
    clone_steps: int = 1500

    def __post_init__(self) -> None:
        if self.frames < 1 or self.warmup < 1:
            raise UsageError(f"{self.frames} frames a reward and {self.warmup} before: at least 1 each")


def parts(frames: int, most: int = 500) -> list[int]:
    """Return frames in parts, between which a learner looks up."""
    return [most] * (frames // most) + ([frames % most] if frames % most else [])


def cloned(actor: Actor, shown: Demonstrations, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Fit an actor to the expert's actions, and return it as a policy.

    Raises:
        UsageError: If the demonstrations have none.
    """
    if shown.actions is None:
        raise UsageError("the demonstrations have no actions to clone: begin with a random policy")
    actor.fit(shown.observations, shown.actions, steps, np.random.default_rng(seed))
    return actor.policy()


@dataclass(frozen=True)
class Setup:
    """What every learner in a simulator is given.

    Attributes:
        make_world: Makes a world; one is flown to learn, another to measure.
        phi: Features of observations, ||phi|| <= 1.
        names: Their names.
        shown: The expert's flights.
        schedule: How much is flown.
        settings: How the inner learner learns.
        seed: Of networks and exploration.
    """

    make_world: Callable[[], World]
    phi: Phi
    names: Sequence[str]
    shown: Demonstrations
    schedule: Schedule
    settings: RlSettings
    seed: int


class Watched:
    """The part of a learner that says how it gets on, and stops in the midst of a policy.

    Attributes:
        report: Told a line now and then.
        stopped: Asked as often.
    """

    report: Callable[[str], None] = staticmethod(lambda line: None)
    stopped: Callable[[], bool] = staticmethod(lambda: False)

    def look_up(self, line: str = "") -> None:
        """Say a line, and see whether to stop.

        Raises:
            AbandonedError: If so.
        """
        if line:
            self.report(line)
        if self.stopped():
            raise AbandonedError

    def watch(self, report: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        """Take what to tell and what to ask."""
        self.report, self.stopped = report, stopped


class Measuring(Watched):
    """The part of a learner that measures its policies by flights from where the demonstrations began.

    Attributes:
        names: The features' names.
        actor: The policies' network.
        measured: Frames flown to measure.
    """

    actor: Actor

    def __init__(self, setup: Setup) -> None:
        self.names, self.measured = tuple(setup.names), 0
        self._measuring, self._phi, self._shown = setup.make_world(), setup.phi, setup.shown
        self._schedule, self._discount = setup.schedule, setup.settings.discount

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return the feature expectations of a policy."""
        flown = fly(self._measuring, self.actor.of(policy).pilot, list(self._shown.starts))
        self.measured += sum(len(flight) for flight, _, _ in flown)
        flights, _, ended = zip(*flown)
        return flown_expectations(flights, self._phi, self._discount, ended)


class SuccessorLearner(Measuring):
    """The inner learner with a vector critic: `apprenticeship.Learner`."""

    def __init__(self, setup: Setup) -> None:
        """Begin."""
        super().__init__(setup)
        shown = setup.shown
        self.agent = SuccessorAgent(setup.make_world(), setup.phi, shown.seen, setup.settings, setup.seed)
        self.actor = self.agent.actor
        if shown.actions is not None:
            self.agent.show(shown.seen, np.concatenate(list(shown.actions)))

    @property
    def frames(self) -> int:
        """Frames flown, to learn and to measure."""
        return self.agent.frames + self.measured

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a clone of the expert, or a random policy."""
        if self._schedule.clone:
            self.agent.take(cloned(self.actor, self._shown, self._schedule.clone_steps, seed))
        return self.actor.policy()

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Go on from the last policy, with what was flown before seen in the light of the new reward.

        A run that was resumed has flown nothing yet, and fills its memory first.
        """
        agent = self.agent
        agent.take(last)
        agent.pursue(weights)
        if not agent.frames:
            agent.learn(self._schedule.warmup, random=not self._schedule.clone, still=self._schedule.clone)
        for frames in parts(self._schedule.frames):
            agent.learn(frames)
            self.look_up()
        return agent.policy()


class MatchingLearner(SuccessorLearner):
    """Successor feature matching: steps along the gradient, as long as the gap mu_E - mu(pi) is wide.

    A policy that has come near would else be driven about by what is left of the gap, which is chance. Adam takes the
    reward's length out of its steps; so the actor's learning rate shrinks with the gap instead.
    """

    def __init__(self, expert: Expectations, setup: Setup) -> None:
        """Take mu_E too."""
        super().__init__(setup)
        self._target, self._gap = expert, np.zeros_like(expert.mean)

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        found = super().expectations(policy, seed)
        self._gap = MEMORY * self._gap + (1 - MEMORY) * (self._target.mean - found.mean)
        return found

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """As `SuccessorLearner`, by a few steps along the gradient."""
        gap = float(np.linalg.norm(self._gap)) or self._target.norm  # a resumed run measured nothing yet
        self.agent.pace(min(1.0, max(_SLOWEST, gap / (_WIDE * self._target.norm))))
        return super().improve(weights, last, seed)


def shortfall(iterates: Sequence[Iterate]) -> tuple[float, int]:
    """Return by how much the last policy misses what an earlier one is worth under its own reward, and which.

    An optimal policy for w_i is worth at least as much under it as any other: w_i . mu_i >= w_i . mu_j. Where that
    fails, the inner learner has not learnt enough, and the margins mean little.

    Args:
        iterates: In order.

    Returns:
        max_j w_i . (mu_j - mu_i), at least 0, and the best j.
    """
    if len(iterates) < 2:
        return 0.0, 0
    last = iterates[-1]
    worth = [float(last.weights @ (other.mean - last.mean)) for other in iterates[:-1]]
    return max(0.0, max(worth)), int(np.argmax(worth))
