"""Deadlines are absolute: a late tick never shifts the ones after it."""

import pytest

from collector.session import pacing
from collector.session.pacing import LockStepPacer, WallClockPacer


class Clock:
    """A clock that a look moves on by a microsecond, and a sleep by a little more than was asked for."""

    def __init__(self):
        self.now_s = 100.0

    def perf_counter(self):
        self.now_s += 1e-6
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds + 0.001


def test_a_late_tick_is_counted_and_shifts_nothing(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    pacer = WallClockPacer(fps=50)
    pacer.start()
    for tick in range(1, 11):
        if tick == 4:
            clock.now_s += 0.05  # the work of tick 3 takes two and a half periods
        pacer.wait_for(tick)
    assert pacer.missed == 2, "tick 4 by one and a half periods, and tick 5 by half of one and a little"
    assert pacer.lateness_s[3:5] == pytest.approx([0.03, 0.01], abs=1e-4)
    # Tick 10 was due 0.2 s after the start whatever happened to tick 4.
    assert pacer.now_s() == pytest.approx(0.2, abs=1e-4)
    assert [pacer.lateness_s[k] for k in (*range(3), *range(5, 10))] == pytest.approx([0] * 8, abs=1e-4)


def test_lock_step_clocks_are_simulated_time():
    class Robot:
        sim_time_s = 3.0

    robot = Robot()
    pacer = LockStepPacer(robot)
    pacer.start()
    robot.sim_time_s = 3.5
    pacer.wait_for(1)
    assert pacer.now_s() == 0.5
    assert pacer.missed == 0
