"""When a tick is due: absolute deadlines on the wall clock, or simulated time in lock-step."""

from __future__ import annotations

import time

from collector.robots.protocols import Simulated

# `time.sleep` may oversleep by this much; the rest of the wait is spent looking at the clock.
_SPIN_S = 0.0015


class WallClockPacer:
    """Ticks due at `t0 + k / fps`: a late tick never shifts the ones after it.

    Attributes:
        missed: Ticks that began more than half a period after they were due.
        lateness_s: How late each tick began [s], one entry a tick.
    """

    def __init__(self, fps: float) -> None:
        self.period_s = 1.0 / fps
        self.missed = 0
        self.lateness_s: list[float] = []
        self._t0 = time.perf_counter()

    def start(self) -> None:
        """Make now the moment of tick 0."""
        self._t0 = time.perf_counter()
        self.missed = 0
        self.lateness_s = []

    def now_s(self) -> float:
        """Return the seconds since tick 0."""
        return time.perf_counter() - self._t0

    def of_perf_counter(self, moment: float) -> float:
        """Turn a `time.perf_counter()` reading [s] (a camera's capture time) into seconds since tick 0."""
        return moment - self._t0

    def wait_for(self, tick: int) -> None:
        """Sleep until tick `tick` is due; return at once, and count it, where that moment has passed."""
        due = self._t0 + tick * self.period_s
        while (left := due - time.perf_counter()) > 0:
            if left > _SPIN_S:
                time.sleep(left - _SPIN_S)
        late_s = time.perf_counter() - due
        self.lateness_s.append(late_s)
        if late_s > 0.5 * self.period_s:
            self.missed += 1


class LockStepPacer:
    """A simulation's own time: every tick is exactly on time, however long it took to compute."""

    def __init__(self, robot: Simulated) -> None:
        self.missed = 0
        self.lateness_s: list[float] = []
        self._robot = robot
        self._t0 = 0.0

    def start(self) -> None:
        """Make the present simulated time the moment of tick 0."""
        self._t0 = self._robot.sim_time_s

    def now_s(self) -> float:
        """Return the simulated seconds since tick 0."""
        return self._robot.sim_time_s - self._t0

    def of_perf_counter(self, moment: float) -> float:
        """Return the present: in lock-step a camera's picture is taken when it is asked for."""
        return self.now_s()

    def wait_for(self, tick: int) -> None:
        """Return at once: `send_action` has already advanced the time."""


def lateness_ms(lateness_s: list[float]) -> dict[str, float] | None:
    """Return the median, 99th percentile and maximum of a flight's lateness [ms]; None in lock-step."""
    if not lateness_s:
        return None
    late = sorted(lateness_s)
    ranks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(1000 * late[round(share * (len(late) - 1))], 3) for name, share in ranks.items()}
