"""Read a parquet file that a crash left without its footer: the row groups written before it are whole.

A row group is, column by column, a dictionary page (all types but bool) and data pages, each behind a header that
tells its size. With the schema known, the footer can be written anew, and Arrow reads the file as if it had been
closed. Source: Apache Parquet's `parquet.thrift` and `Encodings.md`; Arrow C++ writes the pages in this order.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import thrift

MAGIC = b"PAR1"
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3  # PageType


@dataclass(frozen=True)
class Page:
    """A page: where its header begins and its content ends [bytes], and what the header says."""

    start: int
    end: int
    kind: int
    n_values: int
    encoding: int
    n_bytes_plain: int


@dataclass(frozen=True)
class Leaf:
    """A primitive column: its thrift metadata in a template file, and its values a row (None: they vary)."""

    metadata: thrift.Struct
    per_row: int | None

    @property
    def has_dictionary(self) -> bool:
        """Whether its chunk begins with a dictionary page: Arrow writes none for bool."""
        return self.metadata[1][1] != 0


def has_footer(path: Path) -> bool:
    """Whether a parquet file ends as a closed one does; reads its ends only."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 12:
            return False
        file.seek(-8, 2)
        length, mark = struct.unpack("<I4s", file.read(8))
        return mark == MAGIC and length + 12 <= size


def read_row_groups(
    path: Path,
    schema: pa.Schema,
    fixed: Sequence[int | None] | None = None,
    columns: Sequence[str] | None = None,
) -> tuple[list[pa.Table], int]:
    """Return the whole row groups of a parquet file without footer, in order, and the bytes that follow them.

    Args:
        schema: Columns of the file, as they were given to the `ParquetWriter` (snappy, with dictionaries).
        fixed: Values a row of each column, where a list's length is known though its type does not tell.
        columns: Decode these only.

    Returns:
        A table a row group; one that cannot be decoded is left out. And the number of bytes after the last whole
        row group (those that were being written), counting any that could not be decoded.

    Raises:
        OSError: If the file cannot be read.
    """
    content = path.read_bytes()
    template, leaves = _template(schema, fixed)
    pages = list(_pages(content))
    tables: list[pa.Table] = []
    at, end, damaged = 0, len(MAGIC), 0
    while at < len(pages):
        found = _row_group(pages, at, leaves)
        if found is None:
            break
        rows, starts = found
        chunks = [pages[a:b] for a, b in itertools.pairwise(starts)]
        end, at = pages[starts[-1] - 1].end, starts[-1]
        footer = _footer(template, leaves, chunks, rows)
        begin = chunks[0][0].start
        try:
            table = _read(content[begin:end], begin, footer, columns)
            tables.append(
                table.cast(pa.schema([schema.field(n) for n in table.column_names], schema.metadata))
            )
        except (pa.ArrowException, OSError, ValueError):
            damaged += end - begin
    return tables, max(0, len(content) - end) + damaged


def _pages(content: bytes) -> Iterator[Page]:
    """Give the pages from the beginning up to the first byte that is none."""
    view, at = memoryview(content), len(MAGIC)
    if content[: len(MAGIC)] != MAGIC:
        return
    with contextlib.suppress(ValueError, KeyError, TypeError):
        while at < len(content):
            header, body = thrift.read_struct(view, at)
            kind, size = header[1][1], header[3][1]
            about = header[{_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}[kind]][1]
            encoding = about[4 if kind == _DATA_V2 else 2][1]
            if size < 0 or body + size > len(content) or about[1][1] < 0:
                return
            yield Page(at, body + size, kind, about[1][1], encoding, header[2][1] + body - at)
            at = body + size


def _row_group(pages: list[Page], at: int, leaves: list[Leaf]) -> tuple[int, list[int]] | None:
    """Find where each column of the row group that begins at a page begins; a chunk may have several data pages.

    Returns:
        The rows, and the first page of each column and of what follows; None if the group is not whole.
    """
    # States still to try: column, its first page, rows where known, the columns' first pages so far.
    states: list[tuple[int, int, int | None, tuple[int, ...]]] = [(0, at, None, ())]
    while states:
        column, first, rows, starts = states.pop()
        starts = (*starts, first)
        if column == len(leaves):
            if rows is not None:
                return rows, list(starts)
            continue
        leaf, page, values = leaves[column], first, 0
        if leaf.has_dictionary:
            if page >= len(pages) or pages[page].kind != _DICTIONARY:
                continue
            page += 1
        ends: list[tuple[int, int, int | None, tuple[int, ...]]] = []
        while page < len(pages) and pages[page].kind != _DICTIONARY:
            values += pages[page].n_values
            page += 1
            if leaf.per_row is None:
                ends.append((column + 1, page, rows, starts))
                continue
            if rows is not None and values > rows * leaf.per_row:
                break
            if values % leaf.per_row == 0 and (rows is None or values == rows * leaf.per_row):
                ends.append((column + 1, page, values // leaf.per_row, starts))
        # The shortest chunk is tried first, for a page holds far more rows than an episode has.
        states += reversed(ends)
    return None


def _template(schema: pa.Schema, fixed: Sequence[int | None] | None) -> tuple[thrift.Struct, list[Leaf]]:
    """Return the footer of a file of one empty row with this schema, and its columns."""
    rows = pa.Table.from_arrays([pa.nulls(1, f.type) for f in schema], schema=schema)
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="snappy", use_dictionary=True)
    content = buffer.getvalue()
    (length,) = struct.unpack("<I", content[-8:-4])
    footer, _ = thrift.read_struct(memoryview(content), len(content) - 8 - length)
    chunks = footer[4][1][1][0][1][1][1]
    per_row = [n for i, f in enumerate(schema) for n in _leaves(f.type, fixed[i] if fixed else None)]
    return footer, [Leaf(chunk[3][1], n) for chunk, n in zip(chunks, per_row, strict=True)]


def _leaves(kind: pa.DataType, known: int | None) -> list[int | None]:
    """Return the values a row of each primitive column of a type."""
    if pa.types.is_struct(kind):
        return [n for field in kind for n in _leaves(field.type, known)]
    if pa.types.is_fixed_size_list(kind):
        inner = _leaves(kind.value_type, None)
        return [n and n * kind.list_size for n in inner]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [known for _ in _leaves(kind.value_type, None)]
    return [1]


def _footer(
    template: thrift.Struct, leaves: list[Leaf], chunks: list[list[Page]], rows: int
) -> thrift.Struct:
    """Return a footer of one row group, whose bytes count from the start of the broken file."""
    columns = []
    for leaf, pages in zip(leaves, chunks):
        first_data = pages[1] if pages[0].kind == _DICTIONARY else pages[0]
        known = (1, 3, 4)  # type, path and codec are the template's
        metadata: thrift.Struct = {field: leaf.metadata[field] for field in known}
        encodings = sorted({3, *(page.encoding for page in pages)})  # 3: RLE, of the levels
        n_values = sum(page.n_values for page in pages if page.kind != _DICTIONARY)
        n_bytes = pages[-1].end - pages[0].start
        metadata[2] = (thrift.LIST, (thrift.I32, encodings))
        metadata[5] = (thrift.I64, n_values)
        metadata[6] = (thrift.I64, sum(page.n_bytes_plain for page in pages))
        metadata[7] = (thrift.I64, n_bytes)
        metadata[9] = (thrift.I64, first_data.start)
        if pages[0].kind == _DICTIONARY:
            metadata[11] = (thrift.I64, pages[0].start)
        columns.append({2: (thrift.I64, 0), 3: (thrift.STRUCT, metadata)})
    n_plain = sum(page.n_bytes_plain for pages in chunks for page in pages)
    group: thrift.Struct = {
        1: (thrift.LIST, (thrift.STRUCT, columns)),
        2: (thrift.I64, n_plain),
        3: (thrift.I64, rows),
    }
    return {**template, 3: (thrift.I64, rows), 4: (thrift.LIST, (thrift.STRUCT, [group]))}


def _read(group: bytes, begin: int, footer: thrift.Struct, columns: Sequence[str] | None) -> pa.Table:
    """Let Arrow decode a row group whose pages began at byte `begin` of their file."""
    for chunk in footer[4][1][1][0][1][1][1]:
        metadata = chunk[3][1]
        for field in {9, 11} & metadata.keys():
            metadata[field] = (thrift.I64, metadata[field][1] - begin + len(MAGIC))
    end = thrift.write_struct(footer)
    whole = MAGIC + group + end + struct.pack("<I", len(end)) + MAGIC
    table = pq.ParquetFile(io.BytesIO(whole)).read(columns=columns)
    table.validate(full=True)
    return table
