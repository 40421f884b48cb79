"""Choose episodes by SQL over the episode table, the labels and the scores (DuckDB)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.dataset import tables
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.errors import UsageError

if TYPE_CHECKING:
    import duckdb

# After the tables are loaded: no file, no network, no extension, no Python variable, and no way back.
_SEALED = [
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
]


def episode_view(dataset: Dataset) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database with the view `episodes`, one row an episode; it can reach no file.

    Columns: those of the episode table (without statistics), where `success` is the label if set, else what was
    recorded; `duration_s`; `verdict` and `note` from the labels and `task` (label, else recorded; both may be
    NULL); the score of each check by its name, `faults` and `warnings` (counts; NULL where never scored).

    Raises:
        DataError: If labels or scores are damaged.
    """
    import duckdb

    table = _labelled(dataset)
    scores = dataset.root / "curation" / "scores.parquet"
    if scores.exists():
        table = _join(table, _scores(tables.read_parquet(scores)))
    findings = dataset.root / "curation" / "findings.parquet"
    if findings.exists() or scores.exists():
        counted = tables.read_parquet(findings) if findings.exists() else None
        table = _join(table, _counts(counted, dataset.num_episodes))
    connection = duckdb.connect(":memory:")
    connection.register("loaded", table)
    connection.execute("CREATE TABLE stored AS SELECT * FROM loaded")
    connection.unregister("loaded")
    connection.execute("CREATE VIEW episodes AS SELECT * FROM stored ORDER BY episode_index")
    for setting in _SEALED:
        connection.execute(setting)
    return connection


def select_episodes(dataset: Dataset, sql_condition: str | None) -> list[int]:
    """Return the episodes for which an SQL expression over `episodes` is true, ascending; None gives all.

    Raises:
        UsageError: If the condition is no expression, names an unknown column, or matches nothing.
        DataError: If labels or scores are damaged.
    """
    if sql_condition is None:
        return list(range(dataset.num_episodes))
    rows, columns = _rows(dataset, "SELECT episode_index FROM episodes WHERE ({})", sql_condition)
    if not rows:
        raise UsageError(f"'{sql_condition}' matches none of {dataset.num_episodes} episodes ({columns})")
    return [int(row[0]) for row in rows]


def episode_values(dataset: Dataset, sql_expression: str) -> list[Any]:
    """Return the value of an SQL expression over `episodes` for each episode, in order.

    Raises:
        UsageError: If it is no expression or names an unknown column.
        DataError: If labels or scores are damaged.
    """
    rows, columns = _rows(dataset, "SELECT ({}) FROM episodes", sql_expression)
    if len(rows) != dataset.num_episodes:
        raise UsageError(f"'{sql_expression}' has no value for each episode ({columns})")
    return [row[0] for row in rows]


def _rows(dataset: Dataset, query: str, expression: str) -> tuple[list[tuple[Any, ...]], str]:
    """Return what a query with an expression put into it gives, in the order of episodes, and the columns in words."""
    import duckdb

    with episode_view(dataset) as connection:
        known = [row[0] for row in connection.execute("DESCRIBE episodes").fetchall()]
        columns = f"columns: {', '.join(known)}"
        _check_expression(expression, columns)
        # The newline ends a trailing comment, which would otherwise swallow the bracket.
        asked = query.format(f"{expression}\n") + " ORDER BY episode_index"
        try:
            return connection.execute(asked).fetchall(), columns
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(f"'{expression}' is no condition on episodes: {reason} ({columns})") from error


def _check_expression(condition: str, columns: str) -> None:
    """Refuse what could end the expression and begin another statement or clause."""
    import duckdb

    depth = 0
    for token, kind in _tokens(condition):
        if kind == duckdb.token_type.operator:
            depth += token.count("(") - token.count(")")
            if depth < 0 or ";" in token:
                break
    else:
        if depth == 0 and condition.strip():
            return
    raise UsageError(
        f"'{condition}' is no condition on episodes: write one SQL expression, without ';' and with matching "
        f"brackets ({columns})"
    )


def _tokens(text: str) -> list[tuple[str, Any]]:
    import duckdb

    marks = duckdb.tokenize(text)
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [(text[start:end], kind) for (start, kind), end in zip(marks, ends)]


def _labelled(dataset: Dataset) -> pa.Table:
    table, n = dataset.episodes, dataset.num_episodes
    labels = Labels(dataset.root).current()
    of = [labels.get(episode, {}) for episode in range(n)]
    recorded = table["success"].to_pylist() if "success" in table.column_names else [None] * n
    success = [label.get("success", value) for label, value in zip(of, recorded)]
    tasks = table["tasks"].to_pylist() if "tasks" in table.column_names else [None] * n
    task = [label.get("task", (words or [None])[0]) for label, words in zip(of, tasks)]
    added = {
        "duration_s": [length / dataset.fps for length in dataset.lengths().tolist()],
        "success": success,
        "verdict": [label.get("verdict") for label in of],
        "note": [label.get("note") for label in of],
        "task": task,
    }
    text = pa.string()
    kinds = {"success": pa.bool_(), "verdict": text, "note": text, "task": text, "duration_s": pa.float64()}
    return tables.with_columns(table, added, kinds)


def _scores(scores: pa.Table) -> dict[int, dict[str, float | None]]:
    """Return each check's score by episode: the column `score`, else the first that holds decimal numbers."""
    decimal = [f.name for f in scores.schema if pa.types.is_floating(f.type)]
    value = "score" if "score" in scores.column_names else (decimal or [None])[0]
    result: dict[int, dict[str, float | None]] = {}
    if value is not None:
        for row in scores.select(["episode_index", "check", value]).to_pylist():
            result.setdefault(row["episode_index"], {})[row["check"]] = row[value]
    return result


def _counts(findings: pa.Table | None, n_episodes: int) -> dict[int, dict[str, float | None]]:
    result: dict[int, dict[str, float | None]] = {e: {"faults": 0, "warnings": 0} for e in range(n_episodes)}
    names = {"fault": "faults", "warn": "warnings"}
    rows = findings.select(["episode_index", "severity"]).to_pylist() if findings is not None else []
    for row in rows:
        counts = result.get(row["episode_index"])
        if counts is not None and row["severity"] in names:
            counts[names[row["severity"]]] = (counts[names[row["severity"]]] or 0) + 1
    return result


def _join(table: pa.Table, values: dict[int, dict[str, float | None]]) -> pa.Table:
    names = dict.fromkeys(name for row in values.values() for name in row)
    episodes = table["episode_index"].to_pylist()
    columns = {name: [values.get(e, {}).get(name) for e in episodes] for name in names}
    # A check may be called like a column of the table: the table's column stays.
    columns = {name: column for name, column in columns.items() if name not in table.column_names}
    kinds = {n: pa.int64() if n in ("faults", "warnings") else pa.float64() for n in columns}
    return tables.with_columns(table, columns, kinds)
