"""The files of a v3.0 dataset that are not frames: `info.json`, the task table and the episode table."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import trust
from collector.dataset.parquet_salvage import has_footer
from collector.dataset.schema import to_numpy
from collector.errors import DataError

INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
_FILES_AT_ONCE = 32
CONVERTER = "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=<owner/name>"


def read_info(root: Path) -> dict[str, Any]:
    """Return `meta/info.json`, with shapes as tuples.

    Raises:
        DataError: If there is no dataset of version v3.x at `root`.
    """
    if not root.is_dir():
        raise DataError(f"no dataset at {root}: the folder does not exist, so check the name or record one")
    try:
        info = json.loads((root / INFO).read_text(encoding="utf-8"))
        version, features = str(info["codebase_version"]), info["features"]
    except FileNotFoundError:
        raise DataError(f"{root} is no LeRobot dataset: it has no {INFO}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{root / INFO} is damaged ({error}): restore it or pull the dataset again"
        ) from error
    if not version.startswith("v3."):
        how = f": convert it with '{CONVERTER}'" if version.startswith("v2.") else ""
        raise DataError(f"{root} has version {version}, and v3.0 is needed{how}")
    trust.check_info(root / INFO, info)
    for feature in features.values():
        feature["shape"] = tuple(feature["shape"])
    return info


def info_to_json(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `info.json` holds, shapes as lists."""
    features = {name: {**f, "shape": list(f["shape"])} for name, f in info["features"].items()}
    return {**info, "features": features}


def read_parquet(
    path: Path,
    columns: Sequence[str] | None = None,
    as_dictionary: Sequence[str] = (),
    episodes: Sequence[int] | None = None,
) -> pa.Table:
    """Read one parquet file, or some of its columns.

    Args:
        as_dictionary: Columns of text to read as Arrow dictionaries: quick where few words come often.
        episodes: Row groups that by the file's own notes hold none of these are left out; None reads all rows.

    Raises:
        DataError: If it is missing or half-written.
    """
    with _damage(path):
        file = pq.ParquetFile(path, read_dictionary=list(as_dictionary))
        groups = None if episodes is None else _groups_with(file, episodes)
        if groups is None:
            return file.read(columns=columns)
        return file.read_row_groups(groups, columns=columns)


def _groups_with(file: pq.ParquetFile, episodes: Sequence[int]) -> list[int] | None:
    """Return the row groups that may hold some of the episodes; None where most may, or the file has no notes."""
    bounds = _bounds(file, "episode_index")
    if bounds is None:
        return None
    wanted = np.sort(np.asarray(episodes))
    holds = np.searchsorted(wanted, bounds[:, 0], "left") < np.searchsorted(wanted, bounds[:, 1], "right")
    return np.flatnonzero(holds).tolist() if holds.mean() < 0.5 else None


def _bounds(file: pq.ParquetFile, column: str) -> np.ndarray | None:
    """Return lowest and highest value of a whole-number column, int64, (n_groups, 2), where all groups note them."""
    if column not in file.schema.names or not file.metadata.num_row_groups:
        return None
    at = file.schema.names.index(column)
    notes = [file.metadata.row_group(k).column(at).statistics for k in range(file.metadata.num_row_groups)]
    ends = [(note.min, note.max) for note in notes if note is not None and note.has_min_max]
    if len(ends) < len(notes) or not all(type(end) is int for pair in ends for end in pair):
        return None
    return np.array(ends)


def highest(path: Path, column: str) -> int:
    """Return the highest value of a column of whole numbers, -1 of an empty one; by the file's own notes if it has any.

    Raises:
        DataError: If the file is missing, half-written or has no such column.
    """
    with _damage(path):
        file = pq.ParquetFile(path)
        if column not in file.schema.names:
            raise DataError(f"{path} has no column '{column}': restore it")
        if (bounds := _bounds(file, column)) is not None:
            return int(bounds[:, 1].max())
        values = to_numpy(file.read(columns=[column])[column])
        return int(values.max()) if len(values) else -1


def read_schema(path: Path) -> pa.Schema:
    """Return a parquet file's columns. Raises as `read_parquet`."""
    with _damage(path):
        return pq.read_schema(path)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} is missing: restore it, or pull the dataset again") from None
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        root = next((folder for folder in path.parents if (folder / INFO).exists()), None)
        # lerobot keeps its files open while it records: killed, it leaves them without their end.
        how = f"run 'demodeck recover {root}'" if root and not has_footer(path) else "restore it"
        raise DataError(
            f"{path} is half-written or damaged ({reason}): {how}, or pull the dataset again"
        ) from error


def read_tasks(root: Path) -> list[str]:
    """Return the tasks in words, by task index; none where the table is absent.

    Raises:
        DataError: If the table is damaged.
    """
    if not (root / TASKS).exists():
        return []
    table = read_parquet(root / TASKS)
    # pandas stores a nameless index under this name.
    text = next((name for name in ("task", "__index_level_0__") if name in table.column_names), None)
    if text is None or "task_index" not in table.column_names:
        raise DataError(f"{root / TASKS} has no columns 'task' and 'task_index': restore it")
    rows = sorted(zip(table["task_index"].to_pylist(), table[text].to_pylist(), strict=True))
    return [task for _, task in rows]


def tasks_file(tasks: Sequence[str]) -> bytes:
    """Return `tasks.parquet`: a pandas frame with the index `task`, as lerobot reads it with `iloc`."""
    kinds = {"task_index": ("int64", pa.int64()), "task": ("unicode", pa.string())}
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [
            {
                "name": None,
                "field_name": None,
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": {"encoding": "UTF-8"},
            }
        ],
        "columns": [
            {
                "name": name,
                "field_name": name,
                "pandas_type": kind,
                "numpy_type": "int64" if kind == "int64" else "object",
                "metadata": None,
            }
            for name, (kind, _) in kinds.items()
        ],
        "attributes": {},
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    fields = pa.schema([(name, kind) for name, (_, kind) in kinds.items()], {"pandas": json.dumps(pandas)})
    return parquet_bytes(pa.table({"task_index": range(len(tasks)), "task": list(tasks)}, schema=fields))


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as the bytes of a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy", use_dictionary=True)
    return buffer.getvalue()


def episode_files(root: Path) -> list[Path]:
    """Return the files of the episode table, in lerobot's order."""
    return sorted((root / "meta" / "episodes").glob("*/*.parquet"))


def read_episodes(root: Path, with_stats: bool = False) -> pa.Table:
    """Return the episode table in the order of `episode_index`, with the columns of its first file, as lerobot has it.

    Args:
        with_stats: Whether to read the columns `stats/...` too.

    Raises:
        DataError: If a file of it is damaged.
    """
    files = episode_files(root)
    names: list[str] | None = None
    if files and not with_stats:
        names = [name for name in read_schema(files[0]).names if not name.startswith("stats/")]
    if not files:
        return pa.table({"episode_index": pa.array([], pa.int64())})
    # Before a session's files are merged there is one an episode, each of hundreds of columns: far more memory in
    # pieces than in one.
    table = pa.table({})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for at in range(0, len(files), _FILES_AT_ONCE):
            read = pool.map(lambda path: read_parquet(path, names), files[at : at + _FILES_AT_ONCE])
            parts = [part.replace_schema_metadata(None) for part in read]
            parts = [table, *parts] if at else parts
            try:
                table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
            except pa.ArrowException as error:
                reason = " ".join(str(error).split())[:120]
                raise DataError(
                    f"{root / 'meta' / 'episodes'}: its files do not fit together ({reason}): restore them"
                ) from error
    if "episode_index" not in table.column_names:
        raise DataError(f"{root / 'meta' / 'episodes'} has no column 'episode_index': restore it")
    return table if _rises(table["episode_index"]) else table.sort_by("episode_index")


def _rises(column: pa.ChunkedArray) -> bool:
    """Whether a column of whole numbers is in ascending order, as nearly every table is: sorting copies all of it."""
    if not pa.types.is_integer(column.type) or column.null_count:
        return False
    values = to_numpy(column)
    return bool((values[1:] >= values[:-1]).all())


def place(ordinal: int, chunk_size: int) -> tuple[int, int]:
    """Return chunk and file index of the n-th file of a kind."""
    return divmod(ordinal, chunk_size)


def with_columns(
    table: pa.Table, columns: Mapping[str, Iterable[Any]], kinds: Mapping[str, pa.DataType]
) -> pa.Table:
    """Return the table with columns set, in place where they exist, else at the end."""
    for name, values in columns.items():
        array = pa.array(values, kinds.get(name))
        at = table.schema.get_field_index(name)
        table = table.append_column(name, array) if at < 0 else table.set_column(at, name, array)
    return table


def next_ordinals(root: Path, info: Mapping[str, Any], kinds: Iterable[str]) -> dict[str, int]:
    """Return the number of the next file of each kind (`data`, `videos/<camera>`, `meta/episodes`).

    It is past every file that lies there, so that nothing is ever overwritten and lerobot's order by name holds.
    """
    result = {}
    for kind in kinds:
        files = [*(root / kind).glob("chunk-*/file-*")]
        taken = [(int(f.parent.name[6:]), int(f.stem[5:])) for f in files if f.stem[5:].isdigit()]
        result[kind] = max((c * info["chunks_size"] + f + 1 for c, f in taken), default=0)
    return result
