"""Deadlines are absolute: a late tick never shifts the ones after it."""

import time

from collector.session.pacing import LockStepPacer, WallClockPacer


def test_a_late_tick_is_counted_and_shifts_nothing():
    pacer = WallClockPacer(fps=50)
    pacer.start()
    for tick in range(1, 11):
        if tick == 4:
            time.sleep(0.05)  # the work of tick 3 takes two and a half periods
        pacer.wait_for(tick)
    assert pacer.missed >= 1
    assert len(pacer.lateness_s) == 10
    assert all(late_s >= 0 for late_s in pacer.lateness_s)
    # Tick 10 was due 0.2 s after the start whatever happened to tick 4.
    assert pacer.now_s() >= 0.2
    assert pacer.lateness_s[-1] < pacer.lateness_s[3]


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
