"""Xet's two binary formats, as far as taking in an upload needs them.

A *xorb* is a row of compressed chunks; a *shard* says which chunks of which xorbs make up a file, and the file's
sha256. See https://huggingface.co/docs/xet (xorb format, shard format) and the xet-core sources.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from collector.hub.names import Refusal

# A chunk is at most 128 KiB of a file; incompressible ones may grow a little.
_CHUNK_LIMIT = 128 * 1024
_STORED, _LZ4, _GROUPED_LZ4 = 0, 1, 2
_XORB_FOOTER = b"XETBLOB"

_SHARD_TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_SHARD_HEADER = 48
_ENTRY = 48
_BOOKEND = b"\xff" * 32
_WITH_VERIFICATION = 1 << 31
_WITH_SHA256 = 1 << 30


class Segment(NamedTuple):
    """A run of chunks of a xorb, `first` to `end` exclusive, that unpack to `size` bytes of a file."""

    xorb: str
    size: int
    first: int
    end: int


@dataclasses.dataclass(frozen=True)
class ShardFile:
    """A file in a shard: its sha256 (None if the sender left it out) and what it is made of."""

    sha256: str | None
    segments: list[Segment]


def _hex(raw: bytes) -> str:
    """Xet writes hashes as four little-endian 64-bit numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def parse_shard(content: bytes) -> list[ShardFile]:
    """Return the files that a shard describes.

    Raises:
        Refusal: 400, if it is cut off or something else.
    """
    if len(content) < _SHARD_HEADER or content[:32] != _SHARD_TAG:
        raise Refusal(400, "this is not a Xet shard")
    files: list[ShardFile] = []
    position = _SHARD_HEADER

    def entry() -> bytes:
        nonlocal position
        raw = content[position : position + _ENTRY]
        if len(raw) < _ENTRY:
            raise Refusal(400, "the Xet shard is cut off")
        position += _ENTRY
        return raw

    while (header := entry())[:32] != _BOOKEND:
        flags, count = struct.unpack_from("<II", header, 32)
        segments = []
        for _ in range(count):
            raw = entry()
            _, size, first, end = struct.unpack_from("<IIII", raw, 32)
            segments.append(Segment(_hex(raw[:32]), size, first, end))
        if flags & _WITH_VERIFICATION:
            for _ in range(count):
                entry()
        sha256 = _hex(entry()[:32]) if flags & _WITH_SHA256 else None
        files.append(ShardFile(sha256, segments))
    return files


class Xorb:
    """A xorb on disk: finds its chunks once, unpacks runs of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chunks: list[tuple[int, int, int, int]] = []
        with path.open("rb") as file:
            while len(header := file.read(8)) == 8 and not header.startswith(_XORB_FOOTER):
                packed = int.from_bytes(header[1:4], "little")
                size = int.from_bytes(header[5:8], "little")
                if (
                    header[0] != 0
                    or header[4] > _GROUPED_LZ4
                    or size > _CHUNK_LIMIT
                    or packed > 2 * _CHUNK_LIMIT
                ):
                    raise Refusal(400, "the Xet xorb has a chunk that cannot be read")
                self._chunks.append((file.tell(), packed, header[4], size))
                file.seek(packed, 1)

    def unpack(self, segment: Segment) -> Iterator[bytes]:
        """Yield the bytes of a run of chunks.

        Raises:
            Refusal: 400, if the xorb has fewer chunks, or they are damaged or of another size.
        """
        chunks = self._chunks[segment.first : segment.end]
        whole = segment.first < segment.end <= len(self._chunks)
        if not whole or sum(size for *_, size in chunks) != segment.size:
            raise Refusal(400, "the Xet shard speaks of chunks that its xorb does not have")
        with self._path.open("rb") as file:
            for offset, packed, scheme, size in chunks:
                file.seek(offset)
                yield _unpack(file, packed, scheme, size)


def _unpack(file: BinaryIO, packed: int, scheme: int, size: int) -> bytes:
    raw = file.read(packed)
    if scheme != _STORED:
        # Imported at the first compressed upload: the Hub starts without it.
        import pyarrow

        try:
            raw = pyarrow.decompress(raw, decompressed_size=size, codec="lz4", asbytes=True)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise Refusal(400, "the Xet xorb has a damaged chunk") from error
    if len(raw) != size:
        raise Refusal(400, "the Xet xorb has a chunk of another size than it says")
    return _ungroup(raw) if scheme == _GROUPED_LZ4 else raw


def _ungroup(raw: bytes) -> bytes:
    """Undo "byte grouping": all first bytes of each four, then all second ones, and so on."""
    out = bytearray(len(raw))
    start = 0
    for offset in range(4):
        count = len(range(offset, len(raw), 4))
        out[offset::4] = raw[start : start + count]
        start += count
    return bytes(out)
