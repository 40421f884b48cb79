"""Xet's formats, read from bytes made by hand; damaged ones are refused."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pyarrow
import pytest

from collector.hub.names import Refusal
from collector.hub.xet_format import Segment, Xorb, parse_shard

TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
NUMBERS = (0x0123456789ABCDEF, 1, 2, 2**64 - 2)
NAME = "".join(f"{number:016x}" for number in NUMBERS)
RAW = struct.pack("<4Q", *NUMBERS)


def _shard(flags: int = 0b11 << 30, count: int = 2) -> bytes:
    header = TAG + struct.pack("<QQ", 2, 0)
    file = struct.pack("<32sIIQ", RAW, flags, count, 0)
    segments = b"".join(struct.pack("<32sIIII", RAW, 0, 100 + k, k, k + 3) for k in range(count))
    verification = b"v" * 48 * count if flags >> 31 else b""
    sha256 = struct.pack("<32s16x", RAW) if flags >> 30 & 1 else b""
    return (
        header
        + file
        + segments
        + verification
        + sha256
        + struct.pack("<32s16x", b"\xff" * 32)
        + b"xorb information"
    )


def _chunk(scheme: int, packed: bytes, size: int) -> bytes:
    return (
        bytes([0]) + len(packed).to_bytes(3, "little") + bytes([scheme]) + size.to_bytes(3, "little") + packed
    )


def _lz4(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="lz4", asbytes=True)


@pytest.mark.parametrize(
    ("flags", "sha256"), [(0b11 << 30, NAME), (1 << 30, NAME), (1 << 31, None), (0, None)]
)
def test_a_shard_tells_each_file_and_its_segments(flags: int, sha256: str | None) -> None:
    (file,) = parse_shard(_shard(flags))
    assert file.sha256 == sha256
    assert file.segments == [Segment(NAME, 100, 0, 3), Segment(NAME, 101, 1, 4)]


def test_a_cut_or_foreign_shard_is_refused() -> None:
    whole = _shard()
    end = len(whole) - len(b"xorb information")
    for length in range(end):
        with pytest.raises(Refusal):
            parse_shard(whole[:length])
    with pytest.raises(Refusal):
        parse_shard(b"x" * 200)
    with pytest.raises(Refusal):
        parse_shard(_shard()[:48] + struct.pack("<32sIIQ", RAW, 0, 2**32 - 1, 0))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 1000, 1001, 1002, 1003])
def test_chunks_unpack_by_every_scheme(tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)
    grouped = b"".join(content[offset::4] for offset in range(4))
    path = tmp_path / "xorb"
    footer = b"XETBLOB" + bytes(200)
    path.write_bytes(
        _chunk(0, content, size) + _chunk(1, _lz4(content), size) + _chunk(2, _lz4(grouped), size) + footer
    )
    assert list(Xorb(path).unpack(Segment("", 3 * size, 0, 3))) == [content] * 3
    assert list(Xorb(path).unpack(Segment("", size, 2, 3))) == [content]


def test_damaged_xorbs_and_impossible_segments_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "xorb"
    path.write_bytes(_chunk(0, b"abc", 3) + _chunk(1, b"not lz4", 9) + _chunk(1, _lz4(b"abcdef"), 5))
    xorb = Xorb(path)
    assert list(xorb.unpack(Segment("", 3, 0, 1))) == [b"abc"]
    for segment in (
        Segment("", 4, 0, 1),
        Segment("", 3, 0, 0),
        Segment("", 3, 1, 0),
        Segment("", 3, 0, 9),
        Segment("", 9, 1, 2),
        Segment("", 5, 2, 3),
    ):
        with pytest.raises(Refusal):
            list(xorb.unpack(segment))
    for wrong in (_chunk(7, b"abc", 3), _chunk(0, b"abc", 200_000), b"\1" + _chunk(0, b"abc", 3)[1:]):
        path.write_bytes(wrong)
        with pytest.raises(Refusal):
            Xorb(path)
