"""Which episodes a command is about: `3,5,7-9`, or an SQL condition."""

from __future__ import annotations

import re

from collector.dataset.reader import Dataset
from collector.errors import UsageError


def parse_episodes(text: str, num_episodes: int) -> list[int]:
    """Parse numbers and ranges like `3,5,7-9`.

    Args:
        text: What the user typed.
        num_episodes: Number of episodes there are.

    Returns:
        Sorted episode indices without repeats.

    Raises:
        UsageError: If the text is not such a list or names an episode that does not exist.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise UsageError(f"'{text}' is not a list of episodes: write numbers and ranges like 3,5,7-9")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise UsageError(f"the range {part.strip()} runs backwards: write {last}-{first}")
        if last >= num_episodes:
            raise UsageError(f"there is no episode {last}: the dataset has 0 to {num_episodes - 1}")
        chosen.update(range(first, last + 1))
    return sorted(chosen)


def choose_episodes(dataset: Dataset, text: str | None, where: str | None) -> list[int]:
    """Return the episodes named by a list or by an SQL condition (exactly one of the two).

    Raises:
        UsageError: If both or neither is given, or what is given is wrong or matches nothing.
    """
    if (text is None) == (where is None):
        raise UsageError(
            'name the episodes either as a list (3,5,7-9) or by --where "SQL", not both or neither'
        )
    if where is not None:
        from collector.dataset.select import select_episodes

        return select_episodes(dataset, where)
    return parse_episodes(text or "", dataset.num_episodes)
