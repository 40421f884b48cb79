"""A map over pieces of work: in this process, or in several on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from collector.errors import DemodeckError

AHEAD = 2
"""Pieces that wait for each process: enough that none is idle, and few enough to lie in memory."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(function: Callable[[Any], Any], items: Iterable[Any], jobs: int) -> Iterator[tuple[int, Any]]:
    """Yield (number of the item, `function(item)`) for each item, in the order in which they are done.

    Items are taken as they are needed, so that not all of them lie in memory.

    Args:
        function: A function that a process can import by name.
        items: Its arguments.
        jobs: Processes; 1 for this one alone.

    Raises:
        DemodeckError: If a process was killed.
    """
    if jobs < 2:
        for number, item in enumerate(items):
            yield number, function(item)
        return
    # Spawned, not forked: the parent has Arrow's threads. Ctrl-C is the parent's business alone.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))
    running: dict[Future, int] = {}
    try:
        with pool:
            try:
                for number, item in enumerate(items):
                    running[pool.submit(function, item)] = number
                    while len(running) >= AHEAD * jobs:
                        yield from _done(running)
                while running:
                    yield from _done(running)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise DemodeckError(
            "a process that measured episodes was killed (too little memory?): try again with --jobs 1; what was "
            "measured is kept"
        ) from error


def _done(running: dict[Future, int]) -> Iterator[tuple[int, Any]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()
