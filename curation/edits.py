"""New datasets from old ones: decisions become a copy, the source stays untouched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.dataset.reader import Dataset
from collector.errors import UsageError


@dataclass(frozen=True)
class Edit:
    """A planned edit: the episodes that stay, those that go, and where the result will lie."""

    kept: list[int]
    dropped: list[int]
    output: Path


def plan_edit(dataset: Dataset, verb: str, chosen: Sequence[int], output: Path) -> Edit:
    """Plan to drop or to keep the chosen episodes.

    Args:
        dataset: The source.
        verb: "drop" or "keep".
        chosen: Episode indices.
        output: Folder to make; must not exist.

    Raises:
        UsageError: If the output exists, or if nothing would be dropped or nothing kept.
    """
    everything = set(range(dataset.num_episodes))
    kept = sorted(everything - set(chosen)) if verb == "drop" else sorted(set(chosen))
    dropped = sorted(everything - set(kept))
    if not kept:
        raise UsageError(
            f"this would drop all {dataset.num_episodes} episodes: narrow the condition (nothing written)"
        )
    if not dropped:
        raise UsageError(
            f"this would keep all {dataset.num_episodes} episodes: there is nothing to drop (nothing written)"
        )
    if output.exists():
        raise UsageError(f"the output {output} exists already: name a new folder with --output")
    return Edit(kept, dropped, output)


def apply_edit(dataset: Dataset, edit: Edit, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the edit's result: rows filtered, video packets copied as they are, episodes renumbered.

    Raises:
        DataError: If the source is damaged.
        StorageError: If the output cannot be written; nothing is left of it then.
    """
    from collector.dataset.rewrite import copy_selection

    copy_selection(dataset.root, edit.output, edit.kept, progress=progress)
