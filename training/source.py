"""From the flags `--dataset.*` to opened flights, with the exact revision, episodes and weights on record."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import DataError, HubError, UsageError
from training.config import DatasetSource
from training.data import EpisodeFrames

DEFAULT_REVISION = "v3.0"  # the tag by which lerobot finds a dataset of this format
INTERVENTION = "intervention"  # true where a person overrode a policy
LOW_DIM_FILES = ["meta/**", "data/**", "curation/**"]  # all but the videos


@dataclass(frozen=True)
class Provenance:
    """What a policy was trained on, as recorded in its train_config.json and its card.

    Attributes:
        repo_id: Name on the Hub, or None.
        root: The local folder, or None where it came from the Hub.
        revision: Commit on the Hub, or None for a local folder.
        filter: The SQL condition, or None for all episodes.
        episodes: The chosen episodes.
        episodes_sha256: Hash of that list and of each episode's length.
        n_frames: Frames in them.
        fps: Control rate [Hz].
        robot_type: The robot that flew them, as the dataset names it.
        symmetry_sha256: Hash of the file of symmetries by which they are mirrored, or None.
        coverage_filter: The SQL condition of the flights that are no example, or None.
        coverage: Those of the episodes that are none.
    """

    repo_id: str | None
    root: str | None
    revision: str | None
    filter: str | None
    episodes: list[int]
    episodes_sha256: str
    n_frames: int
    fps: int
    robot_type: str | None
    symmetry_sha256: str | None = None
    coverage_filter: str | None = None
    coverage: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def open_source(source: DatasetSource, seen: list[str] | None = None) -> tuple[Dataset, Provenance]:
    """Find or pull the dataset and choose its episodes.

    Args:
        source: Which dataset, which episodes.
        seen: Columns that the policy sees; the videos of those that are cameras are pulled too.

    Raises:
        UsageError: If the filter is not SQL or matches nothing.
        DataError: If the dataset is missing, damaged or of another version.
        HubError: If the Hub cannot give it.
    """
    revision = None
    if source.root is not None:
        if source.revision is not None:
            raise UsageError(
                "--dataset.revision belongs to the Hub: leave it out, or leave --dataset.root out"
            )
        root = Path(source.root)
    else:
        root, revision = _pull(source, [f"videos/{name}/**" for name in seen or []])
    dataset = Dataset.open(root)
    if source.filter is None:
        episodes = list(range(dataset.num_episodes))
    else:
        from collector.dataset.select import select_episodes

        episodes = [int(episode) for episode in select_episodes(dataset, source.filter)]
    coverage = []
    if source.coverage_filter is not None:
        from collector.dataset.select import select_episodes

        coverage = sorted({*select_episodes(dataset, source.coverage_filter)} - {*episodes})
        episodes = sorted([*episodes, *coverage])
    lengths = [int(length) for length in dataset.lengths(episodes)]
    if sum(lengths) == 0:
        raise DataError(f"{root} has no frames in the chosen episodes: record some first")
    chosen: list[object] = [*zip(episodes, lengths, strict=True), *([coverage] if coverage else [])]
    digest = hashlib.sha256(repr(chosen).encode()).hexdigest()
    provenance = Provenance(
        repo_id=source.repo_id,
        root=None if source.root is None else str(root),
        revision=revision,
        filter=source.filter,
        episodes=episodes,
        episodes_sha256=digest,
        n_frames=sum(lengths),
        fps=int(dataset.fps),
        robot_type=dataset.info.get("robot_type"),
        coverage_filter=source.coverage_filter,
        coverage=coverage,
    )
    return dataset, provenance


def _pull(source: DatasetSource, videos: list[str]) -> tuple[Path, str]:
    from collector.hub.client import pull, resolve_revision

    assert source.repo_id is not None  # TrainConfig.validate
    wanted = source.revision or DEFAULT_REVISION
    try:
        commit = resolve_revision(source.repo_id, repo_type="dataset", revision=wanted)
        patterns = LOW_DIM_FILES + videos
        return pull(source.repo_id, repo_type="dataset", revision=commit, allow_patterns=patterns), commit
    except HubError as error:
        raise HubError(f"{error} (for a dataset in a folder: --dataset.root=FOLDER)") from error


def load_frames(dataset: Dataset, episodes: list[int], deltas: dict[str, list[int] | None]) -> EpisodeFrames:
    """Read the columns named by `deltas` of the chosen episodes into memory.

    Raises:
        DataError: If a column holds NaN or infinity.
    """
    columns = dataset.columns(list(deltas), episodes)
    return EpisodeFrames.of(columns, dataset.lengths(episodes), deltas)


def frame_weights(dataset: Dataset, episodes: list[int], source: DatasetSource) -> np.ndarray | None:
    """Return how much each frame of the chosen episodes counts, or None where all count the same.

    Returns:
        float32, (n_frames,), with mean 1, so that the learning rate need not change.

    Raises:
        UsageError: If the expression is not SQL or gives no number of at least 0 for a chosen episode, if there
            is no column `intervention` to weigh by, or if every weight is 0.
        DataError: If the dataset's labels or scores are damaged.
    """
    by_hand = {name: getattr(source, name) for name in ("intervention_weight", "policy_weight")}
    by_hand = {name: weight for name, weight in by_hand.items() if weight != 1}
    if source.weight is None and not by_hand:
        return None
    lengths = dataset.lengths(episodes)
    weights = np.ones(int(lengths.sum()))
    if source.weight is not None:
        weights *= np.repeat(_episode_weights(dataset, episodes, source.weight), lengths)
    if by_hand:
        if INTERVENTION not in dataset.features:
            raise UsageError(
                f"--dataset.{next(iter(by_hand))}: {dataset.root} has no column '{INTERVENTION}': leave it out"
            )
        overridden = dataset.columns([INTERVENTION], episodes)[INTERVENTION].astype(bool).reshape(-1)
        weights[overridden] *= source.intervention_weight
        weights[np.repeat(_flown_by_policy(dataset, episodes), lengths) & ~overridden] *= source.policy_weight
    if not weights.any():
        raise UsageError("the weights of all frames are 0: nothing would be learnt")
    return (weights / weights.mean()).astype(np.float32)


def _flown_by_policy(dataset: Dataset, episodes: list[int]) -> np.ndarray:
    """Return which of the chosen episodes a policy flew, as far as nobody overrode it, bool, (n_episodes,)."""
    if "pilot" not in dataset.episodes.column_names:  # as plain lerobot records
        return np.zeros(len(episodes), bool)
    pilots = dataset.episodes["pilot"].to_pylist()
    return np.array([pilots[episode] == "policy" for episode in episodes])


def _episode_weights(dataset: Dataset, episodes: list[int], expression: str) -> np.ndarray:
    """Return the SQL expression's value for each chosen episode, float64, (n_episodes,)."""
    import duckdb

    from collector.dataset.select import episode_view

    with episode_view(dataset) as connection:
        try:
            rows = connection.execute(
                f"SELECT episode_index, ({expression})::DOUBLE FROM episodes"
            ).fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"--dataset.weight: '{expression}' is no SQL expression here: {reason}"
            ) from None
    weight_of = dict(rows)
    for episode in episodes:
        weight = weight_of[episode]
        if weight is None or not math.isfinite(weight) or weight < 0:
            raise UsageError(
                f"--dataset.weight: '{expression}' is {weight} for episode {episode}: "
                "it must be a number of at least 0 (try COALESCE)"
            )
    return np.array([weight_of[episode] for episode in episodes])
