"""lerobot's column `language_persistent`: what holds of a stretch of an episode, in words, repeated in each frame.

A frame's value is the list of all of its episode's rows `{role, content, style, timestamp, camera, tool_calls}`; a row
holds from its timestamp on until the next one of its style. Segments become rows of the style `subtask`, role
`assistant`; where one ends and none follows, a row with empty content ends it.
Source: lerobot 0.6.1, `datasets/language.py` (the types), `datasets/language_render.py` (`active_at`) and
`annotations/steerable_pipeline/writer.py` (the order).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LANGUAGE = "language_persistent"
FEATURE = {"dtype": "language", "shape": (1,), "names": None}
SUBTASK = "subtask"
ROW = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("style", pa.string()),
        ("timestamp", pa.float32()),
        ("camera", pa.string()),
        ("tool_calls", pa.list_(pa.json_())),
    ]
)
KIND = pa.list_(ROW)
_EPSILON_S = 1e-4  # times are float32
_TEXT = {"dtype": "string", "_type": "Value"}
DESCRIBED = {
    "feature": {
        "role": _TEXT,
        "content": _TEXT,
        "style": _TEXT,
        "timestamp": {"dtype": "float32", "_type": "Value"},
        "camera": _TEXT,
        "tool_calls": {"feature": {"_type": "Json"}, "_type": "List"},
    },
    "_type": "List",
}
"""How the `datasets` library is told of it."""


def sentences(segments: Sequence[Mapping[str, Any]], length: int) -> list[tuple[int, str]]:
    """Return at which frame which sentence begins to hold; '' where none does any more.

    Of segments that overlap, the one that began last holds (of those, the one that ends last).

    Args:
        segments: `{"from_frame", "to_frame", "text"}`.
        length: Frames of the episode.
    """
    spans = [(s["from_frame"], min(s["to_frame"], length), s["text"]) for s in segments]
    spans = [one for one in spans if one[0] < one[1]]
    found: list[tuple[int, str]] = []
    for frame in sorted({n for first, last, _ in spans for n in (first, last) if n < length}):
        inside = [one for one in spans if one[0] <= frame < one[1]]
        text = max(inside)[2] if inside else ""
        if not found or found[-1][1] != text:
            found.append((frame, text))
    return found


def segment_rows(segments: Sequence[Mapping[str, Any]], length: int, fps: float) -> pa.StructArray:
    """Return the rows of an episode's segments, of the type `ROW`. Arguments as `sentences`; fps [Hz]."""
    begins = sentences(segments, length)
    n = len(begins)
    return _rows(
        pa.array(["assistant"] * n, pa.string()),
        pa.array([text for _, text in begins], pa.string()),
        pa.array([SUBTASK] * n, pa.string()),
        pa.array([np.float32(frame / fps) for frame, _ in begins], pa.float32()),
        pa.nulls(n, pa.string()),
        pa.nulls(n, ROW.field("tool_calls").type),
    )


def _rows(*children: pa.Array) -> pa.StructArray:
    return pa.StructArray.from_arrays(list(children), fields=list(ROW))


NONE = _rows(*(pa.nulls(0, field.type) for field in ROW))


def rows_of_episode(column: pa.ChunkedArray) -> pa.StructArray | None:
    """Return the rows that an episode's frames repeat, from its part of the column; None where there are none."""
    for chunk in column.chunks:
        if len(chunk) and chunk[0].is_valid:
            return chunk.slice(0, 1).flatten()
    return None


def without_subtasks(rows: pa.StructArray) -> pa.StructArray:
    """Return rows of whatever type a writer gave them as `ROW`, without those of the style `subtask`."""
    plain = _as_row(rows)
    return plain.take(pc.indices_nonzero(pc.fill_null(pc.not_equal(plain.field("style"), SUBTASK), True)))


def subtasks(rows: pa.StructArray) -> pa.StructArray:
    """Return those of the style `subtask`, as `ROW`."""
    plain = _as_row(rows)
    return plain.take(pc.indices_nonzero(pc.fill_null(pc.equal(plain.field("style"), SUBTASK), False)))


def _as_row(rows: pa.StructArray) -> pa.StructArray:
    by_name = {
        name: rows.field(name) for name in (rows.type.field(k).name for k in range(rows.type.num_fields))
    }
    children = [
        by_name[f.name].cast(f.type)
        if f.name in by_name and f.name != "tool_calls"
        else pa.nulls(len(rows), f.type)
        for f in ROW
    ]
    calls = by_name.get("tool_calls")
    if calls is not None and calls.type == ROW.field("tool_calls").type:
        children[-1] = calls
    elif calls is not None and pa.types.is_list(calls.type) and pa.types.is_string(calls.type.value_type):
        values = pa.ExtensionArray.from_storage(pa.json_(), calls.values)
        children[-1] = pa.ListArray.from_arrays(calls.offsets, values, mask=calls.is_null())
    return _rows(*children)


def joined(parts: Sequence[pa.StructArray]) -> pa.StructArray:
    """Return rows of the type `ROW` as one list, in the order that lerobot keeps (time, style, role)."""
    together = pa.concat_arrays(list(parts))
    keys = [together.field(k).to_pylist() for k in (3, 2, 0)]
    order = sorted(
        range(len(together)), key=lambda k: tuple(key[k] or ("" if n else 0) for n, key in enumerate(keys))
    )
    return together.take(pa.array(order, pa.int64()))


def cut(rows: pa.StructArray, offset_s: float, length_s: float) -> pa.StructArray:
    """Return the rows of a stretch that begins `offset_s` into the episode and is `length_s` long [s].

    What held at the cut holds from the stretch's first frame on; times count from there.
    """
    times = np.asarray(rows.field("timestamp").to_pylist(), np.float64)
    styles = rows.field("style").to_pylist()
    latest: dict[str | None, float] = {}
    for time, style in zip(times, styles):
        if time <= offset_s + _EPSILON_S:
            latest[style] = max(latest.get(style, time), time)
    kept = [
        k
        for k, (time, style) in enumerate(zip(times, styles))
        if time == latest.get(style) or offset_s + _EPSILON_S < time < offset_s + length_s - _EPSILON_S
    ]
    taken = rows.take(pa.array(kept, pa.int64()))
    fields = [rows.type.field(k) for k in range(rows.type.num_fields)]
    moved = pa.array(np.maximum(0.0, times[kept] - offset_s), pa.float64())
    children = [moved.cast(f.type) if f.name == "timestamp" else taken.field(f.name) for f in fields]
    return pa.StructArray.from_arrays(children, fields=fields)


def repeated(rows: pa.StructArray, n_frames: int) -> pa.ListArray:
    """Return a column that holds the rows in each of `n_frames` frames."""
    at = np.tile(np.arange(len(rows)), n_frames)
    offsets = np.arange(n_frames + 1) * len(rows)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rows.take(pa.array(at, pa.int64())))
