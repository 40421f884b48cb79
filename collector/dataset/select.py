"""Choose episodes, and ask anything else of a dataset, by SQL over its episodes, frames, labels and scores (DuckDB)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.sealed import is_statement, reason_of, run_select, sealed_connection
from collector.dataset.views import VIEWS, view
from collector.errors import UsageError, shown

if TYPE_CHECKING:
    import duckdb


class NothingMatches(UsageError):
    """A condition is well formed, and true of no episode."""


def episode_view(dataset: Dataset, sql: str | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database with the view `episodes`, one row an episode; it can reach no file.

    Args:
        sql: What will be asked: the views that it names are there too (see `views`), and of `episodes` only the
            columns that it names need hold anything. None: all columns of `episodes`.

    Raises:
        DataError: If labels or scores are damaged.
    """
    return sealed_connection(_tables(dataset, sql))


def _tables(dataset: Dataset, sql: str | None, also: Collection[str] = ()) -> dict[str, Any]:
    """Return the views that SQL names, by name; of `episodes` those columns filled that it or `also` names."""
    words = None if sql is None else {word.lower() for word in re.findall(r"\w+", sql)}
    # Where rows are taken whole, nothing tells which columns matter.
    whole = (
        words is None
        or bool(words & {"select", "from", "columns", "summarize", *VIEWS})
        or "*" in (sql or "")
    )
    named = {name: view(dataset, name) for name in VIEWS[1:] if words and name in words}
    wanted = None if whole else {*(words or ()), *also}
    return {"episodes": view(dataset, "episodes", wanted), **named}


def episode_rows(dataset: Dataset, sql_condition: str | None, wanted: Collection[str] | None) -> pa.Table:
    """Return the rows of the view `episodes` for which a condition is true, ascending; None gives all.

    Args:
        wanted: Columns that matter, in small letters; the others may hold NULL. None for all.

    Raises:
        As `select_episodes`.
    """
    if sql_condition is None:
        return view(dataset, "episodes", wanted)
    if wanted is None or is_statement(sql_condition):
        table, chosen = view(dataset, "episodes", wanted), select_episodes(dataset, sql_condition)
    else:
        text = Selections(dataset.root).expand(sql_condition)
        there = _tables(dataset, text, wanted)
        table, chosen = there["episodes"], _chosen(dataset, sql_condition, there)
    return table.take(pa.array(chosen, pa.int64()))


def select_episodes(dataset: Dataset, sql_condition: str | None) -> list[int]:
    """Return the episodes for which an SQL expression over `episodes` is true, ascending; None gives all.

    The condition may name saved selections (`@good and length > 100`) or be a whole SELECT with the column
    `episode_index`.

    Raises:
        UsageError: If the condition is no expression, names an unknown column, or matches nothing.
        DataError: If labels or scores are damaged.
    """
    if sql_condition is None:
        return list(range(dataset.num_episodes))
    if is_statement(sql_condition):
        names, rows = query(dataset, sql_condition)
        if "episode_index" not in names:
            raise UsageError(
                f"'{shown(sql_condition)}' chooses no episodes: a SELECT must have the column episode_index here, "
                f"it has {', '.join(names)}"
            )
        at = names.index("episode_index")
        chosen = {row[at] for row in rows if type(row[at]) is int}
        if found := sorted(e for e in chosen if 0 <= e < dataset.num_episodes):
            return found
        raise NothingMatches(
            f"'{shown(sql_condition)}' matches none of {dataset.num_episodes} episodes (it has no row)"
        )
    return _chosen(dataset, sql_condition)


def _chosen(dataset: Dataset, condition: str, there: Mapping[str, Any] | None = None) -> list[int]:
    rows, columns = _rows(dataset, "SELECT episode_index FROM episodes WHERE ({})", condition, there)
    if not rows:
        raise NothingMatches(f"'{condition}' matches none of {dataset.num_episodes} episodes ({columns})")
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


def frame_values(dataset: Dataset, sql_expression: str) -> list[Any]:
    """Return the value of an SQL expression over `frames` for each frame, by episode and frame.

    Window functions see the frames of other episodes unless they say PARTITION BY episode_index.

    Raises:
        UsageError: If it is no expression or names an unknown column.
        DataError: If the dataset is damaged.
    """
    text = Selections(dataset.root).expand(sql_expression)
    query_text = f"SELECT ({text}\n) AS value FROM frames ORDER BY episode_index, frame_index"
    with episode_view(dataset, query_text) as connection:
        columns = _described(connection, "frames")
        _check_expression(text, columns, "frames")
        _, rows = run_select(connection, query_text, columns, most_rows=10**9)
    if len(rows) != dataset.num_frames:
        raise UsageError(f"'{shown(sql_expression)}' has no value for each frame ({columns})")
    return [row[0] for row in rows]


def query(dataset: Dataset, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return what one SELECT over the dataset's views gives: the columns' names, and the rows.

    Raises:
        UsageError: If it is no SELECT of the views (see `sealed`), or gives too much.
        DataError: If a file behind a view is damaged.
    """
    text = Selections(dataset.root).expand(sql)
    with episode_view(dataset, text) as connection:
        return run_select(connection, text, f"tables: {', '.join(VIEWS)}")


def _described(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    known = [row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()]
    return f"columns: {', '.join(known)}"


def _rows(
    dataset: Dataset, frame: str, expression: str, there: Mapping[str, Any] | None = None
) -> tuple[list[tuple[Any, ...]], str]:
    """Return what a query with an expression put into it gives, in the order of episodes, and the columns in words."""
    import duckdb

    text = Selections(dataset.root).expand(expression)
    with sealed_connection(_tables(dataset, text) if there is None else there) as connection:
        columns = _described(connection, "episodes")
        _check_expression(text, columns, "episodes")
        # The newline ends a trailing comment, which would otherwise swallow the bracket.
        asked = frame.format(f"{text}\n") + " ORDER BY episode_index"
        try:
            return run_select(connection, asked, columns, most_rows=10**9)[1], columns
        except UsageError as error:
            cause = error.__cause__
            if not isinstance(cause, duckdb.Error):
                raise
            raise UsageError(
                f"'{shown(expression)}' is no condition on episodes: {reason_of(cause)} ({columns})"
            ) from cause


def _check_expression(condition: str, columns: str, of: str) -> None:
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
        f"'{shown(condition)}' is no condition on {of}: write one SQL expression, without ';' and with matching "
        f"brackets ({columns})"
    )


def _tokens(text: str) -> list[tuple[str, Any]]:
    import duckdb

    marks = duckdb.tokenize(text)
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [(text[start:end], kind) for (start, kind), end in zip(marks, ends)]
