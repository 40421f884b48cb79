"""Rows of spans: filtered, renumbered, and what only the rows tell of a new episode (its tasks, its statistics)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import durable, language, schema, stats, tables
from collector.dataset.reader import Dataset, rows_of
from collector.dataset.spans import Changes, Span, sources_of
from collector.errors import DataError, UsageError

_ROW_GROUP = 50_000
CLOCK = "clock.tick"  # what the other clocks of an episode count from


@dataclass
class Rows:
    """What was written.

    Attributes:
        tasks: The new set's tasks, by index.
        tasks_of: Each span's tasks, in their order.
        places: Chunk and file index of each span.
        stats: Statistics of the spans that are a part of an episode, and of `task_index` where it is not constant.
        offsets_s: Time cut away before the span [s]; where the episode has a clock, by that.
        new_stats: Numeric columns that the sources lack: `stats` holds theirs of every span.
    """

    tasks: list[str]
    tasks_of: list[list[str]]
    places: list[tuple[int, int]] = field(default_factory=list)
    stats: dict[int, dict[str, stats.Stats]] = field(default_factory=dict)
    offsets_s: dict[int, float] = field(default_factory=dict)
    new_stats: list[str] = field(default_factory=list)


def copy_rows(root: Path, spans: Sequence[Span], changes: Changes, step: Callable[[], None]) -> Rows:
    """Write the spans' rows into data files of v3.0's usual sizes.

    Args:
        root: The new dataset.
        step: Called after each span.

    Raises:
        DataError: If a data file is missing, damaged or lacks frames, or a task has no words.
        OSError: If the disk refuses.
    """
    info = spans[0].source.info
    chunk_size = info.get("chunks_size", schema.CHUNK_SIZE)
    limit = info.get("data_files_size_in_mb", schema.DATA_FILE_MB) * 2**20
    task_of = _Tasks(spans, changes)
    done = Rows(task_of.words, [task_of.of_span(number) for number in range(len(spans))])
    before = _schema(sources_of(spans), changes)
    kinds = _with_added(before, changes)
    done.new_stats = [name for name in changes.added if _is_numeric(kinds.field(name).type)]
    index = 0
    writer: pq.ParquetWriter | None = None
    path, ordinal = Path(), -1
    table, of_row, loaded = pa.table({}), np.empty(0), Path()
    for block in _blocks(spans):
        source, file = spans[block[0]].source, _file(spans[block[0]])
        if loaded != file:
            table = _renamed(tables.read_parquet(file), changes.new_names(source), source.features)
            table, loaded = _fitted(table, before), file
            of_row = table["episode_index"].to_numpy()
        parts = []
        for number in block:
            span = spans[number]
            parts.append(
                _rows_of_span(table, rows_of(of_row, span.episode, span.length, file), span, changes)
            )
        rows = _renumbered(pa.concat_tables(parts), spans, block, index, task_of, done)
        index += rows.num_rows
        if writer is None:
            ordinal += 1
            chunk, number = tables.place(ordinal, chunk_size)
            path = root / schema.DATA_PATH.format(chunk_index=chunk, file_index=number)
            durable.make_folder(path.parent)
            writer = pq.ParquetWriter(path, kinds, compression="snappy", use_dictionary=True)
        writer.write_table(rows.cast(kinds).combine_chunks())
        done.places += [tables.place(ordinal, chunk_size)] * len(block)
        if block[-1] == len(spans) - 1 or path.stat().st_size >= limit:
            writer.close()
            durable.sync_file(path)
            writer = None
        for _ in block:
            step()
    return done


def _rows_of_span(table: pa.Table, at: range | np.ndarray, span: Span, changes: Changes) -> pa.Table:
    """Return a span's rows, with what is added and with what a step makes of the frames between."""
    taken = at[span.frames]
    if isinstance(taken, range) and span.step == 1:
        part = table.slice(taken.start, len(taken))
    else:
        part = table.take(pa.array(np.asarray(taken)))
    if span.step > 1:
        within = np.asarray(at[span.from_frame : span.to_frame])
        for name, rule in changes.windows.items():
            if name in part.column_names:
                column = _windowed(table[name].take(pa.array(within)), span.step, rule)
                part = part.set_column(part.schema.get_field_index(name), name, column)
    if language.LANGUAGE in part.column_names and not span.whole:
        rows = language.rows_of_episode(part[language.LANGUAGE])
        if rows is not None:
            length_s = (span.to_frame - span.from_frame) / span.source.fps
            rows = language.cut(rows, span.from_frame / span.source.fps, length_s)
            where = part.schema.get_field_index(language.LANGUAGE)
            part = part.set_column(where, language.LANGUAGE, language.repeated(rows, len(span)))
    for name, added in changes.added.items():
        where, column = part.schema.get_field_index(name), added.rows(span, part)
        part = part.append_column(name, column) if where < 0 else part.set_column(where, name, column)
    return part


def _windowed(column: pa.ChunkedArray, step: int, rule: str) -> pa.Array:
    """Return one value for each `step` rows (fewer in the last): the last, the sum, or whether any is true."""
    firsts = np.arange(0, len(column), step)
    if rule == "last":
        return column.take(pa.array(np.minimum(firsts + step, len(column)) - 1))
    values = schema.to_numpy(column)
    many = (
        np.logical_or.reduceat(values, firsts) if rule == "any" else np.add.reduceat(values, firsts, axis=0)
    )
    flat = pa.array(np.ascontiguousarray(many).reshape(-1))
    if pa.types.is_fixed_size_list(column.type):
        return pa.FixedSizeListArray.from_arrays(flat.cast(column.type.value_type), column.type.list_size)
    return flat.cast(column.type)


def _file(span: Span) -> Path:
    return span.source.data_files[span.episode]


def _blocks(spans: Sequence[Span]) -> Iterator[list[int]]:
    """Group neighbours that come from one file, up to the size of a row group."""
    block: list[int] = []
    n_rows = 0
    for number, span in enumerate(spans):
        if block and (n_rows >= _ROW_GROUP or _file(span) != _file(spans[block[0]])):
            yield block
            block, n_rows = [], 0
        block.append(number)
        n_rows += len(span)
    yield block


class _Tasks:
    """The tasks of the new set, in the order of the sources, and each span's."""

    def __init__(self, spans: Sequence[Span], changes: Changes) -> None:
        self.spans = spans
        self.used: dict[int, np.ndarray] = {}
        self._number: dict[Dataset, np.ndarray] = {}
        words: dict[str, int] = {}
        for source in sources_of(spans):
            mine = [number for number, span in enumerate(spans) if span.source is source]
            episodes = list(dict.fromkeys(spans[number].episode for number in mine))
            values = source.columns(["task_index"], episodes)["task_index"].reshape(-1)
            ends = np.cumsum(source.lengths(episodes))
            first = dict(zip(episodes, [0, *ends.tolist()]))
            for number in mine:
                span = spans[number]
                at = first[span.episode]
                self.used[number] = np.unique(values[at + span.from_frame : at + span.to_frame])
            used = sorted({int(task) for number in mine for task in self.used[number]})
            if used and used[-1] >= len(source.tasks):
                raise DataError(
                    f"{source.root}: task {used[-1]} is not in {tables.TASKS}, which has {len(source.tasks)}"
                )
            self._number[source] = np.zeros(max(used, default=0) + 1, np.int64)
            given = {int(task) for n in mine if spans[n].task is None for task in self.used[n]}
            for task in sorted(given):
                word = changes.tasks.get(source.tasks[task], source.tasks[task])
                self._number[source][task] = words.setdefault(word, len(words))
        for span in spans:
            if span.task is not None:
                words.setdefault(span.task, len(words))
        self.words = list(words)

    def of_span(self, number: int) -> list[str]:
        span = self.spans[number]
        if span.task is not None:
            return [span.task]
        new = self._number[span.source][self.used[number]]
        return [self.words[task] for task in dict.fromkeys(new.tolist())]

    def renumbered(self, number: int, old: np.ndarray) -> np.ndarray:
        span = self.spans[number]
        if span.task is not None:
            return np.full(len(old), self.words.index(span.task))
        return self._number[span.source][old]


def _renumbered(
    rows: pa.Table, spans: Sequence[Span], block: list[int], index: int, tasks: _Tasks, done: Rows
) -> pa.Table:
    """Count the rows of a block anew from `index` on; where an episode was cut, its times and end too."""
    old_tasks = rows["task_index"].to_numpy()
    lengths = [len(spans[number]) for number in block]
    ends = np.cumsum(lengths).tolist()
    places = list(zip(block, [0, *ends], ends))
    columns = {
        "episode_index": np.repeat(block, lengths),
        "index": index + np.arange(rows.num_rows),
        "task_index": np.concatenate([tasks.renumbered(n, old_tasks[a:b]) for n, a, b in places]),
    }
    cut = [place for place in places if not spans[place[0]].whole]
    if cut:
        columns |= _times(rows, spans, cut, done)
    kinds = {name: rows.schema.field(name).type for name in columns}
    rows = tables.with_columns(rows, {n: pa.array(v).cast(kinds[n]) for n, v in columns.items()}, kinds)
    for number, a, b in places:
        several = len(done.tasks_of[number]) > 1
        if spans[number].whole:
            new = {name: schema.to_numpy(rows[name].slice(a, b - a)) for name in done.new_stats}
            new |= {"task_index": columns["task_index"][a:b]} if several else {}
            if new:
                done.stats[number] = {name: stats.column_stats(values) for name, values in new.items()}
        else:
            part = rows.slice(a, b - a)
            done.stats[number] = {
                field.name: stats.column_stats(schema.to_numpy(part[field.name]))
                for field in rows.schema
                if _is_numeric(field.type)
            }
    return rows


def _times(
    rows: pa.Table, spans: Sequence[Span], cut: list[tuple[int, int, int]], done: Rows
) -> dict[str, np.ndarray]:
    """Return the columns that tell where in its episode a frame is, for episodes that were cut."""
    clocks = [f.name for f in rows.schema if f.name.startswith("clock.") and pa.types.is_floating(f.type)]
    names = [n for n in ("frame_index", "timestamp", "next.done", *clocks) if n in rows.column_names]
    columns = {name: rows[name].to_numpy(zero_copy_only=False).copy() for name in names}
    for number, a, b in cut:
        span = spans[number]
        done.offsets_s[number] = span.from_frame / span.source.fps
        counter = np.arange(b - a)
        columns["frame_index"][a:b] = counter
        columns["timestamp"][a:b] = counter / span.fps
        if "next.done" in columns and span.to_frame < span.length:
            columns["next.done"][b - 1] = True
        if CLOCK in columns and span.from_frame:
            done.offsets_s[number] = float(columns[CLOCK][a])
            for clock in clocks:
                columns[clock][a:b] -= done.offsets_s[number]
    return columns


def _is_numeric(kind: pa.DataType) -> bool:
    while pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        kind = kind.value_type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _schema(sources: Sequence[Dataset], changes: Changes) -> pa.Schema:
    """Return the columns of the new data files: those of the first source, then what others have besides."""
    fields: dict[str, pa.Field] = {}
    described: dict[str, object] = {}
    metadata: dict[bytes, bytes] = {}
    for source in sources:
        names = changes.new_names(source)
        kinds = tables.read_schema(source.data_files[0])
        for name, kind in zip(kinds.names, kinds.types):
            new = names.get(name, None if name in source.features else name)
            if new is not None:
                fields.setdefault(new, pa.field(new, kind))
        metadata = {**(kinds.metadata or {}), **metadata}
        known = json.loads((kinds.metadata or {}).get(b"huggingface", b"{}"))
        for name, value in (known.get("info", {}).get("features") or {}).items():
            new = names.get(name, None if name in source.features else name)
            if new is not None:
                described.setdefault(new, value)
    if described:
        metadata[b"huggingface"] = json.dumps({"info": {"features": described}}).encode()
    return pa.schema(list(fields.values()), metadata or None)


def _with_added(kinds: pa.Schema, changes: Changes) -> pa.Schema:
    """Return the columns with those that are added, and described to the `datasets` library."""
    if not changes.added:
        return kinds
    metadata = dict(kinds.metadata or {})
    for name, added in changes.added.items():
        at, new = kinds.get_field_index(name), pa.field(name, added.kind)
        kinds = kinds.append(new) if at < 0 else kinds.set(at, new)
    if b"huggingface" in metadata:
        known = json.loads(metadata[b"huggingface"])
        features = known.setdefault("info", {}).setdefault("features", {})
        features |= {name: dict(added.described) for name, added in changes.added.items()}
        metadata[b"huggingface"] = json.dumps(known).encode()
    return kinds.with_metadata(metadata or None)


def _renamed(table: pa.Table, names: dict[str, str], features: schema.Features) -> pa.Table:
    """Return the columns that are taken, under their new names; what no feature names is taken as it is."""
    kept = [name for name in table.column_names if name in names or name not in features]
    new = [names.get(name, name) for name in kept]
    if twice := sorted({name for name in new if new.count(name) > 1}):
        raise UsageError(f"there is a column '{twice[0]}' already: choose another name")
    return table.select(kept).rename_columns(new)


def _fitted(table: pa.Table, kinds: pa.Schema) -> pa.Table:
    """Return the table with the columns of `kinds`, empty where it lacks one."""
    columns = [
        table[f.name] if f.name in table.column_names else pa.nulls(table.num_rows, f.type) for f in kinds
    ]
    return pa.table(
        columns, schema=pa.schema([pa.field(f.name, c.type) for f, c in zip(kinds, columns)])
    ).cast(kinds)
