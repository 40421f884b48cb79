"""What the flags of `demodeck label` say, as values of label fields."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from collector.dataset.reader import Dataset
from collector.dataset.spans import span
from collector.errors import UsageError


def values_of(flags: Namespace) -> dict[str, Any]:
    """Return field -> value as the flags say.

    Raises:
        UsageError: If a flag's text is no such value.
    """
    # The verdict last: it is what `--undo` should take back first.
    values: dict[str, Any] = {}
    if flags.note is not None:
        values["note"] = flags.note or None
    if flags.task is not None:
        values["task"] = flags.task or None
    if flags.trim is not None:
        values["trim"] = None if flags.trim == "none" else _frames(flags.trim, "--trim")
    tags = _changes([_words(text) for text in flags.tag], [_words(text) for text in flags.untag])
    if flags.tag or flags.untag:
        values["tags"] = tags
    if flags.segment or flags.unsegment:
        gone = [[text if text == "all" else _frames(text, "--unsegment")] for text in flags.unsegment]
        values["segments"] = _changes([[_segment(text)] for text in flags.segment], gone)
    if flags.weight is not None:
        values["weight"] = None if flags.weight == "none" else _number(flags.weight)
    if flags.rating is not None:
        values["rating"] = None if flags.rating == "none" else int(flags.rating)
    if flags.success is not None:
        values["success"] = {"true": True, "false": False, "none": None}[flags.success]
    if flags.verdict is not None:
        values["verdict"] = None if flags.verdict == "none" else flags.verdict
    return values


def _changes(added: Sequence[list[Any]], removed: Sequence[list[Any]]) -> Any:
    """Return what becomes of a set: elements that come and go, or all that are left where 'all' goes."""
    add, remove = [one for part in added for one in part], [one for part in removed for one in part]
    if "all" in remove:
        return add or None
    return {"add": add, "remove": remove}


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise UsageError(
            f"'{text}' is no list of tags: write words with commas between, like slippery,two-handed"
        )
    return words


def _frames(text: str, flag: str) -> list[int]:
    from curation.trim import parse_frames

    first, last = parse_frames(text)
    if last is None or last <= first:
        raise UsageError(f"{flag} is '{text}': name both ends, the last excluded, like 12:180")
    return [first, last]


def _segment(text: str) -> dict[str, Any]:
    match = re.fullmatch(r"\s*(\d+\s*:\s*\d+)\s*=\s*(.*\S)\s*", text, re.DOTALL)
    if match is None:
        raise UsageError(f"--segment is '{text}': write frames and a sentence, like 12:80=reach for the cube")
    first, last = _frames(match[1], "--segment")
    return {"from_frame": first, "to_frame": last, "text": match[2]}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--weight is '{text}': give a number of at least 0, or none") from None


def check_frames(dataset: Dataset, episodes: Sequence[int], values: Mapping[str, Any]) -> None:
    """Check that every episode has the frames that a trim or segment names.

    Raises:
        UsageError: Naming the first that has not.
    """
    frames = [values["trim"]] if values.get("trim") else []
    segments = values.get("segments") or []
    added = segments.get("add", []) if isinstance(segments, dict) else segments
    frames += [[one["from_frame"], one["to_frame"]] for one in added]
    for first, last in frames:
        for episode in episodes:
            span(dataset, episode, first, last)
