"""Real-time control is taken where allowed, said in words where not, and given back."""

import gc
import os
import sys
import threading

from collector.session import realtime


def test_what_is_taken_is_given_back():
    switch_s, before = sys.getswitchinterval(), gc.isenabled()
    with realtime.undisturbed() as refused:
        assert not gc.isenabled()
        assert all(isinstance(words, str) and words for words in refused)
        if sys.platform == "linux" and not refused and os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK:
            assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    assert gc.isenabled() == before
    assert sys.getswitchinterval() == switch_s
    if sys.platform == "linux":
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_the_recorders_thread_alone_goes_first():
    inherited = []
    with realtime.prompt():
        own = os.sched_getscheduler(0) if sys.platform == "linux" else None
        other = threading.Thread(target=lambda: inherited.append(os.sched_getscheduler(0)))
        if own is not None:
            other.start()
            other.join()
    if own is not None:
        assert own & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_OTHER)
        assert inherited == [os.SCHED_OTHER]
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_without_the_right_it_says_so_and_goes_on(monkeypatch):
    def refuse(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    with realtime.undisturbed() as refused:
        assert any(words.startswith("real-time scheduling") for words in refused)


def test_other_systems_go_without(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with realtime.undisturbed() as refused:
        assert refused == ["real-time scheduling: not used on darwin"]
