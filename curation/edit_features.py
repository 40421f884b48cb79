"""A column that the dataset lacks: from a file with a row for each frame, or from SQL over the frames."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.dataset.added import FrameValues
from collector.dataset.reader import Dataset
from collector.dataset.select import frame_values
from collector.dataset.spans import Changes
from collector.errors import DataError, UsageError

KINDS = ("float32", "float64", "int64", "bool", "string")


def add_feature(
    dataset: Dataset,
    name: str,
    values: np.ndarray,
    names: list[str] | None = None,
    dtype: str | None = None,
) -> Changes:
    """Return the change that adds a column.

    Args:
        name: The new column's; a name without '/'.
        values: (n_frames,) or (n_frames, dim), by episode and frame.
        names: What the `dim` entries are called.
        dtype: One of `KINDS`; None takes that of the values.

    Raises:
        UsageError: If the name is taken or none, the rows are not as many as the frames, values are missing or do not
            fit the dtype, or the names are not as many as the entries.
    """
    if name in dataset.features or not name.strip() or "/" in name:
        why = "there is one already" if name in dataset.features else "a name is not empty and has no '/'"
        raise UsageError(f"no feature '{name}' can be added: {why}")
    if len(values) != dataset.num_frames:
        raise UsageError(
            f"'{name}' has {len(values)} rows: {dataset.root} has {dataset.num_frames} frames, and each needs one"
        )
    values = values.reshape(len(values), -1)
    kind = dtype or _kind_of(values)
    if kind not in KINDS:
        raise UsageError(f"'{name}' would be {kind}: choose --dtype={'|'.join(KINDS)}")
    values = _converted(name, values, kind)
    if names is not None and len(names) != values.shape[1]:
        raise UsageError(f"'{name}' has {values.shape[1]} entries and {len(names)} names: give one for each")
    feature = {"dtype": kind, "shape": (values.shape[1],), "names": names}
    lengths = dataset.lengths()
    flat = values[:, 0] if values.shape[1] == 1 else values
    return Changes(added={name: FrameValues(feature, flat, np.cumsum(lengths) - lengths)})


def _kind_of(values: np.ndarray) -> str:
    if values.dtype.kind in "iu":
        return "int64"
    return {"b": "bool", "f": "float32" if values.dtype.itemsize <= 4 else "float64"}.get(
        values.dtype.kind, "string"
    )


def _converted(name: str, values: np.ndarray, kind: str) -> np.ndarray:
    if values.dtype == object and any(v is None for v in values.reshape(-1)[:10_000_000]):
        first = int(np.argmax(np.array([any(v is None for v in row) for row in values])))
        raise UsageError(
            f"'{name}' has no value for frame {first} of the set: each frame needs one (try COALESCE)"
        )
    try:
        if kind == "string":
            return values.astype(object)
        converted = values.astype(np.dtype(kind))
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"'{name}' cannot be {kind} ({error}): choose another --dtype") from error
    if kind in ("int64", "bool") and values.dtype.kind == "f" and not np.array_equal(converted, values):
        raise UsageError(f"'{name}' has values that are no {kind}: choose --dtype=float32")
    return converted


def values_from_sql(dataset: Dataset, expression: str) -> np.ndarray:
    """Return an SQL expression's value for each frame, (n_frames,) or (n_frames, dim). Raises as `frame_values`.

    Raises:
        UsageError: Where the lists that it gives differ in length.
    """
    return _array(frame_values(dataset, expression), f"'{expression}'")


def values_from_file(dataset: Dataset, path: Path, column: str | None = None) -> np.ndarray:
    """Return a column of a .npy, .parquet or .csv file, a row for each frame, by episode and frame.

    Rows are in the order of the frames, unless the file has `index`, or `episode_index` and `frame_index`, which then
    say what frame a row is of.

    Args:
        column: Which column; needed only where the file has several.

    Raises:
        DataError: If the file cannot be read.
        UsageError: If it has no such column, or not each frame once.
    """
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".csv":
            from pyarrow import csv

            table = csv.read_csv(path)
        elif path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.ParquetFile(path).read()
        else:
            raise UsageError(f"{path} is no .npy, .parquet or .csv file: give one of these")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read ({' '.join(str(error).split())[:120]}): check the file"
        ) from error
    keys = [k for k in ("index", "episode_index", "frame_index") if k in table.column_names]
    able = [c for c in table.column_names if c not in keys]
    if column is None and len(able) == 1:
        column = able[0]
    if column not in table.column_names:
        what = "it has several columns" if column is None else f"there is no column '{column}'"
        raise UsageError(f"{path}: {what}: choose with --column from {', '.join(able)}")
    values = _array(table[column].to_pylist(), f"{path}, column {column}")
    order = _frames_of(dataset, table)
    if order is None:
        return values
    if len(order) != dataset.num_frames or not np.array_equal(np.sort(order), np.arange(dataset.num_frames)):
        raise UsageError(
            f"{path} does not have each of the {dataset.num_frames} frames once: each needs one row"
        )
    return values[np.argsort(order)]


def _frames_of(dataset: Dataset, table: pa.Table) -> np.ndarray | None:
    if {"episode_index", "frame_index"} <= set(table.column_names):
        lengths = dataset.lengths()
        episode, frame = (
            np.asarray(table[n].to_pylist(), np.int64) for n in ("episode_index", "frame_index")
        )
        inside = (episode >= 0) & (episode < len(lengths))
        starts = np.cumsum(lengths) - lengths
        at = starts[np.where(inside, episode, 0)] + frame
        good = inside & (frame >= 0) & (frame < lengths[np.where(inside, episode, 0)])
        return np.where(good, at, -1)
    return np.asarray(table["index"].to_pylist(), np.int64) if "index" in table.column_names else None


def _array(values: list[Any], what: str) -> np.ndarray:
    if values and isinstance(values[0], (list, tuple)):
        widths = {len(v) if isinstance(v, (list, tuple)) else -1 for v in values}
        if len(widths) != 1:
            raise UsageError(f"{what} gives lists of different length: each frame needs as many values")
    array = np.array(values)
    if array.dtype == object and any(isinstance(v, Decimal) for v in array.reshape(-1)):
        # What SQL calls 0.5 is a decimal number.
        array = np.array([[_float(v) for v in row] for row in array.reshape(len(array), -1)]).reshape(
            array.shape
        )
    return array if array.dtype.kind in "biuf" else np.array(values, object)


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def check_kind(dtype: str | None) -> None:
    """Refuse a dtype that cannot be stored.

    Raises:
        UsageError: Naming those that can.
    """
    if dtype is not None and dtype not in KINDS:
        raise UsageError(f"--dtype is '{dtype}': it is one of {', '.join(KINDS)}")
