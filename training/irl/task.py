"""What a learner of rewards is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from collector.dataset.feature_maps import FeatureMap
from collector.dataset.linear_reward import held_sum
from collector.dataset.reader import Dataset
from collector.errors import DataError
from training.irl.expectations import Expectations, check_bounded

if TYPE_CHECKING:
    from training.config import TrainConfig


@dataclass(frozen=True)
class Flights:
    """Flights of the expert, and others that cover what the expert did not do, in one table.

    Attributes:
        dataset: Where they are from.
        episodes: Their numbers there, ascending.
        lengths: Frames of each, int64, (n_episodes,).
        is_expert: Whose the expert is, bool, (n_episodes,).
        columns: By name, float64, (n_frames, dim).
    """

    dataset: Dataset
    episodes: list[int]
    lengths: np.ndarray
    is_expert: np.ndarray
    columns: dict[str, np.ndarray]

    @property
    def first(self) -> np.ndarray:
        """The first frame of each flight, int64, (n_episodes,)."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def last(self) -> np.ndarray:
        """The last frame of each flight, int64, (n_episodes,)."""
        return np.cumsum(self.lengths) - 1

    @property
    def of_frame(self) -> np.ndarray:
        """The flight that each frame is of, by place in `episodes`, int64, (n_frames,)."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def expert(self) -> list[int]:
        """Numbers of the expert's episodes."""
        return [e for e, is_expert in zip(self.episodes, self.is_expert) if is_expert]

    @property
    def is_discrete(self) -> bool:
        """Whether actions are whole numbers."""
        return "action" in self.dataset.features and self.dataset.features["action"]["dtype"].startswith(
            "int"
        )

    def table(self, columns: Sequence[str]) -> np.ndarray:
        """Return columns side by side, float64, (n_frames, dim)."""
        return np.concatenate([self.columns[name] for name in columns], axis=1)


@dataclass(frozen=True)
class Task:
    """What a learner is given.

    Attributes:
        config: All flags of the run.
        flights: What was flown.
        features: phi.
        phi: Of every frame, float64, (n_frames, n_features), rows at most 1 long.
        inputs: Columns that make up the state.
        folder: Where the learner may keep what it needs to go on, or leave for people; below the run's folder.
        resume: Whether `folder` may hold a part of the work.
        report: Says a line of progress.
        stopped: Whether the user wants to stop: then keep what there is and return it as `interrupted`.
    """

    config: TrainConfig
    flights: Flights
    features: FeatureMap
    phi: np.ndarray
    inputs: tuple[str, ...]
    folder: Path
    resume: bool
    report: Callable[[str], None]
    stopped: Callable[[], bool]

    @property
    def discount(self) -> float:
        """gamma."""
        assert self.config.irl is not None
        return self.config.irl.discount

    @property
    def seed(self) -> int:
        """Of all that is drawn."""
        return self.config.seed

    def expert(self) -> Expectations:
        """Return mu_E, where a flight stays for good in the frame that it ended in.

        Raises:
            DataError: If a frame's features are longer than 1.
        """
        check_bounded(self.phi, "the flights")
        sums = np.array(
            [
                held_sum(self.phi[first : last + 1], self.discount)
                for first, last, is_expert in zip(
                    self.flights.first, self.flights.last, self.flights.is_expert
                )
                if is_expert
            ]
        )
        if not len(sums):
            raise DataError("no expert: none of the chosen episodes has a frame")
        spread = sums.var(axis=0, ddof=1).sum() if len(sums) > 1 else np.nan
        return Expectations(
            sums.mean(axis=0), self.discount, len(sums), 0.0, float(np.sqrt(spread / len(sums)))
        )


@dataclass(frozen=True)
class Learnt:
    """What a learner gives back.

    Attributes:
        weights: w of the reward, float64, (n_features,).
        figures: What is told of it: numbers and words, JSON.
        interrupted: It was stopped, and all else is of no use.
        frame_weights: How much each frame counts when the policy is cloned, at least 0, (n_frames,); None where the
            flights train no policy.
        actions: What the policy is to do in each frame, in the dataset's units, (n_frames, action_dim); None for what
            was done.
        write_policy: Fills a folder `pretrained_model` with a policy that the learner trained itself; None where it is
            cloned from the frames.
    """

    weights: np.ndarray
    figures: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    frame_weights: np.ndarray | None = None
    actions: np.ndarray | None = None
    write_policy: Callable[[Path], None] | None = None

    @property
    def trains_policy(self) -> bool:
        """Whether a policy is to be cloned from the frames."""
        return self.write_policy is None and (self.frame_weights is not None or self.actions is not None)
