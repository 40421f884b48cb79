"""The flags `--irl.*`: which learner of rewards, by which features; each learner registers its own settings here.

A learner is a module of `training.irl.learners` with a dataclass

    @IrlConfig.register_subclass("name")
    @dataclass
    class NameConfig(IrlConfig):
        def learn(self, task: Task) -> Learnt: ...

and nothing else: the run's folder, its record, Ctrl-C and resuming, the reward's files and the policy's training
are `training.irl.stage`.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import draccus

from collector.errors import UsageError

if TYPE_CHECKING:
    from training.irl.task import Learnt, Task


@dataclass
class IrlConfig(draccus.ChoiceRegistry, abc.ABC):
    """What every learner of rewards has."""

    # What the reward weighs: fourier, entries, dynamics (learnt to foretell the next frame), a file of named features,
    # or one of those shipped: sim_so101, sim_so101_grip, pusht
    features: str = "fourier"
    # Train a policy behind the reward; false leaves it at the reward
    policy: bool = True
    # Push the reward to the Hub under this name, as user/name, and whether nobody else may see it
    repo_id: str | None = None
    private: bool | None = None
    # Columns that features and learner see (default: observation.state and observation.environment_state)
    inputs: list[str] | None = None
    # Random Fourier features or learnt ones, an even number
    n_features: int = 200
    # Of Fourier features: over which share of the median distance between two frames the reward may change
    bandwidth: float = 0.5
    # gamma: a reward counts a share 1 - gamma less a frame later; 0 looks 2.5 times as far ahead as the expert's median
    # flight is long, so that it matters where flights end
    discount: float = 0.0

    @property
    def type(self) -> str:
        """Its name, as in `--irl.type`."""
        return str(self.get_choice_name(self.__class__))

    def check(self) -> None:
        """Check what no type can say.

        Raises:
            UsageError: If a flag is out of range.
        """
        if not 0 <= self.discount < 1:
            raise UsageError(f"--irl.discount={self.discount}: it must be at least 0 and below 1")
        if self.n_features < 2 or self.n_features % 2:
            raise UsageError(f"--irl.n_features={self.n_features}: it must be an even number, at least 2")
        if not self.bandwidth > 0:
            raise UsageError(f"--irl.bandwidth={self.bandwidth}: it must be above 0")

    @abc.abstractmethod
    def learn(self, task: Task) -> Learnt:
        """Learn a reward, and what its policy is trained on.

        Raises:
            DataError: If the flights cannot be learnt from, or the learner diverges.
        """
