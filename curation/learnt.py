"""A reward that was learnt from flights (`demodeck train --irl.type=...`) as one more soft score.

It is worth what the reward sums to, discounted, where a flight stays for good where it ended: see
`collector.dataset.linear_reward`. Like the other soft scores it orders the review, and accuses nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collector.dataset.linear_reward import CONFIG, WEIGHTS, LinearReward
from collector.dataset.reader import Dataset
from collector.errors import DataError, HubError, MismatchError, shown
from curation.checks.base import Episode
from curation.checks.reference import Reference
from curation.ranking import Ranking

NAME = "reward"


def open_reward(name: str) -> LinearReward:
    """Open a learnt reward.

    Args:
        name: A folder, or the folder of the run that learnt it, or `owner/name` or `owner/name@revision` on the Hub.

    Raises:
        DataError: If there is none, or it is damaged or of another kind.
        HubError: If the name looks like one on the Hub, and it cannot be fetched.
    """
    folder = Path(name)
    if (folder / NAME / CONFIG).is_file() and not (folder / CONFIG).exists():
        return LinearReward.load(folder / NAME)
    if folder.exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        return LinearReward.load(folder)
    from collector.hub.client import pull

    repo_id, _, revision = name.partition("@")
    try:
        pulled = pull(repo_id, repo_type="model", revision=revision or None, allow_patterns=[CONFIG, WEIGHTS])
    except HubError as error:
        raise HubError(f"there is no folder {shown(name)}, and as a name on the Hub: {error}") from error
    return LinearReward.load(pulled)


def check_fits(reward: LinearReward, dataset: Dataset) -> None:
    """Check that the dataset has what the reward reads.

    Raises:
        MismatchError: If a column is missing or of another width, or its entries have other names.
    """
    features = reward.features
    for column in features.columns:
        if column not in dataset.features:
            raise MismatchError(
                f"the reward reads '{shown(column)}', {dataset.root} has {', '.join(dataset.features)}: it was learnt "
                "from another kind of dataset"
            )
        width = int(np.prod(dataset.features[column]["shape"], dtype=int))
        if width != features.widths[column]:
            raise MismatchError(
                f"the reward reads '{shown(column)}' of {features.widths[column]} entries, {dataset.root} has {width}: "
                "it was learnt from another robot or scene"
            )
        names = dataset.features[column].get("names")
        if isinstance(names, dict):  # older lerobot: {"motors": [...]}
            names = [name for group in names.values() for name in group or []]
        before = features.entries[column]
        if before and names and [str(name) for name in names] != before:
            raise MismatchError(
                f"the entries of '{shown(column)}' are {shown(', '.join(map(str, names)))}, the reward was learnt from "
                f"{shown(', '.join(before))}"
            )


def ranking_by(reward: LinearReward) -> Ranking:
    """Return the soft score of a reward."""

    def worths(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
        return np.array([worth(episode) for episode in episodes], float)

    def worth(episode: Episode) -> float:
        columns = {name: np.asarray(episode.columns[name], float) for name in reward.features.columns}
        if not len(episode) or not all(np.isfinite(values).all() for values in columns.values()):
            return float("nan")  # the check of non-finite numbers tells
        try:
            return float(reward.worth(columns, [len(episode)])[0])
        except DataError:  # a feature that has no value here
            return float("nan")

    return Ranking(NAME, "worth most by the learnt reward", True, worths)
