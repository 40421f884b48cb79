"""The episode table, its labels and scores as rows, chosen by an SQL condition; or whatever a SELECT asks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.sealed import is_statement
from collector.dataset.select import episode_rows, query
from collector.dataset.tables import highest
from collector.errors import UsageError

SHOWN = (
    "episode_index",
    "length",
    "duration_s",
    "success",
    "verdict",
    "rating",
    "tags",
    "faults",
    "warnings",
    "seed",
    "task",
    "note",
)
"""Columns shown without `--columns`, as far as the dataset has them and they say anything."""
_ONLY_IF_SET = ("rating", "tags")


def never_scored(dataset: Dataset) -> int:
    """Return how many episodes were added since the checks ran; 0 where they never ran.

    Raises:
        DataError: If the scores are damaged.
    """
    path = dataset.root / "curation" / "scores.parquet"
    if not path.exists():
        return 0
    # A scoring has a row of every episode that there was: the highest number tells how many those were.
    last = highest(path, "episode_index")
    return max(0, dataset.num_episodes - 1 - last)


def query_episodes(
    dataset: Dataset, condition: str | None = None, columns: Sequence[str] | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the chosen episodes' rows, ordered by index.

    Args:
        dataset: The dataset.
        condition: SQL condition over the view of `collector.dataset.select`; None chooses all.
        columns: Columns of the view; None takes the usual ones.

    Returns:
        Column names and one tuple an episode.

    Raises:
        UsageError: If the condition is not SQL or matches nothing, or a column does not exist.
    """
    wanted = {name.lower() for name in (SHOWN if columns is None else columns)}
    table = episode_rows(dataset, condition, wanted)
    known = table.column_names
    names = [name for name in SHOWN if name in known] if columns is None else list(columns)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"unknown column '{unknown[0]}' (columns: {', '.join(known)})")
    if not names:
        raise UsageError(f"no column was named (columns: {', '.join(known)})")
    if columns is None:
        names = [n for n in names if n not in _ONLY_IF_SET or table[n].null_count < table.num_rows]
    return names, list(zip(*(table[name].to_pylist() for name in names)))


def save_selection(dataset: Dataset, name: str, sql: str, author: str) -> int:
    """Save a condition, or a SELECT with the column `episode_index`, with the dataset; return how many it chooses now.

    It may choose none as yet. Wherever a condition is taken, `@name` stands for it.

    Raises:
        UsageError: If the name is none, or the SQL is wrong.
        OSError: If the disk refuses.
    """
    text = Selections(dataset.root).expand(sql)
    counted = text if is_statement(sql) else f"SELECT episode_index FROM episodes WHERE ({text}\n)"
    rows = query(dataset, f"SELECT count(DISTINCT episode_index) FROM ({counted}\n)")[1]
    if not is_statement(sql) and not rows[0][0]:
        # As a bare condition it must be an expression, too.
        query(dataset, f"SELECT ({text}\n) FROM episodes LIMIT 1")
    Selections(dataset.root).save(name, sql, author)
    return int(rows[0][0])


def as_csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as comma-separated values with a head line; NULL is empty, lists are their elements with `;`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_csv_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ";".join(str(_csv_cell(part)) for part in value)
    return value
