"""Where a review stands: the labels of all episodes, whose they are, and how many of each there are.

What is on the disk is read (`fold`) at the beginning and whenever the file changed; what was decided since is applied
on top at once, so that nobody waits for the disk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import label_fields
from collector.dataset.label_file import episodes_of
from collector.dataset.labels import Conflict, Labels
from collector.dataset.reader import Dataset

RECORDED = ("verdict", "success", "rating", "tags", "note")
"""Labels that the episode table may hold itself: they count where nobody set another."""
VERDICTS = {"keep": 1, "drop": 2}


@dataclass(frozen=True)
class Folded:
    """What a label file says.

    Attributes:
        current: The present labels, by episode and field.
        mine: The same, of what one author said.
        conflicts: Where people differ, by episode.
        template: The episode whose segments the author set last; None where there is none.
        notes: What each person noted on the episodes of `conflicts`, by episode and author.
    """

    current: dict[int, dict[str, Any]] = field(default_factory=dict)
    mine: dict[int, dict[str, Any]] = field(default_factory=dict)
    conflicts: dict[int, tuple[Conflict, ...]] = field(default_factory=dict)
    template: int | None = None
    notes: dict[int, dict[str, str]] = field(default_factory=dict)


def fold(labels: Labels, author: str) -> Folded:
    """Read the labels of a dataset as one author sees them.

    Raises:
        DataError: If the labels are damaged.
    """
    conflicts: dict[int, tuple[Conflict, ...]] = {}
    for conflict in labels.conflicts():
        conflicts[conflict.episode] = (*conflicts.get(conflict.episode, ()), conflict)
    mine = labels.current(author)
    template = None
    for entry in reversed(labels.file.entries()):
        if entry.get("field") == "segments" and entry.get("author") == author:
            template = next((e for e in episodes_of(entry) if mine.get(e, {}).get("segments")), None)
            if template is not None:
                break
    notes = {e: said for e, said in labels.opinions("note").items() if e in conflicts} if conflicts else {}
    return Folded(labels.current(), mine, conflicts, template, notes)


@dataclass(frozen=True)
class Counts:
    """How many episodes are what.

    Attributes:
        episodes: All.
        kept, dropped: By verdict.
        unseen: Those on which the author said nothing.
        disputed: Those on which people differ.
        chosen, frames, minutes: What the filter chooses, which is what training with it would see.
    """

    episodes: int
    kept: int
    dropped: int
    unseen: int
    disputed: int
    chosen: int
    frames: int
    minutes: float


class Standing:
    """The labels of a dataset while one author reviews it.

    Args:
        dataset: The dataset.
        author: Who decides.
        folded: What its label file says.
        blind: Episodes of which nothing by others is shown until the author judged them.
        field: By which label an episode of `blind` counts as judged.
    """

    def __init__(
        self,
        dataset: Dataset,
        author: str,
        folded: Folded,
        blind: Collection[int] = (),
        field: str = "verdict",
    ) -> None:
        self.author, self.blind, self.field = author, frozenset(blind), field
        self.lengths = dataset.lengths()
        self._fps = float(dataset.fps)
        self._recorded = {name: _recorded(dataset, name) for name in RECORDED}
        self.take(folded)

    def take(self, folded: Folded) -> None:
        """Begin anew from what the file says."""
        n = len(self.lengths)
        self._current = {e: dict(said) for e, said in folded.current.items() if e < n}
        self._mine = {e: dict(said) for e, said in folded.mine.items() if e < n}
        self.conflicts = {e: c for e, c in folded.conflicts.items() if e < n}
        self.template, self.notes = folded.template, folded.notes
        self.seen = np.zeros(n, bool)
        self.seen[list(self._mine)] = True
        self._verdicts = np.zeros(n, np.int8)
        if (recorded := self._recorded["verdict"]) is not None:
            self._verdicts[:] = [VERDICTS.get(v, 0) for v in recorded.to_pylist()]
        for episode, said in self._current.items():
            if "verdict" in said:
                self._verdicts[episode] = VERDICTS.get(said["verdict"], 0)

    def __len__(self) -> int:
        return len(self.lengths)

    def hidden(self, episode: int) -> bool:
        """Whether what others said of an episode is not to be shown: it is reviewed blind, and not judged yet."""
        return episode in self.blind and self.field not in self._mine.get(episode, {})

    def said(self, episode: int) -> Mapping[str, Any]:
        """Return the labels of an episode that may be shown, by field."""
        return (self._mine if self.hidden(episode) else self._current).get(episode, {})

    def mine(self, episode: int) -> Mapping[str, Any]:
        """Return what the author said of an episode, by field."""
        return self._mine.get(episode, {})

    def value(self, episode: int, name: str) -> Any:
        """Return a label that may be shown, or what was recorded of that name; None where there is neither."""
        value = self.said(episode).get(name)
        if value is None and (recorded := self._recorded.get(name)) is not None:
            value = recorded[episode].as_py()
        return value

    def disputes(self, episode: int) -> tuple[Conflict, ...]:
        """Return where people differ about an episode, as far as it may be shown."""
        return () if self.hidden(episode) else self.conflicts.get(episode, ())

    def decided(self, verdict: str | None) -> np.ndarray:
        """Return which episodes have a verdict, bool, (n_episodes,); None: none."""
        return self._verdicts == VERDICTS.get(verdict or "", 0)

    def tags(self) -> list[str]:
        """Return all tags in use, the most frequent first."""
        counts: dict[str, int] = {}
        for said in self._current.values():
            for tag in said.get("tags", ()):
                counts[tag] = counts.get(tag, 0) + 1
        return sorted(counts, key=lambda tag: (-counts[tag], tag))

    def apply(self, episodes: Sequence[int], name: str, value: Any, settles: bool = False) -> None:
        """Take in what the author decides, before it is on the disk. Arguments as `Labels.set`."""
        for episode in episodes:
            for state in (self._current, self._mine):
                said = state.setdefault(episode, {})
                said[name] = label_fields.after(name, said.get(name), value)
                if said[name] is None:
                    del said[name]
                if not said:
                    del state[episode]
            self.seen[episode] = episode in self._mine
            if name == "verdict":
                self._verdicts[episode] = VERDICTS.get(self.value(episode, "verdict"), 0)
            if name == "segments" and self._mine.get(episode, {}).get("segments"):
                self.template = episode
            if settles and episode in self.conflicts:
                left = tuple(c for c in self.conflicts[episode] if c.field != name)
                self.conflicts.pop(episode)
                self.conflicts |= {episode: left} if left else {}

    def counts(self, chosen: np.ndarray) -> Counts:
        """Return the counts.

        Args:
            chosen: Which episodes the filter chooses, bool, (n_episodes,).
        """
        frames = int(self.lengths[chosen].sum())
        return Counts(
            len(self),
            int(np.count_nonzero(self.decided("keep"))),
            int(np.count_nonzero(self.decided("drop"))),
            len(self) - int(np.count_nonzero(self.seen)),
            len(self.conflicts),
            int(np.count_nonzero(chosen)),
            frames,
            frames / self._fps / 60,
        )


def _recorded(dataset: Dataset, name: str) -> pa.ChunkedArray | None:
    """Return a column of the episode table, if its values may be labels of that name."""
    if name not in dataset.episodes.column_names:
        return None
    column = dataset.episodes[name]
    for value in column.drop_null().slice(0, 1).to_pylist():
        if not label_fields.fits(name, value):
            return None
    return column
