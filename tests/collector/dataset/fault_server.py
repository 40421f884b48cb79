"""Runs one operation on copies of a dataset, each time failing at a later step: killed, or refused by a full disk.

`python fault_server.py OPERATION MODE BASE CASES`: for k = 0, 1, ... copies BASE to CASES/<k>/set, forks, and in
the child runs OPERATION on the copy, where the k-th call that changes the disk does not happen. A write that is
killed leaves half of its bytes. Ends with the first k at which the operation came through; prints a JSON list of
the steps, by name. One process forks all of them, so that the imports are paid once.
"""

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pandas  # noqa: F401 - pyarrow would import it in each child

from collector.dataset.journal import list_journals
from collector.dataset.rewrite import compact, copy_selection
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
    "copy": lambda root: copy_selection(root, root.with_name("copied"), [1, 0]),
}


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
                # Removing is possible on a full disk.
                if name not in ("unlink", "rmdir"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, patched(name))


def main(operation: str, mode: str, base: Path, cases: Path) -> None:
    steps: list[str] = []
    for k in range(1000):
        root = cases / str(k) / "set"
        shutil.copytree(base, root)
        child = os.fork()
        if child == 0:
            names: list[str] = []
            break_at(k, mode, names)
            try:
                OPERATIONS[operation](root)
            except OSError as error:
                code = 3 if error.errno == errno.ENOSPC else 4
                Path(cases / str(k) / "step").write_text(names[k])
                os._exit(code)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0 and mode == "full" and (cases / str(k) / "step").exists():
            continue
        if status == 0:
            break
        if status not in (-signal.SIGKILL, 3):
            sys.exit(f"step {k} ended with {status}")
        steps.append(str(k))
    print(json.dumps(len(steps)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
