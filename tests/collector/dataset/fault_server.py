"""Runs one operation on copies of a dataset, each time failing at a later step: killed, or refused by a full disk.

`python fault_server.py OPERATION MODE BASE CASES STRIDE`: for k = 0, STRIDE, ... copies BASE to CASES/<k>/set, forks,
and in the child runs OPERATION on the copy, where the k-th call that changes the disk does not happen. A write that
is killed leaves half of its bytes. Ends with the first k at which the operation came through, and prints it.
One process forks all of them, so that the imports are paid once.
"""

import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pandas  # noqa: F401 - pyarrow would import it in each child

from collector.dataset.journal import list_journals
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import compact, copy_selection, write_spans
from collector.dataset.spans import Span, span, whole_episodes
from collector.dataset.writer import DatasetWriter

STEPS = ["replace", "rename", "fsync", "write", "mkdir", "unlink", "rmdir", "link", "ftruncate"]


def save(root: Path) -> None:
    writer = DatasetWriter.open(root)
    for folder in list_journals(root):
        writer.save(folder)
    writer.close()


OPERATIONS = {
    "save": save,
    "compact": compact,
    "take_back": lambda root: compact(root, without=[1]),
    "copy": lambda root: copy_selection(root, root.with_name("copied"), [1, 0]),
    "trim": lambda root: trim(root),
    "merge": lambda root: merge(root),
    "slower": lambda root: slower(root),
}


def trim(root: Path) -> None:
    source = Dataset.open(root)
    write_spans(root.with_name("made"), [span(source, 0, 1, 4), span(source, 1)])


def merge(root: Path) -> None:
    # Opened twice, the same folder is two sources.
    sources = [Dataset.open(root), Dataset.open(root)]
    write_spans(root.with_name("made"), [s for source in sources for s in whole_episodes(source, [0, 1])])


def slower(root: Path) -> None:
    source = Dataset.open(root)
    lengths = source.lengths([0, 1]).tolist()
    write_spans(root.with_name("made"), [Span(source, e, 0, n, n, step=3) for e, n in enumerate(lengths)])


def break_at(k: int, mode: str, names: list[str]) -> None:
    """Make the k-th of the system calls fail; `names` collects those that were made."""

    def patched(name: str):
        real = getattr(os, name)

        def call(*args, **kwargs):
            names.append(name)
            if len(names) - 1 == k:
                if mode == "kill":
                    if name == "write":
                        real(args[0], bytes(args[1])[: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return call

    # Removing is possible on a full disk.
    for name in STEPS if mode == "kill" else [n for n in STEPS if n not in ("unlink", "rmdir")]:
        setattr(os, name, patched(name))


def main(operation: str, mode: str, base: Path, cases: Path, stride: int) -> None:
    for k in range(0, 1000, stride):
        root = cases / str(k) / "set"
        shutil.copytree(base, root)
        child = os.fork()
        if child == 0:
            names: list[str] = []
            break_at(k, mode, names)
            try:
                OPERATIONS[operation](root)
            except OSError as error:
                os._exit(3 if error.errno == errno.ENOSPC else 4)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            print(k)
            return
        if status not in (-signal.SIGKILL, 3):
            sys.exit(f"step {k} ended with {status}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
