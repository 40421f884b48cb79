"""Steps of an expert: what it saw, what it did, what it saw then, and whether that was the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import DataError, UsageError

_MARGIN = 0.05  # of a box that is taken from the actions seen, in shares of their range, at each side


@dataclass(frozen=True)
class Transitions:
    """Transitions of all flights in one table.

    Attributes:
        observation: float, (n, observation_dim).
        action: int64, (n,), of 0 .. n_actions - 1, or float, (n, action_dim).
        next_observation: float, (n, observation_dim).
        ended: Whether nothing comes behind it, bool, (n,); false where a flight was cut off by a time limit.
        n_actions: Number of discrete actions; 0 where actions are continuous.
        low: Least of each continuous action, (action_dim,).
        high: Greatest of each, (action_dim,).
    """

    observation: np.ndarray
    action: np.ndarray
    next_observation: np.ndarray
    ended: np.ndarray
    n_actions: int = 0
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.observation) == 0:
            raise UsageError("no expert: imitation needs at least one transition of two frames")
        for name in ("observation", "next_observation", "action"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"the expert's {name} holds NaN or infinity: leave those flights out")
        if self.n_actions and not (self.action.min() >= 0 and self.action.max() < self.n_actions):
            raise DataError(
                f"the expert's actions range from {self.action.min()} to {self.action.max()}: "
                f"they must be 0 to {self.n_actions - 1}"
            )

    def __len__(self) -> int:
        return len(self.observation)

    def clipped_to(self, other: Transitions) -> Transitions:
        """Return the same with continuous actions kept within the box of others."""
        assert other.low is not None and other.high is not None
        action = np.clip(self.action, other.low, other.high)
        return replace(self, action=action, low=other.low, high=other.high)

    def every(self, stride: int, first: int = 0) -> Transitions:
        """Return every `stride`-th transition, the scarce data of the literature's benchmarks."""
        chosen = slice(first, None, stride)
        return Transitions(
            self.observation[chosen],
            self.action[chosen],
            self.next_observation[chosen],
            self.ended[chosen],
            self.n_actions,
            self.low,
            self.high,
        )


_SEEN = ("observation.state", "observation.environment_state")


def transitions_of_dataset(
    dataset: Dataset, episodes: Sequence[int], seen: Sequence[str] | None = None
) -> Transitions:
    """Read transitions from flights in a LeRobot dataset.

    An observation is `observation.state` with, where there is one, `observation.environment_state`. A dataset whose
    `action` is of whole numbers has discrete actions; else the box is the actions' range with 5 % to either side. A
    flight's last frame has no successor and gives none, except that `next.done` marks the step before it as the end.

    Args:
        dataset: The dataset.
        episodes: Which flights.
        seen: Columns that make up an observation; None for those two.

    Raises:
        UsageError: If no flight has two frames.
        DataError: If a column is missing or holds NaN.
    """
    seen = [name for name in seen or _SEEN if name in dataset.features]
    if not seen or "action" not in dataset.features:
        raise DataError(
            f"{dataset.root} has no observation.state or no action: it cannot be imitated from states"
        )
    names = [*seen, "action"] + (["next.done"] if "next.done" in dataset.features else [])
    chosen = list(episodes)
    columns = dataset.columns(names, chosen)
    lengths = dataset.lengths(chosen)
    observation = np.concatenate([columns[name].reshape(lengths.sum(), -1) for name in seen], axis=1)
    last = np.cumsum(lengths) - 1
    now = np.setdiff1d(np.arange(lengths.sum()), last)
    done = columns.get("next.done", np.zeros(lengths.sum(), bool)).reshape(-1).astype(bool)
    ended = done[now] | (done[now + 1] & np.isin(now + 1, last))
    action = columns["action"].reshape(lengths.sum(), -1)[now]
    if np.issubdtype(action.dtype, np.integer):
        if action.shape[1] != 1:
            raise DataError(
                f"{dataset.root} has {action.shape[1]} discrete actions at once: only one can be learnt"
            )
        action = action[:, 0].astype(np.int64)
        return Transitions(
            observation[now], action, observation[now + 1], ended, int(action.max(initial=0)) + 1
        )
    if len(action) == 0:
        raise UsageError("no expert: imitation needs at least one flight of two frames")
    low, high = action.min(axis=0), action.max(axis=0)
    margin = _MARGIN * np.maximum(high - low, 1e-3)
    return Transitions(observation[now], action, observation[now + 1], ended, 0, low - margin, high + margin)
