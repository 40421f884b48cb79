"""What a check is: a pure function over one episode's arrays, and a rule that judges its score.

The work has two phases. `measure` sees one episode and the set's `Reference` and returns a `Measure`;
episodes are independent, so it runs in as many processes as there are cores. Then the rule judges the scores
of all episodes together: what is unusual can only be said against the rest of the set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.checks.reference import Reference


@dataclass(frozen=True)
class Episode:
    """One episode as the checks see it.

    Attributes:
        index: Episode index in the dataset.
        fps: Nominal frames per second.
        columns: The recorded columns, unchanged, (n_frames,) or (n_frames, dim).
        state: `observation.state` with non-finite values filled in, float64, (n_frames, n_state).
        action: `action` likewise, float64, (n_frames, n_action).
        video: Per camera the series that `curation.video_pass` makes, empty where the video was not read.
        memo: What several checks compute from the same arrays, kept while the episode is measured.
    """

    index: int
    fps: float
    columns: dict[str, np.ndarray]
    state: np.ndarray
    action: np.ndarray
    video: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        index: int,
        fps: float,
        columns: dict[str, np.ndarray],
        video: dict[str, dict[str, np.ndarray]] | None = None,
    ) -> Episode:
        """Build an episode from its columns; a dataset without state or action gets arrays of width 0."""
        n = len(next(iter(columns.values()))) if columns else 0
        return cls(
            index,
            float(fps),
            columns,
            filled(columns.get("observation.state"), n),
            filled(columns.get("action"), n),
            video or {},
        )

    def __len__(self) -> int:
        return len(self.state)


def filled(values: np.ndarray | None, n_frames: int) -> np.ndarray:
    """Return `values` as float64 (n_frames, dim) with non-finite entries interpolated along time.

    Only the check `non_finite` judges such entries; the others must neither crash nor report them again.
    A dimension without any finite value becomes 0.
    """
    if values is None:
        return np.zeros((n_frames, 0))
    array = np.array(values, dtype=np.float64)
    array = array.reshape(len(array), int(np.prod(array.shape[1:])))
    for j in np.flatnonzero(~np.isfinite(array).all(axis=0)):
        good = np.flatnonzero(np.isfinite(array[:, j]))
        array[:, j] = np.interp(np.arange(len(array)), good, array[good, j]) if len(good) else 0.0
    return array


@dataclass(frozen=True)
class Measure:
    """What a check measured on one episode.

    Attributes:
        score: The number to be judged, in the check's unit; NaN where the check cannot be evaluated.
        span: Frames [from, to) that the score comes from; None for the whole episode.
        words: What and where, for the finding's message.
        skipped: Why the check cannot be evaluated, empty where it was.
        features: For checks with `combine` or `per_joint`: what the set compares, (n_features,).
        spans: For checks with `per_joint`: the frames of each feature.
        labels: For checks with `per_joint`: the name of each feature, added to the words.
    """

    score: float = float("nan")
    span: tuple[int, int] | None = None
    words: str = ""
    skipped: str = ""
    features: np.ndarray | None = None
    spans: list[tuple[int, int] | None] | None = None
    labels: list[str] | None = None


def skip(reason: str) -> Measure:
    """Return the measure of a check that cannot be evaluated: said so, never counted as passed."""
    return Measure(skipped=reason)


@dataclass(frozen=True)
class Rule:
    """When a score is a warning or a fault.

    Attributes:
        fault: Limit of a fault; None where the check never says more than a warning.
        warn: Limit of a warning.
        against_set: True: limits are robust z against the set; False: limits are scores themselves.
        side: "high", "low" or "both": which direction is bad.
        log: Take robust z of the score's logarithm (for scores that spread over decades).
        rel, floor: Smallest spread that robust z assumes: `rel * |median|` and `floor` (of the log if `log`).
        at_least: A score below this is never a finding, however unusual (`side` "high" only).
        tail: Limits against the set are raised until chance, as the set's own tail has it, passes them in at
            most `judge.FALSE_ALARMS` of the clean episodes.
        raised: At most so many times: a tail as heavy as that is the set's own faults.
    """

    fault: float | None
    warn: float | None
    against_set: bool = True
    side: str = "high"
    log: bool = False
    rel: float = 0.1
    floor: float = 0.0
    at_least: float = -np.inf
    tail: bool = True
    raised: float = 3.0


@dataclass(frozen=True)
class PerJoint:
    """Compares each joint (or entry) with the same joint of the other episodes; the worst one counts.

    The score is the robust z of the joint's feature, (x - median) / max(1.4826 MAD, rel |median|, floor).

    Attributes:
        floor: Smallest spread, in the feature's unit (of the logarithm if `log`).
        rel: Smallest spread as a share of the median.
        log: Compare logarithms.
        both: Small features are as bad as large ones.
    """

    floor: float = 0.0
    rel: float = 0.1
    log: bool = False
    both: bool = False


@dataclass(frozen=True)
class Check:
    """One check: its name (a column of the episode view), what it measures, and its rule.

    Attributes:
        name: Identifier; also the author of automatic verdicts, as `check:<name>`.
        unit: Unit of the score, for messages.
        about: What is found, in a few words.
        measure: Pure function of one episode.
        rule: How scores become findings.
        combine: For checks that compare episodes: features of all episodes (n, n_features) -> scores (n,),
            and per episode what to add to the words.
        video: True where the check needs the decoded video.
        per_joint: For checks that compare each joint with the set's; the score is then in robust sigmas.
    """

    name: str
    unit: str
    about: str
    measure: Callable[[Episode, Reference], Measure]
    rule: Rule
    combine: Callable[[np.ndarray, Reference], tuple[np.ndarray, list[str]]] | None = None
    video: bool = False
    per_joint: PerJoint | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (fault) or worth a look (warn) in an episode; frames are [from, to)."""

    episode_index: int
    check: str
    severity: str
    from_frame: int
    to_frame: int
    value: float
    limit: float
    message: str


def runs(mask: np.ndarray) -> np.ndarray:
    """Return the runs of True in `mask` as rows [from, to), int64, (n_runs, 2)."""
    mask = np.asarray(mask, bool)
    if not len(mask):
        return np.zeros((0, 2), np.int64)
    edges = (np.flatnonzero(mask[1:] != mask[:-1]) + 1).tolist()
    if mask[0]:
        edges.insert(0, 0)
    if mask[-1]:
        edges.append(len(mask))
    return np.array(edges, np.int64).reshape(-1, 2)


def longest(spans: np.ndarray) -> tuple[int, int] | None:
    """Return the longest of the runs, the first of equals; None without any."""
    if not len(spans):
        return None
    first, last = spans[int(np.argmax(spans[:, 1] - spans[:, 0]))]
    return int(first), int(last)


def joint_name(names: Sequence[str], j: int) -> str:
    """Return the name of entry `j`, or its number where the dataset names none."""
    return names[j] if j < len(names) else f"entry {j}"
