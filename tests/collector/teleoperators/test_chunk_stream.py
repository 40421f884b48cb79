"""Chunks are asked for ahead and flown when their time has come, whatever the network takes."""

import threading

import numpy as np
import pytest

from collector.teleoperators.chunk_stream import ChunkStream


class Network:
    """Predicts for tick k the actions k, k + 1, ..., each with the number of the prediction."""

    def __init__(self, n=8):
        self.n, self.told = n, []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, tick, left_over, delay):
        self.gate.wait(240)
        self.told.append((tick, None if left_over is None else left_over[0, :delay, 0].tolist(), delay))
        return np.array([[[tick + i, len(self.told)] for i in range(self.n)]])


def flown(stream, ticks):
    """The ticks that the actions were predicted for, which must be those that they are flown at."""
    actions = [stream.next_action(tick)[0].tolist() for tick in ticks]
    assert [tick for tick, _ in actions] == list(ticks)
    return [number for _, number in actions]


def lock_step(network, n_action_steps=4, delay=2):
    return ChunkStream(network, n_action_steps, 0.1, delay, in_real_time=False)


def test_without_delay_it_is_as_if_the_robot_waited():
    network = Network()
    assert flown(lock_step(network, delay=0), range(12)) == [1] * 4 + [2] * 4 + [3] * 4
    assert network.told == [(0, None, 0), (4, None, 0), (8, None, 0)]
    assert flown(lock_step(Network(), delay=None), range(12)) == [1] * 4 + [2] * 4 + [3] * 4


def test_a_chunk_is_flown_when_its_time_has_come_and_was_told_what_is_flown_before():
    network = Network()
    assert flown(lock_step(network), range(14)) == [1] * 6 + [2] * 4 + [3] * 4
    assert network.told == [(0, None, 0), (4, [4, 5], 2), (8, [8, 9], 2), (12, [12, 13], 2)]


def test_it_asks_early_enough_for_a_long_delay():
    network = Network(n=8)
    assert flown(lock_step(network, n_action_steps=8, delay=3), range(16)) == [1] * 8 + [2] * 5 + [3] * 3
    assert [tick for tick, _, _ in network.told] == [0, 5, 10, 15]


def test_a_new_flight_forgets_the_last_one():
    network = Network()
    stream = lock_step(network)
    flown(stream, range(5))
    stream.reset()
    network.told.clear()
    flown(stream, range(100, 103))
    assert network.told == [(100, None, 0)]


@pytest.fixture
def real_time():
    network = Network()
    stream = ChunkStream(network, 4, 1000.0, None, in_real_time=True)  # whatever it takes, it is one tick
    yield network, stream
    network.gate.set()
    stream.close()


def test_while_the_network_thinks_the_flight_goes_on(real_time):
    network, stream = real_time
    assert flown(stream, range(4)) == [2] * 4, (
        "the first prediction of all is made twice, to see what it takes"
    )
    network.gate.clear()
    assert flown(stream, range(4, 7)) == [2] * 3, "the chunk before lasts longer than it was meant to"
    assert network.told[-1][0] == 0
    network.gate.set()
    stream._asked.chunk.result(240)
    assert flown(stream, range(7, 8)) == [3], "three ticks late, it goes on with its fourth action"
    assert network.told[-1] == (4, [4], 1)
    assert stream.late == 0


def test_with_nothing_left_to_fly_the_flight_waits(real_time):
    network, stream = real_time
    flown(stream, range(4))
    network.gate.clear()
    flown(stream, range(4, 8))
    waited_for, result = stream._asked.chunk, stream._asked.chunk.result

    def wait():
        network.gate.set()
        return result(240)

    waited_for.result = wait
    assert flown(stream, range(8, 9)) == [3]
    assert stream.late == 1


def test_what_the_network_raises_is_raised_in_flight():
    def fail(tick, left_over, delay):
        if tick:
            raise RuntimeError("no memory left")
        return np.zeros((1, 2, 1))

    stream = ChunkStream(fail, 1, 1000.0, None, in_real_time=True)
    stream.next_action(0)
    with pytest.raises(RuntimeError, match="no memory left"):
        for tick in range(1, 4):
            stream.next_action(tick)
    stream.reset()
    stream.close()
