"""Let control and recorder run on time: real-time scheduling, locked memory, no garbage collection in flight.

Each is used where the system allows it. What it does not allow is said in words, and the session flies without.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator

# Of SCHED_FIFO's 1 to 99: above everything ordinary, below the kernel's own interrupt threads.
_CONTROL, _RECORDER = 40, 20
_SWITCH_S = 0.0005  # a camera's thread gives Python's lock back after this; Python's own default is 5 ms
# From linux/mman.h. On fault: without it the whole of every library would be read in, gigabytes of it.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


@contextlib.contextmanager
def undisturbed() -> Iterator[list[str]]:
    """Run this thread in real time, with the memory locked and no garbage collection, as far as allowed.

    Gives:
        What was not allowed, each in words; empty where everything is.
    """
    refused = [words for words in (_schedule(_CONTROL), _lock_memory()) if words]
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield refused
    finally:
        gc.enable()
        gc.unfreeze()
        sys.setswitchinterval(switch_s)
        _unschedule()
        if sys.platform == "linux":
            ctypes.CDLL(None).munlockall()


@contextlib.contextmanager
def prompt() -> Iterator[None]:
    """Run this thread, but none that it starts, ahead of everything but control, where that is allowed.

    For the recorder's thread that takes the ticks: it does little, and what waits for it is lost in a crash.
    """
    _schedule(_RECORDER)
    try:
        yield
    finally:
        _unschedule()


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Within `undisturbed`, run this thread as any other for a while: connecting a device spins and waits."""
    _unschedule()
    try:
        yield
    finally:
        _schedule(_CONTROL)


def collect_garbage() -> None:
    """Do between two flights what `undisturbed` forbids in them."""
    gc.collect(0)


def _schedule(priority: int) -> str | None:
    if sys.platform != "linux":
        return f"real-time scheduling: not used on {sys.platform}"
    try:
        # Reset on fork: processes and threads that begin from here on are ordinary.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return "real-time scheduling: not allowed (an 'rtprio' line in /etc/security/limits.conf allows it)"
    return None


def _unschedule() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _lock_memory() -> str | None:
    if sys.platform != "linux":
        return None
    import resource

    # With a limit, the first allocation beyond it would fail in flight: better not locked at all.
    limited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY and os.geteuid() != 0
    if not limited and not ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        return None
    return "memory: not locked (a 'memlock unlimited' line in /etc/security/limits.conf allows it)"
