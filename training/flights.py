"""Fly seeds in worker processes, in lock-step, and hand the flights out in the seeds' order.

Each flight depends on its seed alone, not on which process flew it or what flew before.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any

from collector.errors import DeviceError
from collector.without_torch import leave_torch_out


@dataclass(frozen=True)
class Flown:
    """What a worker process needs to fly a seed.

    Attributes:
        robot: The simulated robot's config.
        pilot: The pilot's config.
        fps: Control rate [Hz].
        time_limit_s: A flight ends after this time [s]; None leaves it to the task.
    """

    robot: Any
    pilot: Any
    fps: int
    time_limit_s: float | None


def in_order(
    job: Callable[[int], dict[str, Any]],
    seeds: list[int],
    workers: int,
    on_done: Callable[[dict[int, dict[str, Any]]], None] = lambda done: None,
) -> Generator[dict[str, Any]]:
    """Fly seeds in worker processes; a caller that has seen enough closes the iterator, and no more are begun.

    Args:
        job: Flies a seed and returns the flight, which has its `seed`; called in a worker process.
        seeds: The seeds, each once.
        workers: Processes that fly at once.
        on_done: Called with all flights done so far, by seed, whenever there are more; at last with those that
            were in the air when the caller had seen enough.

    Yields:
        The flights in the seeds' order, each as soon as it and all before it are done.

    Raises:
        DeviceError: If a process dies.
        Exception: Whatever `job` raises.
    """
    done: dict[int, dict[str, Any]] = {}
    to_fly, in_air = iter(seeds), set[Future]()
    with (
        _one_thread_each(),
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker) as pool,
    ):
        try:
            for seed in seeds:
                while seed not in done:
                    # One more than can fly, so that no process waits for this one to hand out the next.
                    in_air |= {pool.submit(job, s) for s in islice(to_fly, workers + 1 - len(in_air))}
                    landed, in_air = wait(in_air, return_when=FIRST_COMPLETED)
                    done |= {flight["seed"]: flight for flight in (future.result() for future in landed)}
                    on_done(done)
                yield done[seed]
        except BrokenProcessPool as error:
            raise DeviceError(
                f"a process that flew the robot died after {len(done)} of {len(seeds)} flights "
                "(out of memory?): try fewer at once with --workers=1"
            ) from error
        finally:
            # Waits for the flights in the air: leaving at once races with the pool at the interpreter's end.
            pool.shutdown(cancel_futures=True)
            late = [f for f in in_air if f.done() and not f.cancelled() and f.exception() is None]
            if late:
                on_done(done | {flight["seed"]: flight for flight in (f.result() for f in late)})


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the processes started meanwhile compute with one thread each, since there is one a core."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_torch_out()


class _BestReward:
    """A sink that keeps the highest reward of a flight."""

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, tick: Any) -> None:
        self.value = max(self.value, float(tick.reward or 0.0))


class _Sinks:
    """A sink that hands each tick to several."""

    def __init__(self, sinks: list[Any]) -> None:
        self._sinks = sinks

    def add(self, tick: Any) -> None:
        for sink in self._sinks:
            sink.add(tick)


_devices: list[Any] = []  # this worker's robot and pilot, connected at its first flight


def fly_seed(flown: Flown, seed: int, *also: Any) -> dict[str, Any]:
    """Fly one seed in a worker process, whose devices stay connected for the next.

    Args:
        flown: What flies.
        seed: The flight's seed.
        *also: Further sinks that take each tick.

    Returns:
        `seed`, `success`, `reward` (the sum), `max_reward` (of the best tick), `ticks` and `reason`.

    Raises:
        DemodeckError: If robot or pilot fail.
    """
    from collector.session.fly import fly

    robot, pilot = _connected(flown)
    best = _BestReward()
    sink = _Sinks([best, *also])
    flight = fly(
        robot,
        pilot,
        fps=flown.fps,
        seed=seed,
        sink=sink,
        time_limit_s=flown.time_limit_s,
        stop_on_success=True,
    )
    return {
        "seed": seed,
        "success": bool(flight.success),
        "reward": float(flight.reward or 0.0),
        "max_reward": best.value,
        "ticks": flight.ticks,
        "reason": flight.reason,
    }


def _connected(flown: Flown) -> list[Any]:
    from collector.session.devices import connect, make_pilot, make_robot
    from collector.teleoperators.protocols import Fitting

    if not _devices:
        robot, pilot = make_robot(flown.robot), make_pilot(flown.pilot)
        if isinstance(pilot, Fitting):
            pilot.fit_to(robot)
        connect(robot, "robot")
        connect(pilot, "pilot")
        _devices[:] = [robot, pilot]
    return _devices
