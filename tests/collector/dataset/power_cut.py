"""A disk that keeps what was synced, and what a power cut at any instant would leave of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class Disk:
    """Follows one folder through every `fsync`; `at_sync` is called after each, when what is durable has changed.

    Two kinds of disk are imitated. A lazy one keeps nothing that was not synced, neither content nor names. An
    eager one keeps all names at once, but content only as far as it was synced.
    """

    def __init__(self, root: Path, at_sync: Callable[[], None] = lambda: None) -> None:
        self.root, self.at_sync = root, at_sync
        self._contents: dict[int, bytes] = {}  # by inode
        self._names: dict[int, dict[str, tuple[int, bool]]] = {}  # inode and whether it is a folder
        self._kept_open: dict[int, int] = {}  # so that no inode is given to another file
        for folder, _, files in os.walk(root):
            for path in [folder, *(f"{folder}/{name}" for name in files)]:
                self._note(path)
        self._real = {name: getattr(os, name) for name in ("fsync", "fdatasync")}

    def __enter__(self) -> Disk:
        for name, real in self._real.items():
            setattr(os, name, self._following(real))
        return self

    def __exit__(self, *_: object) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)
        for descriptor in self._kept_open.values():
            os.close(descriptor)

    def _following(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(descriptor: int) -> None:
            real(descriptor)
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            if Path(path).is_relative_to(self.root) or Path(path) == self.root.parent:
                self._note(path)
                self.at_sync()

        return sync

    def _note(self, path: str) -> None:
        inode = Path(path).stat().st_ino
        if inode not in self._kept_open:
            self._kept_open[inode] = os.open(path, os.O_RDONLY)
        if Path(path).is_dir():
            self._names[inode] = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(path)}
        else:
            self._contents[inode] = Path(path).read_bytes()

    def leave_lazy(self, target: Path) -> None:
        """Make `target` what a lazy disk holds now."""
        self._leave(self.root.stat().st_ino, target)

    def _leave(self, inode: int, target: Path) -> None:
        target.mkdir(parents=True)
        for name, (child, is_folder) in self._names.get(inode, {}).items():
            if is_folder:
                self._leave(child, target / name)
            else:
                (target / name).write_bytes(self._contents.get(child, b""))

    def leave_eager(self, target: Path) -> None:
        """Make `target` what an eager disk holds now."""
        for folder, _, files in os.walk(self.root):
            made = target / Path(folder).relative_to(self.root)
            made.mkdir(parents=True)
            for name in files:
                inode = (Path(folder) / name).stat().st_ino
                (made / name).write_bytes(self._contents.get(inode, b""))
