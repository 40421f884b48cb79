"""A DuckDB in memory that can reach nothing but the tables it was given: what it runs may be a stranger's SQL.

It has no file, no network, no extension to load, no Python variable and no setting to change, and may use so much
memory; and it runs one SELECT, of those tables and no table function but `unnest`, `range` and `generate_series`.
Ctrl-C ends it.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError, shown

if TYPE_CHECKING:
    import duckdb

MEMORY_MB = 2000
MOST_ROWS = 1_000_000
_SEALED = [
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    f"SET memory_limit = '{MEMORY_MB}MB'",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
]
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
# They read or write settings, logs or the machine, or run text as SQL.
_NO_FUNCTIONS = re.compile(
    r"current_setting|getenv|getvariable|set_config|write_log|nextval|currval|json_execute.*|pragma.*|duckdb_.*|"
    r"read_.*|.*_scan|query|query_table|glob|sniff_.*|parse_duckdb_log.*|version|current_(database|schema|user|role|"
    r"catalog)|in_search_path|txid_.*|pg_.*"
)
_STATEMENT = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(select|with|from|values|table|describe|summarize|show|pivot|unpivot)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_statement(sql: str) -> bool:
    """Whether a text is a whole query (`SELECT ...`) and not a bare condition."""
    return _STATEMENT.match(sql) is not None


def sealed_connection(tables: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Return a database with Arrow tables or datasets as views, by name, and no way to anything else."""
    import duckdb

    connection = duckdb.connect(":memory:")
    for name, table in tables.items():
        connection.register(name, table)
    for setting in _SEALED:
        connection.execute(setting)
    return connection


def run_select(
    connection: duckdb.DuckDBPyConnection, sql: str, known: str, most_rows: int = MOST_ROWS
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT; return the columns' names and the rows.

    Args:
        known: What there is to ask for, in words, for messages.

    Raises:
        UsageError: If it is no single SELECT of the views, asks for what it may not, is wrong, needs more memory
            than there is for it, or gives more rows than `most_rows`.
    """
    import duckdb

    check_select(connection, sql, known)
    asked = sql
    try:
        with _bounded_memory():
            if not re.match(r"\s*(describe|summarize|show)\b", sql, re.IGNORECASE):
                # One more than may come: a query without end stops there.
                asked = f"SELECT * FROM ({sql.rstrip().rstrip(';')}\n) LIMIT {most_rows + 1}"
            names, rows = _interruptible(connection, asked)
    except (duckdb.OutOfMemoryException, MemoryError):
        raise UsageError(
            f"'{shown(sql)}' needs more than {MEMORY_MB} MB of memory: narrow it, or add a LIMIT"
        ) from None
    except duckdb.Error as error:
        raise UsageError(f"'{shown(sql)}' cannot be answered: {reason_of(error)} ({known})") from error
    if len(rows) > most_rows:
        raise UsageError(f"'{shown(sql)}' gives more than {most_rows} rows: add a LIMIT, or sum them up")
    return names, rows


def _interruptible(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run SQL so that Ctrl-C ends it: within DuckDB, Python hears no signal until all is done."""
    result: dict[str, Any] = {}
    done = threading.Event()  # a join that Ctrl-C ends takes the thread for dead (Python 3.12)

    def work() -> None:
        try:
            cursor = connection.execute(sql)
            result["names"], result["rows"] = [column[0] for column in cursor.description], cursor.fetchall()
        except BaseException as error:  # raised again in the caller's thread
            result["error"] = error
        finally:
            done.set()

    threading.Thread(target=work, daemon=True, name="query").start()
    try:
        while not done.wait(1.0):
            pass
    except KeyboardInterrupt:
        connection.interrupt()
        done.wait(60.0)
        raise
    if "error" in result:
        raise result["error"]
    return result["names"], result["rows"]


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Bound the memory that may be taken from here on: DuckDB's own limit does not count long texts and lists."""
    try:
        import resource

        status = Path("/proc/self/status").read_text()
        used = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmData"))
    except (ImportError, OSError, StopIteration):  # not Linux: DuckDB's own limit must do
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = used + (2 * MEMORY_MB << 20)
    allowed = [most, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(allowed), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def check_select(connection: duckdb.DuckDBPyConnection, sql: str, known: str) -> None:
    """Refuse all but one SELECT over the database's views.

    Raises:
        UsageError: Saying what is allowed.
    """
    import duckdb

    try:
        row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except (duckdb.Error, ValueError, RecursionError) as error:
        raise UsageError(f"'{shown(sql)}' is no SQL that can be run: {reason_of(error)} ({known})") from error
    if tree.get("error"):
        reason = str(tree.get("error_message", "it cannot be read")).strip().splitlines()[0]
        raise UsageError(f"'{shown(sql)}' is no SELECT: {reason} ({known})")
    if len(tree["statements"]) != 1:
        raise UsageError(f"'{shown(sql)}' is several statements: write one, without ';' ({known})")
    nodes = list(_nodes(tree))
    here = {
        row[0].lower()
        for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    }
    here |= {str(e["key"]).lower() for n in nodes for e in (n.get("cte_map") or {}).get("map", [])}
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE" or (kind == "SHOW_REF" and node.get("table_name")):
            name = str(node.get("table_name", ""))
            if name.strip('"').lower() not in here or node.get("schema_name") or node.get("catalog_name"):
                raise UsageError(f"'{shown(sql)}': there is no table '{shown(name)}' here ({known})")
        elif kind == "TABLE_FUNCTION" or node.get("class") == "FUNCTION":
            call = node["function"] if kind == "TABLE_FUNCTION" else node
            name = str(call.get("function_name", "")).lower()
            plain = (
                name in _TABLE_FUNCTIONS if kind == "TABLE_FUNCTION" else not _NO_FUNCTIONS.fullmatch(name)
            )
            if name and not plain:
                raise UsageError(
                    f"'{shown(sql)}': the function '{shown(name)}' may not be used in a query, which reaches "
                    f"nothing but the dataset's own tables ({known})"
                )


def reason_of(error: BaseException) -> str:
    """Return the first line of what DuckDB says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a parsed query."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
