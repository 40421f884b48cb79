"""`demodeck eval`: fly one pilot from fixed seeds, in lock-step, spread over the cores, and count successes.

Each flight depends on its seed alone, not on which process flew it or what flew before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lerobot.robots.config import RobotConfig
from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import DeviceError, UsageError
from training.intervals import wilson
from training.versions import versions

DEFAULT_FPS = 30


@dataclass
class PolicyFlags:
    """Short for `--teleop.type=policy --teleop.path=...`."""

    # Folder of a checkpoint, or name on the Hub
    path: str | None = None
    # Tag, branch or commit on the Hub
    revision: str | None = None
    # Device that runs the network
    device: str | None = None
    # Actions flown of each predicted chunk; default: as trained
    n_action_steps: int | None = None
    # Packages that register policies beyond lerobot's own
    packages: list[str] = field(default_factory=lambda: ["training.policies"])


@dataclass
class EvalConfig:
    """Settings of one evaluation."""

    robot: RobotConfig | None = None
    # The pilot to measure, such as scripted or hold; or give a policy
    teleop: TeleoperatorConfig | None = None
    policy: PolicyFlags = field(default_factory=PolicyFlags)
    # Flights
    episodes: int = 100
    # First seed; the others follow it one by one
    seed: int = 5000
    # Control rate [Hz] (default: the one that the policy was trained at, else 30)
    fps: int | None = None
    # A flight ends as a failure after this time [s] (default: the task's limit)
    time_limit_s: float | None = None
    # Processes that fly at once; 0 takes one a core
    workers: int = 0
    # Name in comparisons (default: the policy's or pilot's type)
    name: str | None = None
    # Write the result here as JSON
    output: Path | None = None
    # Print the result as JSON
    json: bool = False


def evaluate(config: EvalConfig) -> dict[str, Any]:
    """Fly `config.episodes` flights from the seeds `config.seed` onwards.

    Returns:
        `name`, `pilot`, `policy` (path, commit, type; None for other pilots), `robot`, `fps`, `n`, `seeds`,
        `successes`, `rate`, `wilson_95` [low, high], `mean_time_s` (of the successes, simulated, else
        None), `mean_reward` (summed over a flight), `mean_max_reward` (of each flight's best tick, the usual
        score of PushT), `flights` (by seed: `seed`, `success`, `reward`, `max_reward`, `ticks`, `reason`),
        `wall_s`, `workers` and `versions`.

    Raises:
        UsageError: If a flag is missing or wrong.
        DataError: If the policy's checkpoint is missing or damaged.
        HubError: If the Hub cannot give the policy.
        MismatchError: If the policy and the robot do not fit each other.
        DeviceError: If the robot or the pilot fails.
    """
    from collector.robots.protocols import Simulated
    from collector.session.devices import make_pilot, make_robot
    from collector.teleoperators.protocols import Fitting

    _validate(config)
    pilot_config = _pilot_config(config)
    pilot = make_pilot(pilot_config)
    robot_config = _without_unseen_cameras(config.robot, list(getattr(pilot, "cameras", [])))
    robot = make_robot(robot_config)
    if not isinstance(robot, Simulated):
        raise UsageError(
            f"--robot.type={robot_config.type} is no simulation: eval flies from seeds; "
            "on a real robot use 'demodeck record --teleop.type=policy' and label the flights"
        )
    if isinstance(pilot, Fitting):
        pilot.fit_to(robot)
    fps = config.fps or _trained_fps(pilot)
    is_policy = pilot_config.type == "policy"
    settings = getattr(pilot, "settings", {})
    described = (
        {"path": pilot_config.path, "commit": pilot.commit, "type": settings.get("type")}
        if is_policy
        else None
    )
    if is_policy:
        # The workers load what was checked here, and ask no network.
        pilot_config = dataclasses.replace(pilot_config, path=str(pilot.folder), revision=None)

    seeds = list(range(config.seed, config.seed + config.episodes))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(config.workers or cores, config.episodes)
    started = time.monotonic()
    flights = _fly_all(robot_config, pilot_config, fps, config.time_limit_s, seeds, workers)
    successes = sum(flight["success"] for flight in flights)
    times_s = [flight["ticks"] / fps for flight in flights if flight["success"]]
    return {
        "name": config.name or (settings.get("type") if is_policy else pilot_config.type),
        "pilot": pilot_config.type,
        "policy": described,
        "robot": robot_config.type,
        "fps": fps,
        "n": len(flights),
        "successes": successes,
        "rate": successes / len(flights),
        "wilson_95": list(wilson(successes, len(flights))),
        "mean_time_s": sum(times_s) / len(times_s) if times_s else None,
        "mean_reward": sum(flight["reward"] for flight in flights) / len(flights),
        "mean_max_reward": sum(flight["max_reward"] for flight in flights) / len(flights),
        "seeds": seeds,
        "flights": flights,
        "wall_s": round(time.monotonic() - started, 2),
        "workers": workers,
        "versions": versions(),
    }


def summary_line(result: dict[str, Any]) -> str:
    """Return a result in one line."""
    low, high = result["wilson_95"]
    return (
        f"{result['name']}: {result['successes']} of {result['n']} succeeded "
        f"({result['rate']:.0%}, 95 % interval {low:.0%} to {high:.0%}), "
        f"best reward {result['mean_max_reward']:.3f} in the mean, "
        f"seeds {result['seeds'][0]} to {result['seeds'][-1]}, {result['wall_s']:.0f} s"
    )


def _validate(config: EvalConfig) -> None:
    if config.robot is None:
        raise UsageError("--robot.type is missing: give --robot.type=sim_so101 (or sim_pusht)")
    if (config.teleop is None) == (config.policy.path is None):
        raise UsageError("one pilot, please: give --policy.path=PATH, or --teleop.type=scripted (or hold)")
    for name, least in (("episodes", 1), ("seed", 0), ("workers", 0)):
        if getattr(config, name) < least:
            raise UsageError(f"--{name}={getattr(config, name)}: it must be at least {least}")
    if config.fps is not None and not 1 <= config.fps <= 1000:
        raise UsageError(f"--fps={config.fps}: it must be between 1 and 1000")


def _pilot_config(config: EvalConfig) -> Any:
    if config.policy.path is None:
        return config.teleop
    from collector.teleoperators.policy import PolicyConfig

    return PolicyConfig(**vars(config.policy))


def _without_unseen_cameras(robot_config: Any, seen: list[str]) -> Any:
    """Return the robot's config with the cameras that the pilot looks at: drawing costs most of a tick."""
    if not isinstance(getattr(robot_config, "cameras", None), list):
        return robot_config
    return dataclasses.replace(robot_config, cameras=[name for name in robot_config.cameras if name in seen])


def _trained_fps(pilot: Any) -> int:
    if not hasattr(pilot, "fps"):
        return DEFAULT_FPS
    if pilot.fps is None:
        raise UsageError("the checkpoint does not say at which rate it was trained: give it as --fps=")
    return pilot.fps


def _fly_all(
    robot_config: Any,
    pilot_config: Any,
    fps: int,
    time_limit_s: float | None,
    seeds: list[int],
    workers: int,
) -> list[dict[str, Any]]:
    """Fly the seeds in worker processes; returns their flights in the seeds' order."""
    done: dict[int, dict[str, Any]] = {}
    with (
        _one_thread_each(),
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker) as pool,
    ):
        waiting: list[Future] = [
            pool.submit(_fly_seed, robot_config, pilot_config, fps, time_limit_s, seed) for seed in seeds
        ]
        try:
            for future in as_completed(waiting):
                flight = future.result()
                done[flight["seed"]] = flight
                _progress(done, len(seeds))
        except BrokenProcessPool as error:
            raise DeviceError(
                f"a process that flew the robot died after {len(done)} of {len(seeds)} flights "
                "(out of memory?): try fewer at once with --workers=1"
            ) from error
        except KeyboardInterrupt:
            print(
                f"\neval: stopped after {len(done)} of {len(seeds)} flights; nothing is written",
                file=sys.stderr,
            )
            raise
        finally:
            # Waits for the flights in the air: leaving at once races with the pool at the interpreter's end.
            pool.shutdown(cancel_futures=True)
    return [done[seed] for seed in seeds]


def _progress(done: dict[int, dict[str, Any]], n: int) -> None:
    step = 1 if sys.stderr.isatty() else max(1, n // 4)
    if len(done) % step and len(done) != n:
        return
    successes = sum(flight["success"] for flight in done.values())
    start, end = ("\r", "\n" if len(done) == n else "") if sys.stderr.isatty() else ("", "\n")
    print(f"{start}eval: {len(done)}/{n} flown, {successes} succeeded", end=end, file=sys.stderr, flush=True)


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


class _BestReward:
    """A sink that keeps the highest reward of a flight."""

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, tick: Any) -> None:
        self.value = max(self.value, float(tick.reward or 0.0))


_devices: list[Any] = []  # this worker's robot and pilot, connected at its first flight


def _fly_seed(
    robot_config: Any, pilot_config: Any, fps: int, time_limit_s: float | None, seed: int
) -> dict[str, Any]:
    """Fly one seed in a worker process."""
    from collector.session.devices import connect, make_pilot, make_robot
    from collector.session.fly import fly
    from collector.teleoperators.protocols import Fitting

    if not _devices:
        robot, pilot = make_robot(robot_config), make_pilot(pilot_config)
        if isinstance(pilot, Fitting):
            pilot.fit_to(robot)
        connect(robot, "robot")
        connect(pilot, "pilot")
        _devices[:] = [robot, pilot]
    robot, pilot = _devices
    best = _BestReward()
    flight = fly(robot, pilot, fps=fps, seed=seed, sink=best, time_limit_s=time_limit_s, stop_on_success=True)
    return {
        "seed": seed,
        "success": bool(flight.success),
        "reward": float(flight.reward or 0.0),
        "max_reward": best.value,
        "ticks": flight.ticks,
        "reason": flight.reason,
    }
