"""Thrift's compact protocol without a schema: enough to read parquet's page headers and to write a footer.

A struct is `{field id: (type, value)}`, a list `(type of its elements, values)`.
Source: thrift-compact-protocol.md of Apache Thrift.
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_MAX_BYTES = 1 << 26  # no string or list in a parquet header is longer: what says so is no header
_MAX_DEPTH = 16

Struct = dict[int, tuple[int, Any]]


def read_struct(data: memoryview, at: int, depth: int = 0) -> tuple[Struct, int]:
    """Read a struct at a byte; return it and the byte after it.

    Raises:
        ValueError: If there is none, or it is cut short.
    """
    result: Struct = {}
    field = 0
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    while True:
        head, at = _byte(data, at)
        if head == 0:
            return result, at
        if head >> 4:
            field += head >> 4
        else:
            field, at = _signed(data, at)
        kind = head & 15
        if field in result:
            raise ValueError("a field comes twice")
        if kind in (TRUE, FALSE):
            result[field] = (TRUE, kind == TRUE)
        else:
            value, at = _read(data, at, kind, depth)
            result[field] = (kind, value)


def _read(data: memoryview, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (TRUE, FALSE, I8):
        return _byte(data, at)
    if kind in (I16, I32, I64):
        return _signed(data, at)
    if kind == DOUBLE:
        return _take(data, at, 8)
    if kind == BINARY:
        size, at = _unsigned(data, at)
        return _take(data, at, size)
    if kind in (LIST, SET):
        head, at = _byte(data, at)
        size = head >> 4
        if size == 15:
            size, at = _unsigned(data, at)
        if size > _MAX_BYTES:
            raise ValueError("a list of impossible length")
        values = []
        for _ in range(size):
            value, at = _read(data, at, head & 15, depth)
            values.append(value)
        return (head & 15, values), at
    if kind == STRUCT:
        return read_struct(data, at, depth + 1)
    raise ValueError(f"type {kind} does not occur in parquet")


def _byte(data: memoryview, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise ValueError("cut short")
    return data[at], at + 1


def _take(data: memoryview, at: int, size: int) -> tuple[bytes, int]:
    if size > _MAX_BYTES or at + size > len(data):
        raise ValueError("cut short")
    return bytes(data[at : at + size]), at + size


def _unsigned(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte, at = _byte(data, at)
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of impossible length")


def _signed(data: memoryview, at: int) -> tuple[int, int]:
    value, at = _unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def write_struct(struct: Struct) -> bytes:
    """Return a struct's bytes, fields in ascending order."""
    out = bytearray()
    before = 0
    for field, (kind, value) in sorted(struct.items()):
        shown = (TRUE if value else FALSE) if kind == TRUE else kind
        step = field - before
        if 0 < step < 16:
            out.append(step << 4 | shown)
        else:
            out.append(shown)
            out += _signed_bytes(field)
        if kind != TRUE:
            out += _write(kind, value)
        before = field
    out.append(0)
    return bytes(out)


def _write(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE, I8):
        return bytes([value])
    if kind in (I16, I32, I64):
        return _signed_bytes(value)
    if kind == DOUBLE:
        return value
    if kind == BINARY:
        return _unsigned_bytes(len(value)) + value
    if kind in (LIST, SET):
        inner, values = value
        short = len(values) < 15
        head = (
            bytes([len(values) << 4 | inner])
            if short
            else bytes([0xF0 | inner, *_unsigned_bytes(len(values))])
        )
        return head + b"".join(_write(inner, v) for v in values)
    return write_struct(value)


def _unsigned_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _signed_bytes(value: int) -> bytes:
    return _unsigned_bytes((value << 1) ^ (value >> 63))
