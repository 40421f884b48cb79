"""What all tests share: the command as users run it, in an environment of its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

PROJECT = Path(__file__).parent.parent

# What an example takes on the clock is the machine's, not the code's: a moment without the processor proves nothing.
hypothesis.settings.register_profile(
    "no clock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no clock")


LONG = (
    "test_cockpit_tmux",
    "test_demo.py",
    "test_record",
    "test_pad_record",
    "test_train_parallel",
    "_faults",
)
"""Files that take minutes begin first: a worker that came to one last would keep the other waiting."""


def pytest_collection_modifyitems(items):
    """Put the long files first, in the order above; within a file, and among the others, nothing moves."""

    def rank(item):
        return next((n for n, part in enumerate(LONG) if part in item.path.name), len(LONG))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def ordinary_scheduling():
    """Lerobot's own encoder (SVT-AV1) leaves a process of root's in real time, and all that is started from it."""
    yield
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture
def command_env(tmp_path, tmp_path_factory):
    """Environment without the user's caches, account or Hub."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DEMODECK_"))}
    return env | {
        "HF_HOME": str(tmp_path / "hf-home"),
        "XDG_CACHE_HOME": str(tmp_path_factory.getbasetemp() / "cache"),
        "PYTHONPATH": str(PROJECT),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@pytest.fixture
def start_demodeck(command_env, tmp_path):
    """Start `demodeck ...` in its own process group; whatever still runs at the end of the test is killed."""
    started = []

    def start(*args, **kwargs):
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / "demodeck.py"), *map(str, args)],
            cwd=tmp_path,
            env=command_env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **kwargs,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


@pytest.fixture
def demodeck(start_demodeck):
    """Run `demodeck ...` to its end; returns (exit code, stdout, stderr)."""

    def run(*args, timeout=400):
        process = start_demodeck(*args)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    return run
