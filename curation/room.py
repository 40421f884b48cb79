"""A review without its screen: which episodes are on the list, in which order, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.dataset import label_fields
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.select import NothingMatches, select_episodes
from collector.errors import UsageError
from curation.evidence import Evidence
from curation.queue import as_rows, order, reason
from curation.standing import Counts, Folded, Standing, fold

_OF_LABELS = {*label_fields.VALUES, "success", "labels", "segments", "select", "columns"}
"""Words of a condition that labels decide, or that may name anything."""


def matching(dataset: Dataset, condition: str) -> np.ndarray:
    """Return which episodes a condition chooses, bool, (n_episodes,); '' chooses all, and none may fit.

    Raises:
        UsageError: If it is no condition.
        DataError: If labels or scores are damaged.
    """
    mask = np.zeros(dataset.num_episodes, bool)
    try:
        mask[select_episodes(dataset, condition.strip() or None)] = True
    except NothingMatches:
        pass
    return mask


def check_blind(dataset: Dataset, condition: str) -> None:
    """Check that a condition does not tell what others said of an episode.

    Raises:
        UsageError: If it looks at anything that labels decide, by itself or by a saved selection.
    """
    words = {word.lower() for word in re.findall(r"\w+", Selections(dataset.root).expand(condition))}
    if told := sorted(words & _OF_LABELS):
        raise UsageError(
            f"a blind review does not filter by what others may have said ({', '.join(told)}): filter by checks "
            "or what was recorded, or end the blind review first"
        )


class Room:
    """The list of a review, and where it stands.

    Args:
        dataset: What is reviewed.
        author: Who decides.
        condition: Only episodes for which this is true; '' for all.
        blind: Only these, and nothing that others said of them is shown until they are judged; None for all.
        field: By which label an episode of `blind` counts as judged.

    Attributes:
        rows: The episodes on the list, in its order, int64.
        disputed_only: Whether only episodes are on it about which people differ.

    Raises:
        UsageError: If the condition is wrong, or tells in a blind review what others said.
        DataError: If labels or scores are damaged.
    """

    def __init__(
        self,
        dataset: Dataset,
        author: str,
        condition: str = "",
        blind: Sequence[int] | None = None,
        field: str = "verdict",
    ) -> None:
        if blind is not None:
            check_blind(dataset, condition)
        self.dataset, self.author, self.field = dataset, author, field
        self.labels = Labels(dataset.root)
        self.evidence = Evidence(dataset)
        self.blind = blind
        self.standing = Standing(dataset, author, fold(self.labels, author), blind or (), field)
        self.condition = condition
        self.chosen = matching(dataset, condition)
        self.disputed_only = False
        self.rows = np.zeros(0, np.int64)
        self.sort()

    def sort(self) -> None:
        """Make the list anew."""
        mask = self.chosen.copy()
        if self.blind is not None:
            mask &= np.isin(np.arange(len(mask)), self.blind)
        if self.disputed_only:
            mask &= np.isin(np.arange(len(mask)), list(self.standing.conflicts))
        self.rows = order(self.evidence, self.standing, np.flatnonzero(mask))

    def narrow(self, condition: str, chosen: np.ndarray) -> None:
        """Show what a condition chooses, as `matching` found it."""
        self.condition, self.chosen = condition, chosen
        self.sort()

    def go_blind(self, episodes: Sequence[int] | None) -> None:
        """Review these without what others said of them (`check_blind` what is filtered by before); None ends it."""
        self.blind = episodes
        self.standing.blind = frozenset(episodes or ())
        self.sort()

    def take(self, folded: Folded) -> None:
        """Take in what the label file says by now; the list's order stays."""
        self.standing.take(folded)

    def reopen(self, dataset: Dataset, evidence: Evidence, folded: Folded, chosen: np.ndarray) -> None:
        """Take in that the dataset was read again; the list is made anew only where episodes came or scores changed."""
        same = dataset.num_episodes == len(self.standing) and evidence.mark == self.evidence.mark
        self.dataset, self.evidence, self.chosen = dataset, evidence, chosen
        self.standing = Standing(dataset, self.author, folded, self.blind or (), self.field)
        if not same:
            self.sort()

    def counts(self) -> Counts:
        """Return how many episodes are what, of everybody's labels: not to be shown where some are hidden."""
        return self.standing.counts(self.chosen)

    def reason(self, episode: int) -> str:
        """Return why an episode wants a look, in a line."""
        return reason(self.evidence, self.standing, episode)

    def waits(self, episodes: np.ndarray) -> np.ndarray:
        """Return which episodes still want something of the author, bool."""
        if self.disputed_only:
            return np.isin(episodes, list(self.standing.conflicts))
        if self.blind is not None:
            return np.array([self.standing.hidden(int(e)) for e in episodes], bool)
        return ~self.standing.seen[episodes]

    def good(self) -> np.ndarray:
        """Return which episodes are good ones, bool, (n_episodes,): kept, or undecided and nothing was found."""
        found = (self.evidence.faults + self.evidence.warnings) > 0
        return self.standing.decided("keep") | (self.standing.decided(None) & ~found)

    def next_waiting(self, row: int) -> int | None:
        """Return the row of the next episode that waits, from a row on and then from the top; None: no more."""
        waits = np.flatnonzero(self.waits(self.rows))
        if not len(waits):
            return None
        after = waits[waits > row]
        return int(after[0] if len(after) else waits[0])

    def as_json(self) -> dict[str, Any]:
        """Return the list for machines: counts (None in a blind review), and each episode in order with its reason."""
        from dataclasses import asdict

        return {
            "author": self.author,
            "where": self.condition or None,
            "scored": self.evidence.scored,
            "counts": None if self.blind is not None else asdict(self.counts()),
            "queue": as_rows(self.evidence, self.standing, self.rows),
        }
