"""Salvage copies of a broken dataset, killed at a later step each time: `salvage_killed.py BASE CASES`.

What step k left is in CASES/<k>-<whether folders are exchanged in one step>/. One process forks all of them.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from fault_server import break_at

from collector.dataset import durable
from collector.dataset.salvage import salvage


def run(root: Path, k: int, in_one_step: bool) -> int:
    """Salvage in a child that is killed at its k-th step; return the steps of one that came through, else 0."""
    child = os.fork()
    if child == 0:
        if not in_one_step:
            durable._exchange_in_one_step = lambda a, b: False
        names: list[str] = []
        break_at(k, "kill", names)
        salvage(root)
        os._exit(len(names))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        assert status == -signal.SIGKILL
    return max(0, status)


def main(base: Path, cases: Path) -> None:
    for in_one_step in (True, False):
        n_steps = run(Path(shutil.copytree(base, cases / f"all-{in_one_step}" / "set")), 10**6, in_one_step)
        assert 20 < n_steps < 250
        # Building beside the original is much the same all along; the exchange at the end is not.
        for k in [*range(0, n_steps - 14, 6), *range(n_steps - 14, n_steps)]:
            root = Path(shutil.copytree(base, cases / f"{k}-{in_one_step}" / "set"))
            assert run(root, k, in_one_step) == 0, k


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
