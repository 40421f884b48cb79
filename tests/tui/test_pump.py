"""Nothing that a session tells is lost, and a screen that stands still is noticed."""

import itertools
import multiprocessing
import threading

import pytest

import collector.tui.pump
from collector.session import ipc
from collector.session.process import Processes
from collector.session.state import Event
from collector.tui.pump import Pump

# The thread is ended where the real one ends the whole process.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Session:
    """Two processes as the screen knows them, and a pump."""

    def __init__(self):
        ways = [multiprocessing.Pipe() for _ in range(2)]
        self.processes = Processes([here for here, _ in ways], [])
        self.control, self.recorder = (there for _, there in ways)
        self.pump = Pump(self.processes)

    def asked(self, timeout_s=240):
        """Return the next event that control is asked for; None where none comes in time."""
        return ipc.receive(self.control)["event"] if self.control.poll(timeout_s) else None

    def end(self):
        self.control.close()
        self.recorder.close()


@pytest.fixture
def let_go(monkeypatch):
    """The exit codes with which the pump ended the process."""
    codes = []

    def leave(code):
        codes.append(code)
        raise SystemExit(code)  # of the thread

    monkeypatch.setattr(collector.tui.pump.os, "_exit", leave)
    return codes


@pytest.fixture
def session(monkeypatch, let_go):
    monkeypatch.setattr(collector.tui.pump, "_LOOK_S", 0.002)
    session = Session()
    yield session
    session.end()
    session.pump.join(240)
    assert not session.pump.is_alive()


def test_messages_come_in_order_and_none_comes_last(session):
    session.pump.start()
    for number in range(300):
        ipc.send(session.control, "refused", number=number)
        ipc.send(session.recorder, "saved", number=number)
    session.end()
    heard = []
    while (message := session.pump.heard.get(timeout=240)) is not None:
        heard.append(message)
    for kind in ("refused", "saved"):
        assert [one["number"] for one in heard if one["kind"] == kind] == list(range(300))
    session.pump.join(240)  # nothing beats any more
    assert session.pump.heard.empty()


def test_a_screen_that_stands_still_is_told_of_once(session):
    watch, looking = session.pump._watch, threading.Event()
    looking.set()
    session.pump._watch = lambda: looking.wait() and watch()
    session.pump.start()
    assert session.asked() == Event.UNSEEN.value
    assert session.pump.stalled
    assert session.asked(0.5) is None
    looking.clear()  # else it might stand still anew before we have looked
    session.pump.beat()
    assert not session.pump.stalled
    looking.set()
    assert session.asked() == Event.UNSEEN.value  # it stands still anew


def test_what_is_told_meanwhile_is_heard_by_a_screen_that_lives_again(session):
    session.pump.start()
    assert session.asked() == Event.UNSEEN.value
    for number in range(5):
        ipc.send(session.control, "refused", number=number)
    assert [session.pump.heard.get(timeout=240)["number"] for _ in range(5)] == list(range(5))


def test_a_screen_that_beats_is_never_said_to_stand_still(session):
    watch = session.pump._watch

    def beating():
        session.pump.beat()
        return watch()

    session.pump._watch = beating
    session.pump.start()
    assert session.asked(1.0) is None
    session.pump._watch = watch


def test_a_screen_that_was_put_aside_need_not_beat(session):
    with session.pump.excused():
        session.pump.start()
        assert session.asked(0.5) is None
    assert session.asked() == Event.UNSEEN.value


@pytest.mark.parametrize(("stopped_by", "code"), [(None, 1), (15, 143)])
def test_a_screen_that_cannot_be_closed_is_let_go_after_the_end(stopped_by, code, session, let_go):
    session.processes.stopped_by = stopped_by
    session.pump.start()
    session.end()
    session.pump.join(240)
    assert let_go == [code]


def test_a_screen_that_beats_stays_after_the_end(session, let_go):
    watch, looks, enough = session.pump._watch, itertools.count(), threading.Event()

    def beating():
        session.pump.beat()
        if next(looks) == 4 * collector.tui.pump._LET_GO_LOOKS:
            enough.set()
        return watch()

    session.pump._watch = beating
    session.pump.start()
    session.end()
    assert session.pump.heard.get(timeout=240) is None
    assert enough.wait(240)
    assert session.pump.is_alive() and let_go == []
    session.pump._watch = watch
    session.pump.join(240)
    assert let_go == [1]
