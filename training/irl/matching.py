"""Successor feature matching, and apprenticeship's inner learner with the same vector critic.

Successor feature matching (Jain et al. 2024, "Non-Adversarial Inverse Reinforcement Learning via Successor Feature
Matching", arXiv 2411.07007) moves the actor along the gradient of -||mu_E - mu(pi)||^2 / 2,

    (mu_E - mu(pi)) . grad mu(pi),    which is the policy gradient of the reward w . phi with w = mu_E - mu(pi),

and measures mu(pi) anew after a few steps. So it is the loop of `apprenticeship` with the update `matching`, whose
inner learner takes a few steps instead of all. No discriminator is trained, and the demonstrations need no actions.

The critic's own estimate of mu(pi), psi(s_0, pi(s_0)), would cost no frame, but it lags behind the actor by as much as
the gaps that are to be closed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.irl.apprenticeship import Outcome, near_ones
from training.irl.expectations import Expectations
from training.irl.simulated import AgentLearner, Setup, parts
from training.irl.successor import SuccessorAgent
from training.irl.updates import MEMORY

_WIDE, _SLOWEST = 0.25, 0.03  # gap of ||mu_E|| below which matching slows down, and how far
SETTLED = 14  # `Settings.patience` of matching
NEAR = (0.01, 0.1)  # least and greatest `Settings.near`
_ON_THE_WAY = 3  # near policies that still come nearer, and are left out of the mean


class SuccessorLearner(AgentLearner[SuccessorAgent]):
    """The inner learner with a vector critic: `apprenticeship.Learner`."""

    def __init__(self, setup: Setup) -> None:
        """Begin."""
        world, shown = setup.make_world(), setup.shown
        super().__init__(setup, SuccessorAgent(world, setup.phi, shown.seen, setup.settings, setup.seed))
        if shown.actions is not None:
            self.agent.show(shown.seen, np.concatenate(list(shown.actions)))

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


def near(expert: Expectations) -> float:
    """Return from which distance on, in shares of ||mu_E||, coming nearer to the demonstrations would mean nothing.

    How well their mean is known, within `NEAR`; of a single flight that is not known, and the greatest is taken.
    """
    least, most = NEAR
    known_to = expert.sampling_error / expert.norm
    return most if np.isnan(known_to) else float(np.clip(known_to, least, most))


def concluded(learner: MatchingLearner, outcome: Outcome, expert: Expectations) -> Outcome:
    """Put the mean of the policies that were near behind the others, as the best one.

    The nearest of many is near by chance in part, and flies other starts no better; the mean does.

    Args:
        learner: What learnt them, and measures their mean.
        outcome: Of matching.
        expert: mu_E.

    Returns:
        The outcome as it is, where fewer than two policies can be averaged, or their mean is not near.
    """
    iterates, distance = outcome.iterates, near(expert) * expert.norm
    settled = near_ones(iterates, distance)[_ON_THE_WAY:]
    if len(settled) < 2:
        return outcome
    policy = learner.actor.mean_of([iterate.policy for iterate in settled])
    found = learner.expectations(policy, 0)
    mean = replace(
        iterates[-1],
        number=len(iterates),
        mean=found.mean,
        distance=float(np.linalg.norm(expert.mean - found.mean)),
        truncation=found.truncation,
        sampling_error=found.sampling_error,
        policy=policy,
    )
    if not mean.distance < distance:
        return outcome
    learner.report(
        f"the mean of the last {len(settled)} policies is at {mean.distance / expert.norm:.4f} of ||mu_E||"
    )
    return replace(
        outcome, iterates=[*iterates, mean], best=mean.number, mixture=np.append(outcome.mixture, 0.0)
    )
