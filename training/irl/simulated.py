"""Learning in a simulator: what every learner there is given, and how its policies are measured.

mu(pi) is measured by flights from where the demonstrations began: from there the expert's and the policy's
expectations differ by what they do, and not by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from collector.dataset.linear_reward import held_sum
from collector.errors import DataError, UsageError
from training.irl.actor import Actor
from training.irl.apprenticeship import AbandonedError
from training.irl.expectations import Expectations, check_bounded
from training.irl.iterates import Iterate
from training.irl.successor import RlSettings
from training.irl.worlds import Phi, Start, World, fly


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


class Agent(Protocol):
    """What flies a world and learns from it.

    Attributes:
        actor: Its policy.
        frames: Frames flown so far.
    """

    actor: Actor

    @property
    def frames(self) -> int: ...

    def take(self, policy: dict[str, np.ndarray]) -> None:
        """Go on with another actor."""
        ...


class AgentLearner[A: Agent](Watched):
    """What learners with an agent share; policies are measured by flights from where the demonstrations began.

    Attributes:
        agent: What learns.
        actor: The policies' network.
        names: The features' names.
    """

    def __init__(self, setup: Setup, agent: A) -> None:
        """Begin with an agent that has flown nothing yet."""
        self.agent, self.actor, self.names = agent, agent.actor, tuple(setup.names)
        self._measuring, self._measured = setup.make_world(), 0
        self._phi, self._shown, self._schedule = setup.phi, setup.shown, setup.schedule
        self._discount = setup.settings.discount

    @property
    def frames(self) -> int:
        """Frames flown, to learn and to measure."""
        return self.agent.frames + self._measured

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a clone of the expert, or a random policy."""
        if self._schedule.clone:
            self.agent.take(cloned(self.actor, self._shown, self._schedule.clone_steps, seed))
        return self.actor.policy()

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return the feature expectations of a policy."""
        flown = fly(self._measuring, self.actor.of(policy).pilot, list(self._shown.starts))
        self._measured += sum(len(flight) for flight, _, _ in flown)
        flights, _, ended = zip(*flown)
        return flown_expectations(flights, self._phi, self._discount, ended)


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
