"""The episode table of spans: each source's rows, renumbered; statistics and notes of cut episodes anew."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import stats, tables
from collector.dataset.reader import Dataset
from collector.dataset.span_rows import Rows
from collector.dataset.span_videos import Place
from collector.dataset.spans import Changes, Span, sources_of

_FIGURES = ("min", "max", "mean", *stats.QUANTILES)


def episode_table(
    spans: Sequence[Span], changes: Changes, rows: Rows, videos: Mapping[str, Sequence[Place]]
) -> pa.Table:
    """Return the new episode table, with its `stats/` columns.

    Args:
        rows: What `copy_rows` wrote; `rows.stats` holds the statistics of cut episodes, cameras and all.
        videos: The places of each camera's videos, by the camera's new name.

    Raises:
        DataError: If a source's table is damaged.
    """
    n = len(spans)
    table = _with_cut_ones(_taken(spans, changes), spans, rows)
    lengths = np.array([len(span) for span in spans])
    ends = np.cumsum(lengths)
    columns: dict[str, Any] = {
        "episode_index": range(n),
        "length": lengths,
        "data/chunk_index": [place[0] for place in rows.places],
        "data/file_index": [place[1] for place in rows.places],
        "dataset_from_index": ends - lengths,
        "dataset_to_index": ends,
        "meta/episodes/chunk_index": [0] * n,
        "meta/episodes/file_index": [0] * n,
    }
    kinds: dict[str, pa.DataType] = {name: pa.int64() for name in columns}
    columns["tasks"], kinds["tasks"] = rows.tasks_of, pa.list_(pa.string())
    for camera, places in videos.items():
        for at, name in enumerate(Place._fields):
            columns[f"videos/{camera}/{name}"] = [place[at] for place in places]
            kinds[f"videos/{camera}/{name}"] = pa.int64() if at < 2 else pa.float64()
    counters = {"index": list(zip(ends - lengths, lengths)), "episode_index": [(k, 1) for k in range(n)]}
    for name, runs in counters.items():
        figures = _counter_figures(runs)
        for key in _FIGURES:
            if f"stats/{name}/{key}" in table.column_names:
                columns[f"stats/{name}/{key}"] = figures[key].reshape(-1, 1).tolist()
    number = {task: float(k) for k, task in enumerate(rows.tasks)}
    for key in (*_FIGURES, "std"):
        column = f"stats/task_index/{key}"
        if column in table.column_names:
            same = [[0.0 if key == "std" else number[words[0]]] for words in rows.tasks_of]
            several = {k: v["task_index"][key].tolist() for k, v in rows.stats.items() if "task_index" in v}
            columns[column] = [several.get(k, value) for k, value in enumerate(same)]
    for name in rows.new_stats:
        for key in rows.stats[0][name] if rows.stats else ():
            columns[f"stats/{name}/{key}"] = [rows.stats[k][name][key].tolist() for k in range(n)]
    columns |= changes.episode_columns
    return tables.with_columns(table, columns, kinds)


def _counter_figures(runs: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Return min, max, mean and quantiles of each run first, first + 1, ... of `count` numbers, (n_runs,)."""
    first, count = np.array(runs, np.float64).T
    shares = {"min": 0.0, "max": 1.0, "mean": 0.5, **stats.QUANTILES}
    return {key: first + share * (count - 1) for key, share in shares.items()}


def _taken(spans: Sequence[Span], changes: Changes) -> pa.Table:
    """Return the spans' rows from their sources, in their order, under the features' new names."""
    parts, order = [], []
    for source in sources_of(spans):
        mine = [number for number, span in enumerate(spans) if span.source is source]
        table = tables.read_episodes(source.root, with_stats=True)
        table = _renamed(table, source, changes)
        parts.append(table.take(pa.array([spans[number].episode for number in mine])))
        order += mine
    if len(parts) == 1:
        return parts[0]
    joined = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    return joined.take(pa.array(np.argsort(order)))


def _renamed(table: pa.Table, source: Dataset, changes: Changes) -> pa.Table:
    names = changes.new_names(source)
    kept: dict[str, str] = {}
    for column in table.column_names:
        kind, _, rest = column.partition("/")
        feature, _, key = rest.rpartition("/")
        if kind in ("stats", "videos") and feature in source.features:
            if feature in names:
                kept[column] = f"{kind}/{names[feature]}/{key}"
        else:
            kept[column] = column
    return table.select(list(kept)).rename_columns(list(kept.values()))


def _with_cut_ones(table: pa.Table, spans: Sequence[Span], rows: Rows) -> pa.Table:
    """Set statistics, times and notes of the episodes that were cut."""
    cut = [number for number, span in enumerate(spans) if not span.whole]
    if not cut:
        return table
    part = table.take(pa.array(cut))
    columns: dict[str, list[Any]] = {}
    flat = [stats.flatten(rows.stats[number]) for number in cut]
    for name in table.column_names:
        if name.startswith("stats/"):
            columns[name] = [figures.get(name) for figures in flat]
    for name, moved in (("started_at", _moved_start), ("camera_faults", _moved_faults)):
        if name in table.column_names:
            seconds = [(rows.offsets_s[n], len(spans[n]) / spans[n].fps) for n in cut]
            old = part[name].to_pylist()
            columns[name] = [moved(text, *at) if text else text for text, at in zip(old, seconds)]
    kinds = {name: table.schema.field(name).type for name in columns}
    part = tables.with_columns(part, columns, kinds)
    rest = [number for number in range(len(spans)) if spans[number].whole]
    joined = pa.concat_tables([table.take(pa.array(rest, pa.int64())), part]).combine_chunks()
    return joined.take(pa.array(np.argsort(rest + cut)))


def _moved_start(text: str, offset_s: float, _: float) -> str:
    with contextlib.suppress(ValueError):
        moved = datetime.fromisoformat(text) + timedelta(seconds=offset_s)
        return moved.isoformat(timespec="milliseconds")
    return text


def _moved_faults(text: str, offset_s: float, length_s: float) -> str:
    """Return the camera faults that fall into the span, with times since its first frame [s]."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        moved = []
        for fault in json.loads(text):
            first, last = fault["from_s"] - offset_s, fault["to_s"] - offset_s
            if last >= 0 and first <= length_s:
                moved.append({**fault, "from_s": max(0.0, first), "to_s": min(length_s, last)})
        return json.dumps(moved)
    return text
