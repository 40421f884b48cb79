"""The sample for a second, blind opinion: drawn once, saved as a selection, and gone on with until it is judged."""

from __future__ import annotations

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.select import select_episodes
from curation.agreement import second_opinions
from curation.query import save_selection

SELECTION = "second"


def draw(dataset: Dataset, field: str, n: int, seed: int, author: str, name: str = SELECTION) -> list[int]:
    """Draw episodes that one other person judged, and save them as a selection. See `agreement.second_opinions`.

    Raises:
        UsageError: If nobody else judged an episode that waits for a second opinion.
        DataError: If the labels are damaged.
        OSError: If the disk refuses.
    """
    episodes = second_opinions(Labels(dataset.root), field, n, seed, author)
    save_selection(dataset, name, f"episode_index IN ({', '.join(map(str, episodes))})", author)
    return episodes


def sample(dataset: Dataset, field: str, n: int, seed: int, author: str) -> list[int]:
    """Return the author's sample that is not judged to its end, or draw a new one. Arguments and errors as `draw`."""
    entry = Selections(dataset.root).all().get(SELECTION)
    if entry is not None and entry.get("author") == author:
        drawn = select_episodes(dataset, f"@{SELECTION}")
        opinions = Labels(dataset.root).opinions(field)
        if any(author not in opinions.get(e, {}) for e in drawn):
            return drawn
    return draw(dataset, field, n, seed, author)
