"""The tables that a query sees, made of a dataset's files without an import step; each only where it is asked for.

| view | a row is |
|---|---|
| `episodes` | an episode: the episode table without statistics; `duration_s`; the present labels `verdict`, `success` (label, else recorded), `rating`, `weight` (1 where none is set), `tags`, `note`, `task` (label, else recorded), `trim`; the score of each check by its name; `faults` and `warnings` (NULL where never scored) |
| `frames` | a frame: every column of the data files but pictures |
| `findings`, `scores` | what `demodeck score` stored |
| `labels` | what somebody once said of an episode: `said_at` (UTC), `author`, `field`, `value`, `undone`, `id` |
| `segments` | a stretch of an episode with its sentence: `from_frame`, `to_frame` (excluded), `text` |
| `tasks` | a task: `task_index`, `task` |
"""  # noqa: E501 - a table

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset import schema, tables
from collector.dataset.label_file import time_of
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset

VIEWS = ("episodes", "frames", "findings", "scores", "labels", "segments", "tasks")

_LABEL_KINDS: dict[str, pa.DataType] = {
    "success": pa.bool_(),
    "verdict": pa.string(),
    "rating": pa.int64(),
    "weight": pa.float64(),
    "tags": pa.list_(pa.string()),
    "note": pa.string(),
    "task": pa.string(),
    "trim": pa.list_(pa.int64()),
}
_FINDINGS = pa.schema(
    [
        ("episode_index", pa.int64()),
        ("check", pa.string()),
        ("severity", pa.string()),
        ("from_frame", pa.int64()),
        ("to_frame", pa.int64()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("message", pa.string()),
    ]
)
_SCORES = pa.schema(
    [
        ("episode_index", pa.int64()),
        ("check", pa.string()),
        ("score", pa.float64()),
        ("state", pa.string()),
        ("note", pa.string()),
    ]
)
_FILES = {"findings": _FINDINGS, "scores": _SCORES}


def view(dataset: Dataset, name: str, wanted: Collection[str] | None = None) -> Any:
    """Return one of `VIEWS` as an Arrow table, `frames` as an Arrow dataset that is read as far as it is asked.

    Args:
        wanted: Columns of `episodes` that matter, in small letters; the others may hold NULL. None for all.

    Raises:
        DataError: If the file behind it is damaged.
    """
    if name == "episodes":
        return episodes(dataset, wanted)
    if name == "frames":
        return _frames(dataset)
    if name == "tasks":
        return pa.table(
            {
                "task_index": pa.array(range(len(dataset.tasks)), pa.int64()),
                "task": pa.array(dataset.tasks, pa.string()),
            }
        )
    if name == "labels":
        return _history(dataset)
    if name == "segments":
        rows = [
            {"episode_index": episode, **segment}
            for episode, fields in Labels(dataset.root).current().items()
            for segment in fields.get("segments", [])
        ]
        kinds = [(n, pa.int64()) for n in ("episode_index", "from_frame", "to_frame")]
        return pa.Table.from_pylist(rows, pa.schema([*kinds, ("text", pa.string())]))
    path = dataset.root / "curation" / f"{name}.parquet"
    return tables.read_parquet(path) if path.exists() else _FILES[name].empty_table()


def episodes(dataset: Dataset, wanted: Collection[str] | None = None) -> pa.Table:
    """Return the view `episodes`. Arguments and errors as `view`."""
    n = dataset.num_episodes
    table = _distinct(dataset.episodes)

    def asked(name: str) -> bool:
        return wanted is None or name.lower() in wanted

    columns: dict[str, Any] = {"duration_s": dataset.lengths() / dataset.fps}
    if any(map(asked, _LABEL_KINDS)):
        columns |= _labels(dataset, table)
    else:
        columns |= {name: pa.nulls(n, kind) for name, kind in _LABEL_KINDS.items()}
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = (
            table.append_column(name, pa.array(values))
            if at < 0
            else table.set_column(at, name, pa.array(values))
        )
    known = {name.lower() for name in table.column_names}
    # A check may be called like a column of the table: the table's column stays.
    for name, scores in _scores(dataset, asked).items():
        if name.lower() not in known:
            table = table.append_column(name, scores)
            known.add(name.lower())
    for name, counts in _counts(dataset, asked).items():
        if name not in known:
            table = table.append_column(name, counts)
    return table


def _distinct(table: pa.Table) -> pa.Table:
    """Return a table without columns that differ from an earlier one only by small and capital letters, as in SQL."""
    first: dict[str, str] = {}
    for name in table.column_names:
        first.setdefault(name.lower(), name)
    return table.select(list(first.values())) if len(first) < table.num_columns else table


def _labels(dataset: Dataset, table: pa.Table) -> dict[str, pa.Array]:
    """Return the present labels as columns; where none is set, what the episode table holds of that name."""
    n = dataset.num_episodes
    values = Labels(dataset.root).columns(n)
    for name, kind in _LABEL_KINDS.items():
        if name in table.column_names or name == "task":
            recorded = _tasks(table) if name == "task" else _recorded(table, name, kind)
            values[name] = [r if v is None else v for v, r in zip(values[name], recorded)]
    values["weight"] = [1.0 if weight is None else float(weight) for weight in values["weight"]]
    return {name: pa.array(values[name], kind) for name, kind in _LABEL_KINDS.items()}


def _tasks(table: pa.Table) -> list[str | None]:
    if "tasks" not in table.column_names:
        return [None] * table.num_rows
    column = table["tasks"].combine_chunks()
    if isinstance(column, pa.ListArray) and not column.null_count:
        # The words alone, then one of them an episode: far cheaper than a list an episode.
        begins = column.offsets.to_pylist()
        words = column.values.slice(0, begins[-1]).to_pylist()
        return [words[a] if b > a else None for a, b in pairwise(begins)]
    return [words[0] if isinstance(words, list) and words else None for words in table["tasks"].to_pylist()]


def _recorded(table: pa.Table, name: str, kind: pa.DataType) -> list[Any]:
    try:
        return table[name].cast(kind).to_pylist()
    except (pa.ArrowException, ValueError):  # a stranger's column of that name, of another kind
        return [None] * table.num_rows


def _scores(dataset: Dataset, asked: Any) -> dict[str, pa.Array]:
    """Return each check's scores, float64, (n_episodes,); of those not asked for only NULL."""
    path = dataset.root / "curation" / "scores.parquet"
    if not path.exists():
        return {}
    kinds = tables.read_schema(path)
    value = next((n for n in ("score",) if n in kinds.names), None)
    value = value or next((f.name for f in kinds if pa.types.is_floating(f.type)), None)
    if value is None or not {"episode_index", "check"} <= set(kinds.names):
        return {}
    n = dataset.num_episodes
    check = tables.read_parquet(path, ["check"], ["check"])["check"].unify_dictionaries().combine_chunks()
    names = [str(name) for name in check.dictionary.to_pylist()]
    if not any(map(asked, names)):
        return {name: pa.nulls(n, pa.float64()) for name in names}
    read = tables.read_parquet(path, ["episode_index", value])
    of_row = read["episode_index"].to_numpy()
    scores = read[value].to_numpy().astype(np.float64)
    rows = _rows_of(check.indices.to_numpy(zero_copy_only=False), len(names))
    found: dict[str, pa.Array] = {}
    for name, mine in zip(names, rows):
        if not asked(name):
            found[name] = pa.nulls(n, pa.float64())
            continue
        column, at = np.full(n, np.nan), of_row[mine]
        inside = (at >= 0) & (at < n)
        column[at[inside]] = scores[mine][inside]
        found[name] = pa.array(column, from_pandas=True)
    return found


def _rows_of(code: np.ndarray, n_codes: int) -> list[slice | np.ndarray]:
    """Return where each code stands in a column of codes: a slice of rows that lie together, as scoring writes them."""
    begins = np.flatnonzero(np.diff(code, prepend=-1)).tolist()
    if len(begins) <= n_codes:
        ends = dict(zip(code[begins].tolist(), pairwise([*begins, len(code)])))
        if len(ends) == len(begins):
            return [slice(*ends.get(number, (0, 0))) for number in range(n_codes)]
    return [np.flatnonzero(code == number) for number in range(n_codes)]


def _counts(dataset: Dataset, asked: Any) -> dict[str, pa.Array]:
    folder, n = dataset.root / "curation", dataset.num_episodes
    path = folder / "findings.parquet"
    if not path.exists() and not (folder / "scores.parquet").exists():
        return {}
    severities = {"faults": "fault", "warnings": "warn"}
    if not path.exists():
        return {name: pa.array(np.zeros(n, np.int64)) for name in severities}
    if not any(map(asked, severities)):
        return {name: pa.nulls(n, pa.int64()) for name in severities}
    read = tables.read_parquet(path, ["episode_index", "severity"])
    of_row = read["episode_index"].to_numpy()
    severity = read["severity"].to_numpy(zero_copy_only=False)
    inside = (of_row >= 0) & (of_row < n)
    return {
        name: pa.array(np.bincount(of_row[inside & (severity == word)], minlength=n).astype(np.int64))
        for name, word in severities.items()
    }


def _frames(dataset: Dataset) -> Any:
    import pyarrow.dataset as pa_dataset

    files = list(dict.fromkeys(dataset.data_files))
    cameras = set(schema.camera_keys(dataset.features))
    fields = [f for f in tables.read_schema(files[0]).remove_metadata() if f.name not in cameras]
    plain = [f for f in fields if not _holds_json(f.type)]
    return pa_dataset.dataset([str(path) for path in files], schema=pa.schema(plain), format="parquet")


def _holds_json(kind: pa.DataType) -> bool:
    """Whether a type has parts that DuckDB does not take from Arrow."""
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_null(kind):
        return True
    return any(_holds_json(kind.field(k).type) for k in range(kind.num_fields))


def _history(dataset: Dataset) -> pa.Table:
    rows = [
        {
            "episode_index": line["episode"],
            "said_at": time_of(line).astimezone(UTC).replace(tzinfo=None),
            "author": str(line.get("author", "")),
            "field": str(line["field"]),
            "value": _as_text(line.get("value")),
            "undone": line["undone"],
            "id": line["id"],
        }
        for line in Labels(dataset.root).history()
        if "episode" in line and "field" in line
    ]
    kinds = [("episode_index", pa.int64()), ("said_at", pa.timestamp("us")), ("author", pa.string())]
    kinds += [("field", pa.string()), ("value", pa.string()), ("undone", pa.bool_()), ("id", pa.string())]
    return pa.Table.from_pylist(rows, pa.schema(kinds))


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
