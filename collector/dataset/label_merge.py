"""Two people's label files become one: a union of entries, so that any order of merging ends in the same state.

An entry is the same in two files where its id and its content are; of its episodes the union is taken (an edit that
dropped some of them leaves the entry with fewer). Nothing is removed and nothing changed, so merging is idempotent,
commutative and associative (a grow-only set: Shapiro et al. 2011, "Conflict-free replicated data types", section 3.3).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from collector.dataset.label_file import Entry, entry_id, episodes_of

_Key = tuple[str, str]


def _key(entry: Entry) -> _Key:
    rest = {name: value for name, value in entry.items() if name not in ("id", "episodes")}
    return entry_id(entry), json.dumps(rest, sort_keys=True)


def missing(ours: Sequence[Entry], theirs: Sequence[Entry]) -> list[Entry]:
    """Return the entries of theirs that ours lack, as they are; of one that both have, only further episodes.

    An entry without an id gets one, by its content, so that it keeps it whatever is done with it.
    """
    seen: dict[_Key, set[int]] = {}
    for entry in ours:
        seen.setdefault(_key(entry), set()).update(episodes_of(entry))
    new = []
    for entry in theirs:
        key = _key(entry)
        about = episodes_of(entry)
        if key not in seen:
            new.append({"id": key[0], **entry})
        elif further := [e for e in about if e not in seen[key]]:
            new.append({**entry, "id": key[0], "episodes": further})
        seen.setdefault(key, set()).update(about)
    return new


def renumbered(entries: Sequence[Entry], new_number: Mapping[int, int]) -> tuple[list[Entry], int]:
    """Return entries with episodes numbered as another copy of the dataset has them.

    Returns:
        The entries, and how many are left out because they are about episodes that the copy lacks.
    """
    kept: list[Entry] = []
    lost = 0
    for entry in entries:
        about = episodes_of(entry)
        there = [new_number[e] for e in about if e in new_number]
        if not about:
            kept.append(entry)
        elif not there:
            lost += 1
        elif there == about:
            kept.append(entry)
        elif "episodes" in entry:
            kept.append({**entry, "episodes": there})
        else:
            kept.append({"id": entry_id(entry), **entry, "episode": there[0]})
    return kept, lost
