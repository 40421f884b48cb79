"""Keeps encoders from taking real time for themselves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def ordinary_threads() -> Iterator[None]:
    """Leave this thread as it is scheduled now, and let every thread that is begun within be an ordinary one.

    SVT-AV1, opened by root on Linux, puts its own threads and the one that opens it on the highest real-time priority,
    above whoever flies the robot, and all that is started from there inherits it.
    """
    if not hasattr(os, "sched_setscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {thread.name for thread in _THREADS.iterdir()}
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, parameters)
        for thread in {one.name for one in _THREADS.iterdir()} - before:
            with contextlib.suppress(OSError):  # one that has ended again
                os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))
