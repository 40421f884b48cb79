"""What others said of the same episodes comes together: label files of two machines, or of two revisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from collector.dataset.label_file import LABELS, read_entries
from collector.dataset.label_merge import missing, renumbered
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.saved import SELECTIONS, Selections
from collector.errors import DataError, UsageError


@dataclass
class Merged:
    """What a merge of labels took over.

    Attributes:
        n_new: Entries that were not known.
        by_author: Those by author.
        n_left_out: Entries of the other about episodes that this dataset lacks.
        n_selections: Entries on saved selections that were not known.
    """

    n_new: int
    by_author: dict[str, int] = field(default_factory=dict)
    n_left_out: int = 0
    n_selections: int = 0


def merge_labels(dataset: Dataset, other: Path) -> Merged:
    """Take over the labels of another copy of the dataset; nothing is removed, and both may go on being labelled.

    Merging again changes nothing, and whoever merges whom, the states become the same. Where the other copy has other
    episodes (another revision, an edit), its entries are about the episodes with the same content here.

    Args:
        other: The copy's folder, or a `labels.jsonl`, whose episodes are taken to be numbered as here.

    Raises:
        DataError: If there is none, or it is damaged.
        UsageError: If a bare file speaks of episodes that are not there.
        OSError: If the disk refuses; nothing is then changed.
    """
    labels, selections = Labels(dataset.root), Selections(dataset.root)
    if other.is_file():
        entries = read_entries(other)
        kept, lost = renumbered(entries, {n: n for n in range(dataset.num_episodes)})
        if lost:
            raise UsageError(
                f"{other} speaks of episodes that {dataset.root} does not have ({lost} entries): name the dataset's "
                "folder instead of the file, so that episodes are matched by their content"
            )
        others: list[dict] = []
    else:
        if not other.is_dir():
            raise DataError(f"{other} is neither a dataset's folder nor a labels.jsonl: name one of the two")
        copy = Dataset.open(other)
        kept, lost = renumbered(read_entries(copy.root / LABELS), _same_episodes(dataset, copy))
        others = read_entries(copy.root / SELECTIONS)
    new = labels.merge(kept)
    saved = missing(selections.file.entries(), others)
    if saved:
        selections.file.append(saved)
    who = Counter(str(entry.get("author", "")) for entry in new)
    return Merged(len(new), dict(sorted(who.items())), lost, len(saved))


def _same_episodes(dataset: Dataset, copy: Dataset) -> dict[int, int]:
    """Return the number here of each of the copy's episodes that is here too."""
    if dataset.num_episodes == copy.num_episodes and np.array_equal(dataset.lengths(), copy.lengths()):
        ids = [
            d.episodes["flight_id"].to_pylist() if "flight_id" in d.episodes.column_names else None
            for d in (dataset, copy)
        ]
        if ids[0] is not None and None not in ids[0] and ids[0] == ids[1]:
            return {n: n for n in range(dataset.num_episodes)}
    from curation.diff import compare

    return {there: here for here, there in compare(dataset, copy).same}
