"""What the person asks for reaches the state table in order, and never acts on what came after it."""

import multiprocessing
import time
from types import SimpleNamespace

import pytest

from collector.session import ipc
from collector.session.helm import Helm
from collector.session.port import ScreenPort
from collector.session.state import Event, State


class Pad:
    """A pilot with buttons."""

    def __init__(self):
        self.pressed, self.felt, self.typed = [], [], []

    def session_events(self):
        pressed, self.pressed = self.pressed, []
        return pressed

    def cue(self, cue):
        self.felt.append(cue)

    def feed(self, data, moment_s):
        self.typed.append(data)


def told(helm, kind):
    """Return the messages of a kind that the screen got since it was last asked."""
    messages = []
    while helm.here.poll():
        messages.append(ipc.receive(helm.here))
    return [message for message in messages if message["kind"] == kind]


@pytest.fixture
def helm():
    here, there = multiprocessing.Pipe()
    helm = Helm(ScreenPort(there))
    helm.here, helm.pad = here, Pad()
    helm.rig = SimpleNamespace(pilot=helm.pad)
    yield helm
    here.close()


def press(helm, event, at=None):
    ipc.send(helm.here, "event", event=event.value, episode=None, at=time.monotonic() if at is None else at)


def test_keys_and_buttons_come_in_and_are_felt(helm):
    helm.take(Event.BEGIN)
    press(helm, Event.PAUSE)
    assert helm.poll() is Event.PAUSE
    assert helm.state is State.PAUSED
    helm.pad.pressed = [Event.DISCARD, Event.END]
    assert helm.poll() is Event.END
    messages = [ipc.receive(helm.here) for _ in range(4)]
    assert [message.get("state") for message in messages] == ["recording", "paused", None, "ready"]
    assert messages[2]["event"] == "discard" and "no flight is running" in messages[2]["why"]
    assert helm.pad.felt == ["begin", "pause", "refused", "end"]
    assert helm.poll() is None


@pytest.mark.parametrize("source", ["screen", "pad"])
def test_what_was_pressed_before_a_flight_does_not_end_it(helm, source):
    if source == "screen":
        press(helm, Event.SUCCEED)
    else:
        helm.pad.pressed = [Event.SUCCEED]
    helm.take(Event.BEGIN)
    helm.mark()
    assert helm.poll() is None
    assert helm.state is State.RECORDING
    assert "before this began" in told(helm, "refused")[0]["why"]
    helm.pad.pressed = [Event.SUCCEED]
    assert helm.poll() is Event.SUCCEED


def test_an_emergency_stop_counts_whenever_it_was_pressed(helm):
    press(helm, Event.HALT)
    helm.take(Event.BEGIN)
    helm.mark()
    assert helm.poll() is Event.HALT
    assert helm.halted
    press(helm, Event.STOP)
    assert helm.poll() is Event.STOP
    assert helm.halted, "ending the session frees no robot"


def test_handlers_do_not_end_a_flight(helm):
    seen = []
    helm.handlers[Event.CLUTCH] = lambda event, content: seen.append(event)
    helm.take(Event.BEGIN)
    press(helm, Event.CLUTCH)
    press(helm, Event.END)
    assert helm.poll() is Event.END
    assert seen == [Event.CLUTCH]


def test_what_ends_a_flight_does_something_else_between_flights(helm):
    marked = []
    helm.between[Event.SUCCEED] = lambda event, content: marked.append(content["episode"])
    press(helm, Event.SUCCEED)
    assert helm.poll() is None
    assert len(marked) == 1 and helm.state is State.READY
    helm.take(Event.BEGIN)
    press(helm, Event.SUCCEED)
    assert helm.poll() is Event.SUCCEED
    assert len(marked) == 1


def test_typed_keys_go_to_the_pilot_and_a_lost_screen_is_an_event(helm):
    ipc.send(helm.here, "keys", data=b"w".hex(), at=time.monotonic())
    assert helm.poll() is None
    assert helm.pad.typed == [b"w"]
    helm.here.close()
    assert helm.poll() is Event.LOST
    assert helm.lost_screen and helm.state is State.STOPPING
    assert helm.poll() is None
