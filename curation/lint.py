"""What is wrong with a v3.0 set as a whole: files, counts, tasks, statistics, links and videos.

Faults of single episodes are the checks' business. Each line says what was seen and what was expected.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from collector.dataset import schema, tables, trust
from collector.dataset.reader import Dataset
from collector.errors import DataError, shown

TOLERANCE = 1e-3
"""Relative error of a stored statistic against the recomputed one that float32 arithmetic explains."""
MOST_FRAMES = 200_000
"""Statistics of larger sets are not recomputed: that would cost more than all checks."""


def lint(dataset: Dataset) -> list[str]:
    """Return what is wrong with the set, one line each; empty where nothing is."""
    found: list[str] = []
    parts: list[Callable[[Dataset], list[str]]] = [_counts, _tasks, _places, _files, _links, _stats, _videos]
    for part in parts:
        try:
            found += part(dataset)
        except DataError as error:
            found.append(shown(error, 300))
    return found


def _counts(dataset: Dataset) -> list[str]:
    info, found = dataset.info, []
    for name, real in (("total_episodes", dataset.num_episodes), ("total_frames", dataset.num_frames)):
        if name in info and info[name] != real:
            found.append(f"info.json: {name} is {shown(info[name])}, counted are {real}")
    if "total_tasks" in info and info["total_tasks"] != len(dataset.tasks):
        found.append(
            f"info.json: total_tasks is {shown(info['total_tasks'])}, the task table has {len(dataset.tasks)}"
        )
    version = str(info.get("codebase_version"))
    if version != schema.CODEBASE_VERSION:
        found.append(
            f"info.json: codebase_version is {shown(version)}, expected is {schema.CODEBASE_VERSION}"
        )
    missing = [name for name in schema.DEFAULT_FEATURES if name not in dataset.features]
    if missing:
        found.append(f"info.json: no features {', '.join(missing)}")
    return found


def _tasks(dataset: Dataset) -> list[str]:
    found = []
    if not dataset.tasks:
        found.append("meta/tasks.parquet: no tasks")
    if any(not str(task or "").strip() for task in dataset.tasks):
        found.append("meta/tasks.parquet: a task without words")
    odd = [task for task in dataset.tasks if not str(task).isprintable()]
    if odd:
        found.append(f"meta/tasks.parquet: words with control characters, as '{shown(odd[0], 40)}'")
    if "tasks" in dataset.episodes.column_names:
        known = set(dataset.tasks)
        used = {
            t
            for row in dataset.episodes["tasks"].to_pylist()
            for t in (row if isinstance(row, list) else [row])
        }
        if unknown := sorted(str(t) for t in used - known):
            found.append(
                f"the episode table names a task that the task table lacks: '{shown(unknown[0], 60)}'"
            )
    return found


def _places(dataset: Dataset) -> list[str]:
    table, found = dataset.episodes, []
    if {"dataset_from_index", "dataset_to_index"} <= set(table.column_names):
        first, last = (schema.to_numpy(table[f"dataset_{end}_index"]) for end in ("from", "to"))
        ends = np.cumsum(dataset.lengths())
        wrong = np.flatnonzero((last != ends) | (first != ends - dataset.lengths()))
        if len(wrong):
            e = int(wrong[0])
            found.append(
                f"the episode table places episode {e} at {first[e]}-{last[e]}, its frames lie at "
                f"{ends[e] - dataset.lengths()[e]}-{ends[e]} ({len(wrong)} such episodes)"
            )
    return found


def _files(dataset: Dataset) -> list[str]:
    named = {path.resolve() for path in set(dataset.data_files)}
    there = {path.resolve() for path in (dataset.root / "data").rglob("*.parquet")}
    # lerobot loads every parquet file below data/, whether or not the episode table names it.
    return [
        f"{p.name} in data/ belongs to no episode, and lerobot loads it" for p in sorted(there - named)[:5]
    ]


def _links(dataset: Dataset) -> list[str]:
    return [
        f"{shown(path)} is a link that leads out of the dataset" for path in trust.outside_links(dataset.root)
    ]


def _stats(dataset: Dataset) -> list[str]:
    path = dataset.root / tables.STATS
    if not path.exists():
        return [f"{tables.STATS} is missing: training cannot normalise"]
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(stored, dict)
    except (ValueError, AssertionError, RecursionError):
        return [f"{tables.STATS} is damaged"]
    found = []
    names = [n for n in ("action", "observation.state") if n in dataset.features]
    if missing := [n for n in names if n not in stored]:
        found.append(f"{tables.STATS}: nothing about {', '.join(missing)}")
    if dataset.num_frames > MOST_FRAMES:
        return found
    columns = dataset.columns([n for n in names if n in stored])
    for name, values in columns.items():
        if not len(values) or not np.isfinite(values).all():
            continue
        table = values.reshape(len(values), -1).astype(np.float64)
        spread = np.maximum(np.ptp(table, axis=0), 1e-6)
        real = {"mean": table.mean(0), "std": table.std(0), "min": table.min(0), "max": table.max(0)}
        for what, expected in real.items():
            off = _relative(stored[name], what, expected, spread)
            if off is None or off > TOLERANCE:
                seen = (
                    "missing or of another shape" if off is None else f"off by {100 * off:.2g} % of the range"
                )
                found.append(f"{tables.STATS}: {what} of '{name}' is {seen}; recompute the statistics")
                break
    return found


def _relative(stored: Any, what: str, expected: np.ndarray, spread: np.ndarray) -> float | None:
    try:
        value = np.asarray(stored[what], np.float64).ravel()
    except (KeyError, TypeError, ValueError):
        return None
    if value.shape != expected.shape:
        return None
    return float(np.nan_to_num(np.abs(value - expected) / spread, nan=np.inf).max())


def _videos(dataset: Dataset) -> list[str]:
    """Compare each video file's length with the episodes that it should hold, without decoding."""
    keys = schema.video_keys(dataset.features)
    if not keys:
        return []
    if not (dataset.root / "videos").exists():
        return ["videos/ is not on this machine: its files were not looked at"]
    from collector.dataset.video import VideoReader

    found = []
    for camera in keys:
        needed: dict[Any, float] = {}
        columns = [f"videos/{camera}/{n}" for n in ("chunk_index", "file_index", "to_timestamp")]
        if absent := [c for c in columns if c not in dataset.episodes.column_names]:
            found.append(f"the episode table has no column '{shown(absent[0])}'")
            continue
        ends = dataset.episodes[columns[2]].to_pylist()
        for episode in range(dataset.num_episodes):
            path, _ = dataset.video_place(episode, camera)
            needed[path] = max(needed.get(path, 0.0), float(ends[episode] or 0.0))
        for path, end_s in needed.items():
            place = path.relative_to(dataset.root)
            if not path.exists():
                found.append(f"{shown(place)} is missing")
                continue
            with contextlib.suppress(TypeError), VideoReader(path, dataset.fps) as reader:
                length_s = float(reader.stream.duration * reader.stream.time_base)
                if length_s + 0.5 / dataset.fps < end_s:
                    found.append(f"{shown(place)} is {length_s:.2f} s long, its episodes need {end_s:.2f} s")
    return found
