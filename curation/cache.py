"""What was measured before, kept by content: `curation/.cache/` beside the dataset.

Every entry stands under a hash of all that it depends on: the data itself, the checks' code, the settings. So an
entry is right or it is not found, nothing ever needs to be declared stale, and copying, renaming or merging files
loses nothing. The folder may be deleted at any time; it is hidden, so that publishing leaves it at home. Entries
that a finished scoring did not use are thrown away by it, and damaged ones are measured again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path("curation/.cache")
DIGEST_BYTES = 16


def digest(parts: Iterable[bytes | memoryview | np.ndarray]) -> str:
    """Return a hash of what is given, in its order, as 32 hex digits (BLAKE2b, 128 bits)."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype.str}{part.shape}".encode())
            part = np.ascontiguousarray(part)
        state.update(part)
        state.update(b"\0")
    return state.hexdigest()


@cache
def checks_version() -> str:
    """Return a hash of the checks' code and of numpy's version: a changed check measures everything again."""
    folder = Path(__file__).parent
    files = [*sorted((folder / "checks").glob("*.py")), folder / "measures.py", folder / "grey.py"]
    return digest([np.__version__.encode(), *(path.read_bytes() for path in files)])


class Cache:
    """Arrays in files below `curation/.cache/`, in groups of parts.

    A part is one `.npz` file: arrays, and the keys of what they hold. Writing is atomic, and where the disk refuses
    nothing is kept. Parts are read without unpickling anything, so that a stranger's folder runs no code.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def parts(self, group: str) -> Iterator[tuple[list[str], dict[str, np.ndarray]]]:
        """Yield keys and arrays of each readable part of a group, in the order of their names."""
        for path in sorted(self.folder.glob(f"{group}/*.npz")):
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                keys = json.loads(arrays.pop("keys").tobytes())
                if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                    raise ValueError("no keys")
            except (OSError, ValueError, KeyError, EOFError, MemoryError, RecursionError, zipfile.BadZipFile):
                continue
            yield keys, arrays

    def add(self, group: str, keys: Sequence[str], arrays: dict[str, np.ndarray]) -> Path | None:
        """Write a part, named by its keys; returns its file, or None where the disk refuses."""
        path = self.folder / group / f"{digest([json.dumps(list(keys)).encode()])}.npz"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as sink:
                named = {**arrays, "keys": np.frombuffer(json.dumps(list(keys)).encode(), np.uint8)}
                np.savez(sink, **named)  # type: ignore[arg-type]
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return None
        return path

    def replace(self, group: str, keys: Sequence[str], arrays: dict[str, np.ndarray]) -> None:
        """Write a part that holds all that is worth keeping of its group, and delete the others."""
        kept = self.add(group, keys, arrays)
        if kept is not None:
            _delete(path for path in (self.folder / group).iterdir() if path != kept)

    def clear(self) -> None:
        """Forget everything."""
        for folder in self.folder.glob("*"):
            self.sweep(folder.name, "")

    def sweep(self, kind: str, keep: str) -> None:
        """Delete the groups whose names begin with `kind`, but one."""
        for folder in self.folder.glob(f"{kind}*"):
            if folder.name != keep and folder.is_dir() and not folder.is_symlink():
                with contextlib.suppress(OSError):
                    _delete(folder.iterdir())
                    folder.rmdir()


def _delete(paths: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):
        for path in list(paths):
            path.unlink()
