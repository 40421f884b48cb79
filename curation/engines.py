"""A map over pieces of work: in this process, in several on this machine, or by daft, there or on a Ray cluster."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

from collector.errors import DemodeckError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

AHEAD = 2
"""Pieces that wait for each process: enough that none is idle, and few enough to lie in memory."""


WAVE = 256
"""Pieces that are handed to daft together, which wants its input whole; each is some megabytes at most."""
ENGINES = ("processes", "daft")


@dataclass(frozen=True)
class Engine:
    """Who does the work.

    Attributes:
        name: One of `ENGINES`.
        address: A Ray cluster's, for daft: `ray://host:10001`, `host:6379`, or `local` for one started here; ""
            for daft's own processes on this machine.
    """

    name: str = "processes"
    address: str = ""


LOCAL = Engine()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[[Any], Any], items: Iterable[Any], jobs: int, engine: Engine = LOCAL
) -> Iterator[tuple[int, Any]]:
    """Yield (number of the item, `function(item)`) for each item, in the order in which they are done.

    Items are taken as they are needed, so that not all of them lie in memory.

    Args:
        function: A function that a process can import by name.
        items: Its arguments.
        jobs: Processes; 1 for this one alone. On a cluster: pieces that are under way at once.
        engine: Who does the work.

    Raises:
        UsageError: If there is no such engine, or it is not installed.
        DemodeckError: If a process was killed, or the cluster cannot be reached.
    """
    if engine.name == "daft":
        yield from _by_daft(function, items, jobs, engine.address)
        return
    if engine != LOCAL:
        raise UsageError(
            f"--engine is '{engine.name}': it is one of {', '.join(ENGINES)}, and only daft has an address"
        )
    if jobs < 2:
        for number, item in enumerate(items):
            yield number, function(item)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

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
    from concurrent.futures import FIRST_COMPLETED, wait

    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def _by_daft(
    function: Callable[[Any], Any], items: Iterable[Any], jobs: int, address: str
) -> Iterator[tuple[int, Any]]:
    """Run the map as a user function over a column of pickled pieces.

    Source: https://docs.daft.ai (`daft.func`, `set_runner_ray`), 0.7. The workers must be able to import demodeck,
    and for pictures to open the dataset's folder.
    """
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")  # ours counts episodes
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        import daft
    except ImportError as error:
        raise UsageError(
            "--engine=daft needs daft: install the extra 'scale' (pip install 'demodeck[scale]'), or leave it out"
        ) from error
    if address:
        _connect(daft, address)
    run = daft.func(_unpacked_call, return_dtype=daft.DataType.binary(), use_process=not address)
    for wave in batched(enumerate(items), WAVE):
        frame = daft.from_pydict(
            {
                "number": [number for number, _ in wave],
                "work": [pickle.dumps((function, item)) for _, item in wave],
            }
        )
        pieces = min(len(wave), max(1, jobs) * AHEAD)
        frame = frame.repartition(pieces) if address else frame.into_batches(1)
        try:
            for row in frame.select(frame["number"], run(frame["work"]).alias("done")).iter_rows():
                yield row["number"], pickle.loads(row["done"])
        except daft.exceptions.DaftCoreException as error:
            reason = " ".join(str(error).split())[:300]
            raise DemodeckError(
                f"daft could not finish the work ({reason}): what was measured is kept"
            ) from error


def _unpacked_call(work: bytes) -> bytes:
    function, item = pickle.loads(work)
    return pickle.dumps(function(item))


def _connect(daft: Any, address: str) -> None:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine.address needs ray: install the extra 'scale' (pip install 'demodeck[scale]')"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(address, logging_level="ERROR", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DemodeckError(
                f"no Ray cluster answers at '{address}' ({reason}): start one with 'ray start --head', or write "
                "--engine.address=local"
            ) from error
    daft.set_runner_ray(noop_if_initialized=True)
    if daft.get_or_create_runner().name != "ray":
        raise UsageError(
            "daft works without Ray in this process already: start another one for --engine.address"
        )
