"""A screen that goes can come back, and hears everything: told once, in order, whenever it comes."""

import multiprocessing
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

import pytest

from collector.session import ipc
from collector.session.port import ScreenPort

KEY = b"a key"


@pytest.fixture
def way():
    """The screen's end of a pipe, and control's port."""
    here, there = multiprocessing.Pipe()
    port = ScreenPort(there)
    yield here, port
    here.close()
    port.close()


@pytest.fixture
def address(tmp_path):
    return str(tmp_path / "port")


def until(holds, limit_s=240):
    deadline_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to hold"
        time.sleep(0.001)


def receive(screen):
    assert screen.poll(240)
    return ipc.receive(screen)


def numbers(screen, n):
    """Return the numbers told to a screen until it has heard of so many, and how many came again."""
    messages = [receive(screen) for _ in range(n)]
    return [message["number"] for message in messages], sum("again" in message for message in messages)


def test_what_is_told_has_its_moment_and_what_is_asked_is_heard(way):
    screen, port = way
    before_s = time.monotonic()
    port.tell("refused", why="no")
    message = receive(screen)
    assert (message["kind"], message["why"]) == ("refused", "no")
    assert before_s <= message["told_s"] <= time.monotonic()
    ipc.send(screen, "event", event="end")
    ipc.send(screen, "event", event="halt")
    assert [message["event"] for message in port.hear()] == ["end", "halt"]
    assert list(port.hear()) == []
    assert port.gone_since_s is None


def test_a_screen_that_goes_is_noticed_and_telling_it_harms_nobody(way):
    screen, port = way
    ipc.send(screen, "event", event="end")
    screen.close()
    assert [message["event"] for message in port.hear()] == ["end"]
    assert port.gone_since_s is not None
    port.tell("refused", why="no")
    assert list(port.hear()) == []


def test_a_screen_that_never_reads_keeps_nobody_waiting(way):
    _, port = way
    done = threading.Thread(
        target=lambda: [port.tell("refused", why="no" * 500) for _ in range(3000)], daemon=True
    )
    done.start()
    done.join(240)
    assert not done.is_alive()


def test_another_screen_takes_the_place_of_the_one_before(way, address):
    screen, port = way
    port.tell("realtime", number=-1)  # before others were awaited: nobody can attach yet
    port.await_others(address, KEY)
    for number in range(3):
        port.tell("refused", number=number)
    port.tell("sealing", number=99)  # soon told again
    with Client(address, authkey=KEY) as other:
        assert numbers(other, 3) == ([0, 1, 2], 3)
        until(lambda: port._come)
        port.tell("refused", number=3)
        assert numbers(other, 1) == ([3], 0)
        ipc.send(other, "event", event="end")
        until(lambda: [message["event"] for message in port.hear()] == ["end"])
    kinds = [receive(screen)["kind"] for _ in range(6)]
    assert kinds == ["realtime", "refused", "refused", "refused", "sealing", "replaced"]
    with pytest.raises(EOFError):
        receive(screen)


def test_a_screen_comes_back_after_it_was_lost(way, address):
    screen, port = way
    port.await_others(address, KEY)
    port.tell("refused", number=0)
    screen.close()
    assert list(port.hear()) == []
    assert port.gone_since_s is not None
    port.tell("refused", number=1)
    with Client(address, authkey=KEY) as other:
        until(lambda: port._come)
        assert list(port.hear()) == []
        assert port.gone_since_s is None
        port.tell("refused", number=2)
        assert numbers(other, 3) == ([0, 1, 2], 2)


def test_a_wrong_key_is_refused_and_does_no_harm(way, address):
    screen, port = way
    port.await_others(address, KEY)
    with pytest.raises((AuthenticationError, EOFError, OSError)):
        Client(address, authkey=b"another")
    port.tell("refused", number=0)
    assert numbers(screen, 1) == ([0], 0)
    with Client(address, authkey=KEY) as other:
        assert numbers(other, 1) == ([0], 1)


@pytest.mark.parametrize("turn", range(5))
def test_none_is_missing_and_none_comes_twice_while_others_are_told(turn, way, address):
    screen, port = way
    port.await_others(address, KEY)
    total, heard, comes = 2000, [], threading.Event()

    def tell():
        for number in range(total):
            if number == 200 * (turn + 1):
                comes.wait(240)  # from here on, at whatever moment
            # A way takes some 60 messages that nobody reads: who is more behind stands still, and misses the rest.
            until(lambda number=number: not comes.is_set() or number - len(heard) < 20)
            port.tell("refused", number=number)
        until(lambda: not list(port.hear()) and len(heard) == total)

    threading.Thread(target=read_all, args=(screen,), daemon=True).start()
    control = threading.Thread(target=tell, daemon=True)
    control.start()
    comes.set()
    with Client(address, authkey=KEY) as other:
        while len(heard) < total:
            heard.append(receive(other)["number"])
        control.join(240)
        assert not other.poll(0)
    assert heard == list(range(total))


def read_all(screen):
    try:
        while True:
            ipc.receive(screen)
    except EOFError:
        pass
