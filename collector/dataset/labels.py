"""What curators say about episodes: append-only, with author and time, so that nobody's word is ever overwritten.

`curation/labels.jsonl` is the source of truth (see `label_file`); the present state is its fold, over everybody's
entries or one author's. Plain lerobot opens a dataset with it as one without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.dataset import label_fields
from collector.dataset.label_fields import VALUES
from collector.dataset.label_file import LABELS, Entry, LabelFile, batch_of, entry_id, episodes_of, in_order
from collector.errors import UsageError

AUTOMATIC = "check:"
"""Authors that are checks begin so; every other author is a person."""


@dataclass(frozen=True)
class Conflict:
    """Two people decided differently.

    Attributes:
        episode: On this episode,
        field: of this,
        element: and this tag or segment (first, last); '' where the field has no elements.
        said: What each said last, by author, oldest first: (author, value, at); None takes away.
        holds: The value of the latest.
    """

    episode: int
    field: str
    element: Hashable
    said: tuple[tuple[str, Any, str], ...]
    holds: Any


class Labels:
    """The labels of a dataset.

    Args:
        root: The dataset's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.path = self.root / LABELS
        self.file = LabelFile(self.path)

    def set(
        self, episodes: Sequence[int], field: str, value: Any, author: str, settles: bool = False
    ) -> Entry | None:
        """Set a field of some episodes; None takes it away. All of them are written, or none.

        Args:
            value: See `label_fields.VALUES`. Of tags and segments `{"add": [...], "remove": [...]}` leaves the others.
            settles: Whether this ends what others had decided differently (`conflicts`).

        Returns:
            The entry, or None where no episode was named.

        Raises:
            UsageError: If there is no such field, value or episode.
            DataError: If there is no dataset, or the labels are damaged.
            OSError: If the disk refuses; nothing is then changed.
        """
        if field not in VALUES:
            raise UsageError(f"no label '{field}': there are {', '.join(VALUES)}")
        if not label_fields.fits(field, value):
            raise UsageError(f"{field} cannot be {value!r}: it is {VALUES[field][0]}")
        total = self._total_episodes()
        if wrong := [e for e in episodes if not 0 <= e < total]:
            raise UsageError(f"no episode {wrong[0]} in {self.root}: it has {total}, counted from 0")
        if not len(episodes):
            return None
        about = {"author": author, "episodes": [int(e) for e in dict.fromkeys(episodes)]}
        entry = {**about, "field": field, "value": value, **({"settles": True} if settles else {})}
        return self.file.append([entry])[0]

    def undo(self, author: str = "", of: str | None = None) -> list[Entry]:
        """Take back the latest `set` that still holds; return its entries, each with one `episode`.

        Args:
            of: Only what this author said; None for anybody's.

        Raises:
            UsageError: If there is nothing to take back.
            OSError: If the disk refuses.
        """
        valid = [entry for entry in self._valid() if of is None or entry.get("author") == of]
        if not valid:
            raise UsageError(f"{self.root} has no label to undo" + (f" by {of}" if of else ""))
        batch = batch_of(valid[-1])
        self.file.append([{"author": author, "undo": batch}])
        return [line for entry in valid if batch_of(entry) == batch for line in _one_by_one(entry)]

    def redo(self, author: str = "", of: str | None = None) -> list[Entry]:
        """Take back the latest `undo`, if nothing was set since; return the entries that hold again.

        Raises:
            UsageError: If there is none, or something was set since.
            OSError: If the disk refuses.
        """
        entries = [e for e in self._sorted() if of is None or e.get("author") == of]
        undone = self._undone()
        for entry in reversed(entries):
            if "undo" not in entry and batch_of(entry) not in undone:
                break
            if "undo" in entry and batch_of(entry) not in undone and _is_set(entry, entries):
                self.file.append([{"author": author, "undo": batch_of(entry)}])
                again = [e for e in self._valid() if batch_of(e) == entry["undo"]]
                return [line for e in again for line in _one_by_one(e)]
        raise UsageError(f"{self.root} has no undo to take back: a label was set since, or none was undone")

    def current(self, by: str | None = None) -> dict[int, dict[str, Any]]:
        """Return the present labels: by episode, field -> value; what is not set is absent.

        Args:
            by: Only what this author says; None for everybody's, where the later word holds.

        Raises:
            DataError: If the file is damaged.
        """
        found: dict[int, dict[str, Any]] = {}
        for field, values in self._by_field(by).items():
            for episode, value in values.items():
                if value is not None:
                    found.setdefault(episode, {})[field] = value
        return dict(sorted(found.items()))

    def columns(self, n_episodes: int, by: str | None = None) -> dict[str, list[Any]]:
        """Return the present labels by field, one value an episode, None where none is set. As `current`."""
        columns: dict[str, list[Any]] = {field: [None] * n_episodes for field in VALUES}
        for field, values in self._by_field(by).items():
            column = columns[field]
            for episode, value in values.items():
                if episode < n_episodes:
                    column[episode] = value
        return columns

    def _by_field(self, by: str | None) -> dict[str, dict[int, Any]]:
        found: dict[str, dict[int, Any]] = {}
        sets: dict[str, dict[int, dict[Hashable, Any]]] = {field: {} for field in label_fields.SETS}
        for entry in self._valid(by):
            field, value, about = entry["field"], entry["value"], episodes_of(entry)
            if field not in sets:
                found.setdefault(field, {}).update(dict.fromkeys(about, value))
                continue
            for episode in about:
                before = sets[field].setdefault(episode, {})
                before |= label_fields.said(field, value, before)
        for field, of in sets.items():
            if of:
                found[field] = {e: label_fields.shown_value(field, elements) for e, elements in of.items()}
        return found

    def holding(self) -> dict[int, dict[str, Entry]]:
        """Return the entry that decided last on each field of each episode; one that takes away decides too."""
        last: dict[int, dict[str, Entry]] = {}
        for entry in self._valid():
            for episode in episodes_of(entry):
                last.setdefault(episode, {})[entry["field"]] = entry
        return dict(sorted(last.items()))

    def authors(self) -> dict[str, int]:
        """Return everybody who set something that was not undone, and on how many episodes."""
        of: dict[str, dict[int, None]] = {}
        for entry in self._valid():
            of.setdefault(str(entry.get("author", "")), {}).update(dict.fromkeys(episodes_of(entry)))
        return {author: len(episodes) for author, episodes in sorted(of.items())}

    def opinions(self, field: str) -> dict[int, dict[str, Any]]:
        """Return each person's last own word on a field without elements: episode -> author -> value.

        Left out are checks, words that settled a dispute, and people who took theirs back.

        Raises:
            DataError: If the labels are damaged.
        """
        found: dict[int, dict[str, Any]] = {}
        for entry in self._valid():
            author = str(entry.get("author", ""))
            if entry["field"] != field or author.startswith(AUTOMATIC) or entry.get("settles") is True:
                continue
            for episode in episodes_of(entry):
                found.setdefault(episode, {})[author] = entry["value"]
        said = {e: {a: v for a, v in words.items() if v is not None} for e, words in sorted(found.items())}
        return {episode: words for episode, words in said.items() if words}

    def conflicts(self) -> list[Conflict]:
        """Return where the last words of two people differ, by episode; checks are nobody.

        What was said before an entry that settles the matter counts no more.
        """
        words: dict[tuple[int, str], dict[str, dict[Hashable, Any]]] = {}
        at: dict[tuple[int, str, str, Hashable], str] = {}
        entries = [e for e in self._valid() if not str(e.get("author", "")).startswith(AUTOMATIC)]
        shared = _shared(entries)
        for entry in entries:
            author, field = str(entry.get("author", "")), entry["field"]
            for episode in episodes_of(entry):
                if episode not in shared[field]:
                    continue
                of = words.setdefault((episode, field), {})
                if entry.get("settles") is True:
                    of.clear()
                mine = of.pop(author, {})  # back in at the end: the order is that of the last words
                new = label_fields.said(field, entry["value"], mine)
                of[author] = {**{k: v for k, v in mine.items() if k not in new}, **new}
                at.update({(episode, field, author, k): str(entry.get("at", "")) for k in new})
        found = []
        for (episode, field), of in sorted(words.items()):
            if len(of) < 2:
                continue
            for element in sorted({k for mine in of.values() for k in mine}, key=repr):
                said = [
                    (author, mine[element], at[episode, field, author, element])
                    for author, mine in of.items()
                    if element in mine
                ]
                if len({repr(value) for _, value, _ in said}) > 1:
                    said.sort(key=lambda word: word[2])
                    found.append(Conflict(episode, field, element, tuple(said), said[-1][1]))
        return found

    def unknown(self) -> dict[str, int]:
        """Return what this version does not understand, by field, and how many entries; they are kept, and ignored."""
        strange = [e for e in self.file.entries() if "undo" not in e and not _understood(e)]
        return dict(Counter(str(entry.get("field", "another kind of entry")) for entry in strange))

    def history(self, episode: int | None = None) -> list[Entry]:
        """Return all entries, oldest first, those that were undone and the undoing too; or those of one episode.

        An entry on several episodes comes once for each. Each has `episode`, `id` and `undone` (bool) added.
        """
        undone = self._undone()
        found: list[Entry] = []
        mine: set[str] = set()
        if episode is not None:
            mine = {batch_of(e) for e in self.file.entries() if episode in episodes_of(e)}
        for entry in self._sorted():
            mark = {"id": entry_id(entry), "undone": batch_of(entry) in undone}
            if "undo" in entry:
                if episode is None or entry["undo"] in mine:
                    mine.add(batch_of(entry))  # itself taken back, maybe
                    found.append({**entry, **mark})
            else:
                lines = _one_by_one(entry)
                found += [{**line, **mark} for line in lines if episode in (None, line.get("episode"))]
        return found

    def merge(self, others: Sequence[Entry]) -> list[Entry]:
        """Take over another file's entries that this one lacks; return these. See `label_merge.missing`.

        Raises:
            DataError: If the labels are damaged.
            OSError: If the disk refuses; nothing is then changed.
        """
        from collector.dataset.label_merge import missing

        new = missing(self.file.entries(), others)
        return self.file.append(new) if new else []

    def _total_episodes(self) -> int:
        from collector.dataset.tables import read_info

        return int(read_info(self.root).get("total_episodes", 0))

    def _sorted(self) -> list[Entry]:
        return in_order(self.file.entries())

    def _undone(self) -> frozenset[str]:
        undone: set[str] = set()
        for entry in reversed(self._sorted()):
            # From the last back: an undo that was itself undone takes nothing back.
            if isinstance(entry.get("undo"), str) and batch_of(entry) not in undone:
                undone.add(entry["undo"])
        return frozenset(undone)

    def _valid(self, by: str | None = None) -> list[Entry]:
        undone = self._undone()
        return [
            entry
            for entry in self._sorted()
            if (by is None or entry.get("author") == by)
            and "undo" not in entry
            and batch_of(entry) not in undone
            and _understood(entry)
        ]


def _understood(entry: Entry) -> bool:
    return (
        "value" in entry
        and bool(episodes_of(entry))
        and label_fields.fits(entry.get("field"), entry.get("value"))
    )


def _one_by_one(entry: Entry) -> Iterator[Entry]:
    rest = {key: value for key, value in entry.items() if key not in ("episodes", "episode")}
    about = episodes_of(entry)
    if not about:
        yield entry
    for episode in about:
        yield {**rest, "episode": episode}


def _is_set(undo: Entry, entries: Sequence[Entry]) -> bool:
    """Whether an undo takes back something that was set, and not another undo."""
    return any("undo" not in entry and batch_of(entry) == undo["undo"] for entry in entries)


def _shared(entries: Sequence[Entry]) -> dict[str, Set[int]]:
    """Return by field the episodes of which more than one author spoke: all others cannot be in conflict."""
    once: dict[str, dict[str, set[int]]] = {}
    for entry in entries:
        of = once.setdefault(entry["field"], {})
        of.setdefault(str(entry.get("author", "")), set()).update(episodes_of(entry))
    shared: dict[str, Set[int]] = {}
    for field, of in once.items():
        seen: set[int] = set()
        twice: set[int] = set()
        for episodes in of.values():
            twice |= seen & episodes
            seen |= episodes
        shared[field] = twice
    return shared
