"""What a label may say: the fields, the values that each takes, and how one entry after the other makes a state.

Most fields are registers: the later value holds, None takes it away. `tags` and `segments` are sets, changed one
element at a time (`{"add": [...], "remove": [...]}`), so that two people who add at once lose nothing of each other;
a plain list replaces the whole set and None empties it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any


def is_frames(value: Any) -> bool:
    """Whether a value is `[first, last]`, frames of an episode, the last excluded."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
        and 0 <= value[0] < value[1]
    )


def _is_tag(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value == value.strip() and "," not in value


def _is_segment(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("text"), str)
        and bool(value["text"].strip())
        and is_frames([value.get("from_frame"), value.get("to_frame")])
    )


def _is_weight(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= 1e9
    )


def _is_set_of(one: Callable[[Any], bool], gone: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if isinstance(value, list):
            return all(map(one, value))
        return (
            isinstance(value, dict)
            and bool(value)
            and value.keys() <= {"add", "remove"}
            and all(isinstance(part, list) for part in value.values())
            and all(map(one, value.get("add", [])))
            and all(map(gone, value.get("remove", [])))
        )

    return fits


VALUES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "verdict": ("'keep', 'drop' or none", lambda v: v in ("keep", "drop")),
    "success": ("true, false or none", lambda v: isinstance(v, bool)),
    "rating": ("a whole number from 1 to 5, or none", lambda v: type(v) is int and 1 <= v <= 5),
    "weight": ("a number from 0 to 1e9, or none", _is_weight),
    "note": ("text or none", lambda v: isinstance(v, str)),
    "task": ("text or none", lambda v: isinstance(v, str) and bool(v.strip())),
    "trim": ("[first, last] in frames, the last excluded, or none", is_frames),
    "tags": (
        "words of up to 100 letters without a comma: a list, {'add': [...], 'remove': [...]}, or none",
        _is_set_of(_is_tag, _is_tag),
    ),
    "segments": (
        "{'from_frame', 'to_frame', 'text'}, the last frame excluded: a list, "
        "{'add': [...], 'remove': [[first, last], ...]}, or none",
        _is_set_of(_is_segment, is_frames),
    ),
}
"""By field: the values allowed, in words, and whether a value is one of them (None always is)."""

SETS = ("tags", "segments")


def fits(field: Any, value: Any) -> bool:
    """Whether this version knows the field and the value is one of its."""
    return isinstance(field, str) and field in VALUES and (value is None or VALUES[field][1](value))


def said(field: str, value: Any, before: dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Return what an entry says of each element, None where it takes it away.

    Args:
        before: What was said of the field's elements so far: an entry that replaces all takes them away.

    Returns:
        By element: a tag (True), a segment's (first, last) (its text); for a register the one element ''.
    """
    if field not in SETS:
        return {"": value}
    added, removed = value, list(before)
    if isinstance(value, dict):
        added, removed = value.get("add", []), value.get("remove", [])
    gone: dict[Hashable, Any] = {tuple(one) if isinstance(one, list) else one: None for one in removed}
    if field == "tags":
        return {**gone, **dict.fromkeys(added or [], True)}
    return {**gone, **{(one["from_frame"], one["to_frame"]): one["text"] for one in added or []}}


def shown_value(field: str, elements: dict[Hashable, Any]) -> Any:
    """Return a field's value from what holds of its elements; None where nothing does."""
    there = {key: value for key, value in elements.items() if value is not None}
    if not there:
        return None
    if field == "tags":
        return sorted(str(tag) for tag in there)
    if field == "segments":
        spans = sorted((*key, text) for key, text in there.items() if isinstance(key, tuple))
        return [{"from_frame": first, "to_frame": last, "text": text} for first, last, text in spans]
    return there[""]


def after(field: str, before: Any, change: Any) -> Any:
    """Return a field's value after an entry said `change` of it.

    Args:
        before: Its value until then, as `shown_value` gives it.
    """
    there = said(field, before, {}) if before is not None else {}
    return shown_value(field, there | said(field, change, there))
