"""Labels of a dataset that others are made of: renumbered, and what names frames counted anew where they were cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from collector.dataset.label_fields import fits
from collector.dataset.label_file import Entry, batch_of, entry_id, episodes_of


class Taken(NamedTuple):
    """An episode of a source: its number there and in the new set, and what is taken of it.

    Attributes:
        frames: First frame and the one after the last, counted from the episode's first; None for all.
        step: Every so many-th frame is taken.
    """

    old: int
    new: int
    frames: tuple[int, int] | None = None
    step: int = 1

    @property
    def whole(self) -> bool:
        """Whether every frame is taken."""
        return self.frames is None and self.step == 1

    def cut(self, first: int, last: int) -> tuple[int, int]:
        """Return frames `first` to `last` (exclusive) as they are counted in the new episode; none if first = last."""
        begin, end = self.frames or (0, last)
        first, last = max(first, begin) - begin, max(min(last, end), begin) - begin
        return -(-first // self.step), max(-(-first // self.step), -(-last // self.step))


def carried(
    entries: Sequence[Entry], news: Mapping[int, Sequence[Taken]], tasks: Mapping[str, str]
) -> list[Entry]:
    """Return the entries about the episodes that are taken, with their new numbers.

    Args:
        news: What is taken of each episode.
        tasks: New words for tasks.

    An entry whose frames are counted anew gets an id of its own, and is taken back with the one it comes from. A trim
    of an episode that was cut is left out: it was carried out, or speaks of frames that are gone.
    """
    found: list[Entry] = []
    for entry in entries:
        field, value = entry.get("field"), entry.get("value")
        if field == "task" and isinstance(value, str):
            entry = {**entry, "id": entry_id(entry), "value": tasks.get(value, value)}
        about = episodes_of(entry)
        taken = [one for episode in about for one in news.get(episode, [])]
        if not about:
            found.append(entry)
        elif field not in ("trim", "segments") or value is None or not fits(field, value):
            found += _numbered(entry, [one.new for one in taken])
        else:
            found += _numbered(entry, [one.new for one in taken if one.whole])
            found += [new for one in taken if not one.whole for new in _counted_anew(entry, one)]
    return found


def _numbered(entry: Entry, episodes: list[int]) -> list[Entry]:
    if "episodes" in entry:
        return [{**entry, "episodes": episodes}] if episodes else []
    return [{**entry, "episode": episode} for episode in episodes]


def _counted_anew(entry: Entry, one: Taken) -> list[Entry]:
    value: Any
    if entry["field"] == "trim":
        first, last = one.cut(*entry["value"])
        if one.frames is not None or first == last:
            return []
        value = [first, last]
    elif isinstance(entry["value"], list):
        value = _segments(entry["value"], one)
    else:
        removed = [list(one.cut(*frames)) for frames in entry["value"].get("remove", [])]
        value = {
            "add": _segments(entry["value"].get("add", []), one),
            "remove": [frames for frames in removed if frames[0] < frames[1]],
        }
        if not value["add"] and not value["remove"]:
            return []
    rest = {key: old for key, old in entry.items() if key != "episode"}
    begin, end = one.frames or (0, "")
    name = f"{entry_id(entry)}.{begin}-{end}.{one.step}"
    return [{**rest, "id": name, "batch": batch_of(entry), "episodes": [one.new], "value": value}]


def _segments(segments: Sequence[Mapping[str, Any]], one: Taken) -> list[dict[str, Any]]:
    cut = [(one.cut(s["from_frame"], s["to_frame"]), s) for s in segments]
    return [{**s, "from_frame": a, "to_frame": b} for (a, b), s in cut if a < b]
