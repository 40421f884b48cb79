"""Run `demodeck` and `lerobot-record` on the same rig, and end them whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rigs.fault_rig.log import read_log

PROJECT = Path(__file__).parent.parent.parent
RIG = "rigs.fault_rig"
_groups: set[int] = set()  # process groups that run now
_stopped = threading.Event()  # nothing may be started any more


def environment(home: Path) -> dict[str, str]:
    """Return an environment that finds the rig, and has no account, no Hub and caches only in `home`.

    Nor has it the size of the terminal around it, which readline leaves there and which hides a terminal's own.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DEMODECK_", "COLUMNS", "LINES"))}
    return kept | {
        "HF_HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "tests")]),
        "OMP_NUM_THREADS": "1",
    }


@dataclass
class Take:
    """One recording session to be run: on which recorder, what, and where.

    Attributes:
        recorder: `demodeck` or `lerobot`.
        folder: An empty folder of its own, for the dataset, the log and the caches.
        flags: Flags beyond the common ones, by dotted name.
    """

    recorder: str
    folder: Path
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The dataset."""
        return self.folder / "set"

    @property
    def log(self) -> Path:
        """The log of the arm."""
        return self.folder / "arm.log"

    def command(self) -> list[str]:
        """Return the command line; it is the same for both recorders but for the program's name."""
        flags = {
            "robot.discover_packages_path": RIG,
            "teleop.discover_packages_path": RIG,
            "robot.type": "rig_arm",
            "robot.log": self.log,
            "teleop.type": "rig_pilot",
            "dataset.repo_id": "lab/rig",
            "dataset.root": self.root,
            "dataset.single_task": "wave",
            "dataset.push_to_hub": "false",
            "dataset.reset_time_s": 0,
        } | self.flags
        if self.recorder == "lerobot":
            program = ["-m", "lerobot.scripts.lerobot_record"]
            flags |= {"play_sounds": "false"}
        else:
            program = [str(PROJECT / "demodeck.py"), "record"]
            flags = {"reconnect_time_s": 2} | flags  # what the rig unplugs stays so
        return [sys.executable, *program, *(f"--{name}={value}" for name, value in flags.items())]

    def entries(self) -> list[dict[str, Any]]:
        """Return what the arm's log holds by now."""
        return read_log(self.log)


@contextlib.contextmanager
def running(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process group of its own; none of the group outlives the block.

    Raises:
        RuntimeError: If `kill_all` has been called.
    """
    if _stopped.is_set():
        raise RuntimeError("nothing is started after kill_all")
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True,
            start_new_session=True,
        )  # fmt: skip
    _groups.add(process.pid)
    try:
        if _stopped.is_set():  # it was called while the process started
            raise RuntimeError("nothing is started after kill_all")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _groups.discard(process.pid)


def kill_all() -> None:
    """Kill everything that `running` has started and not ended yet, from whichever thread; start no more."""
    _stopped.set()
    for group in list(_groups):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """Return the pids of a running `demodeck record` by name: screen, control and recorder."""
    spawned = [
        child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())
    ]
    spawned.sort(key=lambda child: (child.create_time(), child.pid))
    control, recorder = spawned[:2]  # in the order in which the screen starts them
    return {"screen": process.pid, "control": control.pid, "recorder": recorder.pid}


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 300) -> None:
    """Wait until the condition holds.

    Raises:
        TimeoutError: If it does not within the time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s until {what}")
        time.sleep(0.01)


def group_is_gone(group: int) -> bool:
    """Return whether no process of a process group runs any more."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    # An orphan that has ended stays in its group until init collects it, which may take its time.
    return not any(_runs_in(process, group) for process in psutil.process_iter())


def _runs_in(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ProcessLookupError):
        return False
