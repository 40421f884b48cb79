"""Publish a dataset: an exact mirror on the Hub with its card, opened by name through the tag `v3.0`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collector.dataset.reader import Dataset
from curation.card import DEFAULT_LICENSE, dataset_card

if TYPE_CHECKING:
    from collector.hub.mirror import PushResult

FORMAT_TAG = "v3.0"
"""lerobot opens a dataset by name only where this tag is."""


def publish(
    dataset: Dataset,
    repo_id: str,
    private: bool | None = None,
    license_id: str = DEFAULT_LICENSE,
    tags: Sequence[str] = (),
    message: str | None = None,
) -> PushResult:
    """Push the dataset's folder; flights still in the journal stay at home.

    Args:
        dataset: The dataset.
        repo_id: NAMESPACE/NAME on the Hub.
        private: Hide or show the repository; None leaves it as it is.
        license_id: License for the card.
        tags: Git tags to set beside `v3.0`.
        message: First line of the commit message.

    Returns:
        Address, commit and counts.

    Raises:
        DataError: If the dataset cannot be read.
        HubError: If the Hub refuses or cannot be reached.
    """
    from collector.hub.mirror import push_mirror

    result = push_mirror(
        dataset.root,
        repo_id,
        repo_type="dataset",
        message=message or f"Publish {dataset.num_episodes} episodes, {dataset.num_frames} frames",
        tag=FORMAT_TAG,
        private=private,
        card=dataset_card(dataset, repo_id, license_id),
        ignore=[".journal/*"],
    )
    for tag in tags:
        # Nothing differs any more, so this only sets the tag.
        push_mirror(dataset.root, repo_id, tag=tag, card=dataset_card(dataset, repo_id, license_id))
    return result
