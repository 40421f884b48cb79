"""What a verdict is given, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from collector.session.verdict.motion import filled

MARKS = ("bad", "look", "good")
# What may be said of a take; of two that are equally bad, which is said first.
KINDS = (
    "interrupted", "not_finite", "too_short", "camera", "timing", "clipped", "leap", "tremor", "idle_head",
    "idle_tail", "unlike", "failure",
)  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """One thing that is to be said of a take.

    Attributes:
        kind: One of `KINDS`.
        mark: The mark that it alone would give: `bad`, `look`, or `good` for what is no fault.
        words: A sentence that says what was seen, and what is usual or allowed.
        from_s, to_s: Where, in seconds since the take's first tick.
    """

    kind: str
    mark: str
    words: str
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Take:
    """One flight as it was recorded.

    Attributes:
        fps: Nominal ticks a second [Hz].
        columns: As recorded, (n,) or (n, dim): `action` is needed; `executed_action`, `observation.state`,
            `clock.tick`, `clock.observation`, `clock.<camera>` [s] and `intervention` are used where they are.
        episode: Its index in the dataset.
        action_names: Action keys, in the order of `action`.
        missed_ticks: Ticks that began more than half a period late, or were not recorded.
        clipped: Ticks that safety changed, by why, or their number.
        camera_faults: As dictionaries; see `CameraFault`.
        success: What the pilot or the task said of it.
        reason: Why it ended; see `FlightResult`.
        interrupted: Whether something cut it short.

    Raises:
        ValueError: If there is no `action`.
    """

    fps: float
    columns: Mapping[str, np.ndarray]
    episode: int = -1
    action_names: Sequence[str] = ()
    missed_ticks: int = 0
    clipped: Mapping[str, int] | int = 0
    camera_faults: Sequence[Mapping[str, Any]] = ()
    success: bool | None = None
    reason: str = ""
    interrupted: bool = False

    def __post_init__(self) -> None:
        if "action" not in self.columns:
            raise ValueError(f"a take needs the column 'action'; it has {', '.join(self.columns) or 'none'}")

    def __len__(self) -> int:
        return len(self.columns["action"])

    def column(self, name: str) -> np.ndarray | None:
        """Return a column as finite float64, (n, dim); None where it was not recorded."""
        values = self.columns.get(name)
        return None if values is None or len(values) != len(self) else filled(values, len(self))

    @cached_property
    def action(self) -> np.ndarray:
        """What the pilot asked for, finite, (n, n_action)."""
        return filled(self.columns["action"], len(self))

    @cached_property
    def state(self) -> np.ndarray:
        """Where the robot was, finite, (n, n_state); (n, 0) where it was not recorded."""
        values = self.column("observation.state")
        return np.zeros((len(self), 0)) if values is None else values

    @cached_property
    def times_s(self) -> np.ndarray:
        """When each tick began, (n,): by its clock, or by the nominal rate where none was recorded."""
        ticks = self.column("clock.tick")
        return (
            np.arange(len(self)) / self.fps
            if ticks is None
            else ticks[:, 0] - (ticks[0, 0] if len(self) else 0)
        )

    @property
    def seconds(self) -> float:
        """How long it was [s]."""
        return float(self.times_s[-1]) + 1 / self.fps if len(self) else 0.0

    def at_s(self, tick: int) -> float:
        """Return when a tick began [s]; one past the last is the take's end."""
        return float(self.times_s[tick]) if tick < len(self) else self.seconds

    def joint(self, j: int) -> str:
        """Return what entry `j` of the action is called."""
        return self.action_names[j].removesuffix(".pos") if j < len(self.action_names) else f"joint {j}"

    def whole(self, kind: str, mark: str, words: str) -> Reason:
        """Return a reason that concerns all of the take."""
        return Reason(kind, mark, words, 0.0, self.seconds)
