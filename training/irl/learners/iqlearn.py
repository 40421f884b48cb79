"""`--irl.type=iqlearn`: IQ-Learn offline, from the expert's transitions alone; see `training.irl.iq_learn`.

Its reward is r(s, a) = Q(s, a) - gamma V(s'), a network's. What is kept of it is the w . phi(s) nearest to it in least
squares over the flights, with the share of its variance that this holds (`r2`). The policy is Q's own, cloned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collector.dataset.durable import write_bytes
from training.irl.config import IrlConfig
from training.irl.task import Learnt, Task

if TYPE_CHECKING:
    from training.irl.iq_learn import IqSettings

_RIDGE = 1e-3  # of the mean square of a feature
_LOW_R2 = 0.2


@IrlConfig.register_subclass("iqlearn")
@dataclass
class IqLearnConfig(IrlConfig):
    """Settings of `--irl.type=iqlearn`."""

    discount: float = 0.99  # gamma
    steps: int = 5000  # gradient steps of Q
    batch_size: int = 256  # transitions a step
    temperature: float = 0.1  # what entropy is worth in rewards
    alpha: float = 0.5  # of the chi-squared regulariser
    learning_rate: float = 1e-3  # Adam's
    hidden_dim: int = 256  # width of each network's two hidden layers

    def check(self) -> None:
        super().check()
        self._settings(0)

    def _settings(self, seed: int) -> IqSettings:
        from training.irl.iq_learn import IqSettings

        return IqSettings(
            steps=self.steps,
            batch_size=self.batch_size,
            discount=self.discount,
            temperature=self.temperature,
            alpha=self.alpha,
            learning_rate=self.learning_rate,
            hidden_dim=self.hidden_dim,
            seed=seed,
        )

    def learn(self, task: Task) -> Learnt:
        from safetensors.torch import save

        from training.irl.iq_learn import iq_learn
        from training.irl.transitions import transitions_of_dataset

        flights = task.flights
        shown = transitions_of_dataset(flights.dataset, flights.expert, task.inputs)
        stopped: list[bool] = []

        def asked() -> bool:
            stopped.append(task.stopped())
            return stopped[-1]

        def say(line: dict[str, float]) -> None:
            told = ", ".join(f"{name} {value:.4g}" for name, value in line.items() if name != "step")
            task.report(f"step {line['step']}/{self.steps}: {told}")

        model = iq_learn(shown, self._settings(task.seed), say, asked)
        if any(stopped):
            return Learnt(np.zeros(len(task.features.names)), interrupted=True)
        write_bytes(task.folder / "soft_q.safetensors", save(dict(model.state_dict())))
        everything = transitions_of_dataset(flights.dataset, flights.episodes, task.inputs)
        now = np.setdiff1d(np.arange(len(task.phi)), flights.last)
        if not shown.n_actions:
            everything = everything.clipped_to(shown)
        rewards = model.rewards(everything).astype(float)
        weights, r2 = _nearest(task.phi[now], rewards)
        task.report(f"the reward of states explains {r2:.0%} of r(s, a) over the flights")
        if r2 < _LOW_R2:
            task.report(
                "warning: hardly anything of r(s, a) is a reward of the features: the ranking will say little; raise "
                "--irl.n_features, or name others"
            )
        figures = {"steps": self.steps, "r2": r2, "reward_of_expert": float(model.rewards(shown).mean())}
        if shown.n_actions:
            return Learnt(weights, figures)
        observation = flights.table(task.inputs)
        return Learnt(
            weights,
            figures,
            frame_weights=flights.is_expert[flights.of_frame].astype(float),
            actions=model.act(observation),
        )


def _nearest(phi: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, float]:
    """Return w of the ridge regression r = w . phi + constant, (n_features,), and its coefficient of determination."""
    centred, wanted = phi - phi.mean(axis=0), rewards - rewards.mean()
    square = centred.T @ centred / len(phi)
    ridge = _RIDGE * float(np.trace(square)) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square + ridge, centred.T @ wanted / len(phi))
    left = wanted - centred @ weights
    return weights, float(1 - (left @ left) / max(float(wanted @ wanted), 1e-30))
