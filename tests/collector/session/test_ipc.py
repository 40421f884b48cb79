"""The ring and its pipe: order, refusal when full, and the death of the other side."""

import multiprocessing

import numpy as np
import pytest

from collector.errors import UsageError
from collector.session import ipc
from collector.session.features import Recording
from collector.session.fly import Tick

FEATURES = {
    "action": {"dtype": "float32", "shape": (1,), "names": ["a.pos"]},
    "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a.pos", "b.pos"]},
    "observation.images.front": {
        "dtype": "video",
        "shape": (4, 6, 3),
        "names": ["height", "width", "channels"],
    },
    "executed_action": {"dtype": "float32", "shape": (1,), "names": ["a.pos"]},
    "intervention": {"dtype": "bool", "shape": (1,), "names": None},
    "clock.tick": {"dtype": "float64", "shape": (1,), "names": None},
    "next.done": {"dtype": "bool", "shape": (1,), "names": None},
}
RECORDING = Recording(FEATURES, ["a.pos", "b.pos"], ["a.pos"], ["front"])


def make_tick(number: int) -> Tick:
    picture = np.full((4, 6, 3), number % 256, np.uint8)
    observation = {"a.pos": float(number), "b.pos": -float(number), "front": picture}
    return Tick(observation, {"a.pos": number}, {"a.pos": number + 0.5}, False, {"tick": number / 30})


@pytest.fixture
def ring_and_pipes():
    ring = ipc.Ring(FEATURES)
    reader = ipc.Ring(FEATURES, ring.name)
    here, there = multiprocessing.Pipe()
    yield ring, reader, here, there
    reader.close()
    ring.close()


def test_ticks_arrive_whole_and_in_order_with_the_messages_between_them(ring_and_pipes):
    ring, reader, here, there = ring_and_pipes
    sink = ipc.RingSink(ring, here, RECORDING, wait=False)
    for number in range(3):
        sink.add(make_tick(number))
    ipc.send(here, "end", success=True)
    for number in range(3):
        assert ipc.receive(there) is None
        tick = reader.take()
        np.testing.assert_array_equal(tick["observation.state"], [number, -number])
        assert tick["action"] == number
        assert tick["executed_action"] == number + 0.5
        assert (tick["observation.images.front"] == number).all()
        reader.release()
    assert ipc.receive(there) == {"kind": "end", "success": True}


def test_a_full_ring_refuses_row_and_picture_together(ring_and_pipes):
    ring, reader, here, _ = ring_and_pipes
    sink = ipc.RingSink(ring, here, RECORDING, wait=False)
    for number in range(ring.slots + 2):
        sink.add(make_tick(number))
    assert sink.lost == 2
    for number in range(ring.slots):
        tick = reader.take()
        assert tick["action"] == number
        assert (tick["observation.images.front"] == number % 256).all()
        reader.release()


def test_a_dead_recorder_is_noticed_while_flying(ring_and_pipes):
    ring, _, here, there = ring_and_pipes
    sink = ipc.RingSink(ring, here, RECORDING, wait=True)
    there.close()
    with pytest.raises(ipc.RecorderLostError, match="demodeck recover"):
        sink.add(make_tick(0))


def test_an_error_crosses_the_pipe_with_its_words_and_exit_code(ring_and_pipes):
    _, _, here, there = ring_and_pipes
    ipc.send(there, "error", **ipc.error_message(UsageError("the dataset is there already")))
    with pytest.raises(Exception, match="the dataset is there already") as caught:
        ipc.check_for_error(here)
    assert caught.value.exit_code == UsageError.exit_code
