"""The episode table, its labels and scores as rows, chosen by an SQL condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view, select_episodes
from collector.dataset.tables import read_parquet
from collector.errors import UsageError

SHOWN = (
    "episode_index",
    "length",
    "duration_s",
    "success",
    "verdict",
    "faults",
    "warnings",
    "seed",
    "task",
    "note",
)
"""Columns shown without `--columns`, as far as the dataset has them."""


def never_scored(dataset: Dataset) -> int:
    """Return how many episodes were added since the checks ran; 0 where they never ran.

    Raises:
        DataError: If the scores are damaged.
    """
    path = dataset.root / "curation" / "scores.parquet"
    if not path.exists():
        return 0
    scored = read_parquet(path, ["episode_index"])["episode_index"].unique()
    return dataset.num_episodes - len(scored)


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
    chosen = select_episodes(dataset, condition)
    connection = episode_view(dataset)
    try:
        known = [row[0] for row in connection.execute("DESCRIBE episodes").fetchall()]
        names = [name for name in SHOWN if name in known] if columns is None else list(columns)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"unknown column '{unknown[0]}' (columns: {', '.join(known)})")
        if not names:
            raise UsageError(f"no column was named (columns: {', '.join(known)})")
        quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        rows = connection.execute(
            f"SELECT {quoted} FROM episodes WHERE episode_index IN (SELECT unnest(?)) ORDER BY episode_index",
            [chosen],
        ).fetchall()
    finally:
        connection.close()
    return names, rows
