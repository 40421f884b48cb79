"""What two datasets have in common: episodes matched by what was done in them, not by their numbers."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from collector.dataset import schema
from collector.dataset.label_fields import VALUES
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.spans import differences
from collector.dataset.views import episodes
from collector.errors import UsageError

_OF_FRAMES = ("trim", "segments")
"""Labels that name frames of their episode."""


@dataclass
class Difference:
    """How dataset B differs from A.

    Attributes:
        same: Episodes that both have, (number in A, number in B).
        cut: Episodes of one that are a part of the other's: `{"a", "b", "from_frame", "to_frame", "of"}`, the frames
            being those of the longer one, which `of` names ("a" or "b").
        changed: Episodes of one flight with other actions.
        only_a, only_b: Episodes without a counterpart.
        features: Differences of frame rate and features, in words.
        tasks_only_a, tasks_only_b: Tasks that one lacks.
        labels: Labels of matched episodes that differ: `{"a", "b", "field", "from", "to"}`, the values being those of
            A and of B, None where there is none.
    """

    same: list[tuple[int, int]] = field(default_factory=list)
    cut: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[int, int]] = field(default_factory=list)
    only_a: list[int] = field(default_factory=list)
    only_b: list[int] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    tasks_only_a: list[str] = field(default_factory=list)
    tasks_only_b: list[str] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)


def compare(a: Dataset, b: Dataset) -> Difference:
    """Match the episodes of two datasets by their actions (else their states), and by `flight_id`.

    Raises:
        UsageError: If they share no column to match by.
        DataError: If one is damaged.
    """
    shared = [name for name in schema.numeric_keys(a.features) if name in schema.numeric_keys(b.features)]
    able = [
        n
        for n in ("action", "observation.state", *shared)
        if n in shared and n not in schema.DEFAULT_FEATURES
    ]
    if not able:
        raise UsageError(f"{a.root} and {b.root} share no column to match episodes by")
    rows_a, rows_b = _rows(a, able[0]), _rows(b, able[0])
    result = Difference(features=differences(a, b))
    result.tasks_only_a = [task for task in a.tasks if task not in b.tasks]
    result.tasks_only_b = [task for task in b.tasks if task not in a.tasks]
    waiting: dict[bytes, deque[int]] = {}
    for number, rows in enumerate(rows_a):
        waiting.setdefault(_digest(rows), deque()).append(number)
    left_b = []
    for number, rows in enumerate(rows_b):
        found = waiting.get(_digest(rows))
        if found:
            result.same.append((found.popleft(), number))
        else:
            left_b.append(number)
    left_a = sorted(number for numbers in waiting.values() for number in numbers)
    part_of_a = _parts([(n, rows_b[n]) for n in left_b], [(n, rows_a[n]) for n in left_a])
    part_of_b = _parts([(n, rows_a[n]) for n in left_a], [(n, rows_b[n]) for n in left_b])
    result.cut = [
        {"a": whole, "b": part, "from_frame": at, "to_frame": at + len(rows_b[part]), "of": "a"}
        for part, (whole, at) in part_of_a.items()
    ] + [
        {"a": part, "b": whole, "from_frame": at, "to_frame": at + len(rows_a[part]), "of": "b"}
        for part, (whole, at) in part_of_b.items()
    ]
    left_a = [n for n in left_a if n not in {row["a"] for row in result.cut}]
    left_b = [n for n in left_b if n not in {row["b"] for row in result.cut}]
    flights = {flight: number for number in left_a if (flight := _flight(a, number))}
    result.changed = [(flights[flight], n) for n in left_b if (flight := _flight(b, n)) in flights]
    result.only_a = [n for n in left_a if n not in {pair[0] for pair in result.changed}]
    result.only_b = [n for n in left_b if n not in {pair[1] for pair in result.changed}]
    cut: list[Any] = [(row["a"], row["b"]) for row in result.cut]
    matched = sorted([*result.same, *cut, *result.changed], key=lambda pair: pair[1])
    result.labels = _label_differences(a, b, matched)
    return result


def _label_differences(a: Dataset, b: Dataset, matched: list[tuple[int, int]]) -> list[dict[str, Any]]:
    said_a, said_b = _labels(a), _labels(b)
    length_a, length_b = a.lengths(), b.lengths()
    return [
        {"a": one, "b": other, "field": field, "from": before, "to": after}
        for one, other in matched
        for field in VALUES
        if (before := said_a[field][one]) != (after := said_b[field][other])
        if field not in _OF_FRAMES or length_a[one] == length_b[other]  # else it moved with what was cut away
    ]


def _labels(dataset: Dataset) -> dict[str, list[Any]]:
    """Return of each label its values, one an episode: what was said, else what the episode table holds."""
    view = episodes(dataset, set(VALUES))
    said = Labels(dataset.root).columns(dataset.num_episodes)
    shown = {name: view[name].to_pylist() if name in view.column_names else said[name] for name in VALUES}
    # An empty list says as much as none; tags have no order.
    shown["tags"] = [sorted(tags) if tags else None for tags in shown["tags"]]
    return shown


def _rows(dataset: Dataset, column: str) -> list[np.ndarray]:
    values = dataset.columns([column])[column]
    return np.split(np.ascontiguousarray(values), np.cumsum(dataset.lengths())[:-1])


def _digest(rows: np.ndarray) -> bytes:
    return hashlib.sha256(rows.tobytes()).digest()


def _parts(
    parts: list[tuple[int, np.ndarray]], wholes: list[tuple[int, np.ndarray]]
) -> dict[int, tuple[int, int]]:
    """Return of each part that lies within a longer episode that one's number and the frame where it begins."""
    places: dict[bytes, list[tuple[int, np.ndarray, int]]] = {}
    first_rows = {rows[0].tobytes() for _, rows in parts}
    for number, rows in wholes:
        for frame, row in enumerate(rows):
            if (key := row.tobytes()) in first_rows:
                places.setdefault(key, []).append((number, rows, frame))
    found = {}
    for number, rows in parts:
        for whole, longer, frame in places.get(rows[0].tobytes(), []):
            stretch = longer[frame : frame + len(rows)]
            if len(rows) < len(longer) and stretch.tobytes() == rows.tobytes():
                found[number] = (whole, frame)
                break
    return found


def _flight(dataset: Dataset, episode: int) -> str | None:
    if "flight_id" not in dataset.episodes.column_names:
        return None
    return dataset.episodes["flight_id"][episode].as_py()
