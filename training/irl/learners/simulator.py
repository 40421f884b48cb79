"""`--irl.type=sfm` and `gail`, and the flags of every learner that may fly a simulated robot while it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.errors import UsageError
from training.irl.config import IrlConfig

if TYPE_CHECKING:
    from training.irl.task import Learnt, Task


@dataclass
class SimulatorConfig(IrlConfig):
    """What learners in a simulator share; no `--irl.type` itself."""

    # Simulated robot to fly: sim_so101, sim_pusht or a plugin's (default: the one that the dataset names)
    robot: str | None = None
    # Copies of it that fly at once
    copies: int = 8
    # A flight's length [s] (default: the task's time limit)
    flight_s: float | None = None
    # Policies to learn, at most
    iterations: int = 30
    # Margin to stop at, in shares of ||mu_E||
    epsilon: float = 0.01
    # Frames flown for each new reward
    frames: int = 4000
    # Frames flown before the first one
    warmup: int = 4000
    # Begin with a clone of the expert; false learns from what was seen alone, without actions
    clone: bool = True
    # Gradient steps a frame flown
    updates: float = 0.5
    # Adam's, of the learner in the simulator
    learning_rate: float = 1e-3
    # Weight of the expert's actions beside the reward
    imitation: float = 0.0

    def check(self) -> None:
        super().check()
        for name in ("copies", "iterations", "frames", "warmup"):
            if getattr(self, name) < 1:
                raise UsageError(f"--irl.{name}={getattr(self, name)}: it must be at least 1")
        for name in ("updates", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UsageError(f"--irl.{name}={getattr(self, name)}: it must be above 0")
        for name in ("epsilon", "imitation"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"--irl.{name}={getattr(self, name)}: it must be at least 0")
        if self.flight_s is not None and not self.flight_s > 0:
            raise UsageError(f"--irl.flight_s={self.flight_s}: it must be above 0")


@IrlConfig.register_subclass("sfm")
@dataclass
class SfmConfig(SimulatorConfig):
    """Settings of `--irl.type=sfm`: successor feature matching (Jain et al. 2024, arXiv 2411.07007)."""

    def learn(self, task: Task) -> Learnt:
        from training.irl.simulator_stage import learn_in_simulator

        return learn_in_simulator(self, task, "sfm")


@IrlConfig.register_subclass("gail")
@dataclass
class GailConfig(SimulatorConfig):
    """Settings of `--irl.type=gail`: the adversarial baseline (Ho & Ermon 2016), from states alone."""

    def learn(self, task: Task) -> Learnt:
        from training.irl.simulator_stage import learn_in_simulator

        return learn_in_simulator(self, task, "gail")


@IrlConfig.register_subclass("apprenticeship_sim")
@dataclass
class SimulatedApprenticeshipConfig(SimulatorConfig):
    """Settings of `--irl.type=apprenticeship_sim`: Abbeel & Ng 2004 with a simulator."""

    # max_margin, projection or literal: how the next reward is found
    update: str = "max_margin"
    # What learns a policy for each reward: search (among flights), successor (a vector critic) or sac
    inner: str = "search"

    def check(self) -> None:
        super().check()
        from training.irl.trial import INNER
        from training.irl.updates import UPDATES

        if self.update not in UPDATES:
            raise UsageError(f"--irl.update={self.update}: choose one of {', '.join(UPDATES)}")
        if self.inner not in INNER:
            raise UsageError(f"--irl.inner={self.inner}: choose one of {', '.join(INNER)}")

    def learn(self, task: Task) -> Learnt:
        from training.irl.simulator_stage import learn_in_simulator

        return learn_in_simulator(self, task, "apprenticeship", self.update, self.inner)
