"""The way from control to recorder: a ring of ticks in shared memory, and an ordered message pipe beside it.

The pipe carries one byte for each tick in the ring and JSON for everything else, so that order is kept and
either side sees at once when the other has died.
"""

from __future__ import annotations

import json
import select
import time
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from collector.errors import DemodeckError, DeviceError, explained
from collector.session.features import Recording
from collector.session.fly import Tick

_TICK = b"t"
_HEADER_BYTES = 64  # one cache line: the consumer's count of released slots
_RING_BYTES = 128 * 1024 * 1024
# A socket holds about 270 small messages before a writer blocks: with fewer slots control never waits on it.
_MAX_SLOTS = 240


class RecorderLostError(DeviceError):
    """The recorder process is gone: nothing flown from here on would be kept."""


def _slot_dtype(features: dict[str, dict[str, Any]]) -> np.dtype:
    fields = []
    for name, feature in features.items():
        dtype = "uint8" if feature["dtype"] == "video" else feature["dtype"]
        shape = tuple(feature["shape"])
        fields.append((name, np.dtype(dtype), () if shape == (1,) else shape))
    return np.dtype(fields, align=True)


class Ring:
    """Fixed-size ticks in shared memory, for one producer and one consumer."""

    def __init__(self, features: dict[str, dict[str, Any]], name: str | None = None) -> None:
        """Create the ring, or attach to the one called `name`."""
        self.features = features
        self._dtype = _slot_dtype(features)
        self.slots = int(np.clip(_RING_BYTES // self._dtype.itemsize, 8, _MAX_SLOTS))
        size = _HEADER_BYTES + self.slots * self._dtype.itemsize
        self._owner = name is None
        self._memory = SharedMemory(name=name, create=self._owner, size=size)
        buffer = self._memory.buf
        assert buffer is not None
        self._released = np.frombuffer(buffer, np.uint64, 1)
        self._ticks = np.frombuffer(buffer, self._dtype, self.slots, offset=_HEADER_BYTES)
        self._count = 0  # ticks written (producer) or read (consumer) so far
        if self._owner:
            # Every page is touched now: the first flight would otherwise wait for each of them.
            np.frombuffer(buffer, np.uint8)[:] = 0

    @property
    def name(self) -> str:
        """The name by which the other process attaches."""
        return self._memory.name

    def full(self) -> bool:
        """Return whether the producer must wait or refuse."""
        return self._count - int(self._released[0]) >= self.slots

    def put(self, row: dict[str, Any]) -> None:
        """Write the next tick; the caller has seen that the ring is not full."""
        slot = self._ticks[self._count % self.slots]
        for name, value in row.items():
            slot[name] = value
        self._count += 1

    def take(self) -> np.void:
        """Return the next tick as a view, valid until `release`."""
        return self._ticks[self._count % self.slots]

    def release(self) -> None:
        """Give the slot of the last `take` back to the producer."""
        self._count += 1
        self._released[0] = self._count

    def close(self) -> None:
        """Detach; the creator also removes the memory."""
        self._released = self._ticks = None  # type: ignore[assignment]
        try:
            self._memory.close()
        except BufferError:
            # An error still points to a tick: the memory goes with the process, without another word at its end.
            self._memory.close = lambda: None  # type: ignore[method-assign]
        if self._owner:
            self._memory.unlink()


class RingSink:
    """The sink through which `fly` hands its ticks to the recorder process.

    Attributes:
        lost: Ticks refused in this flight because the ring was full.
    """

    def __init__(self, ring: Ring, pipe: Connection, recording: Recording, wait: bool) -> None:
        """Make the sink; with `wait` (lock-step) a full ring makes the simulation wait, else it refuses."""
        self.lost = 0
        self._ring, self._pipe, self._recording, self._wait = ring, pipe, recording, wait

    def add(self, tick: Tick) -> None:
        """Hand one tick over.

        Raises:
            RecorderLostError: If the recorder process is gone.
        """
        while self._ring.full():
            if not self._wait:
                self.lost += 1  # row and pictures together: nothing shifts
                return
            if self._pipe.poll(0.0005):
                check_for_error(self._pipe)
        self._ring.put({**self._recording.columns(tick), **self._recording.images(tick)})
        try:
            self._pipe.send_bytes(_TICK)
        except OSError as error:
            raise RecorderLostError(LOST_TEXT) from error


LOST_TEXT = (
    "the recorder process is gone: saved episodes are intact, 'demodeck recover' saves the open flight"
)


def check_for_error(pipe: Connection) -> None:
    """Raise what the recorder has reported or, where it died without a word, that it is gone."""
    while pipe.poll():
        try:
            message = receive(pipe)
        except EOFError as error:
            raise RecorderLostError(LOST_TEXT) from error
        if message is not None and message["kind"] == "error":
            raise error_of(message)


def receive(pipe: Connection) -> dict[str, Any] | None:
    """Return the next message, or None for one tick in the ring.

    Raises:
        EOFError: If the other process is gone.
    """
    try:
        data = pipe.recv_bytes()
    except OSError as error:
        raise EOFError from error
    return None if data == _TICK else json.loads(data)


def send(pipe: Connection, kind: str, **content: Any) -> bool:
    """Send a message; return False where the other process is gone."""
    try:
        pipe.send_bytes(json.dumps({"kind": kind, **content}).encode())
    except OSError:
        return False
    return True


def send_unless_stalled(pipe: Connection, kind: str, **content: Any) -> bool:
    """Send a message to the screen, or drop it where the screen has stopped reading: nothing may wait."""
    try:
        writable = select.select([], [pipe.fileno()], [], 0)[1]
    except (OSError, ValueError):
        return False
    return bool(writable) and send(pipe, kind, **content)


def error_message(error: BaseException) -> dict[str, Any]:
    """Return the content of an `error` message that `error_of` turns back into an exception."""
    known = explained(error)
    text = str(known) if known else f"{type(error).__name__}: {error}"
    exit_code = (known or DeviceError).exit_code  # what a device's driver raises is a device's fault
    return {"text": " ".join(text.split()), "exit_code": exit_code, "at": time.time()}


def error_of(message: dict[str, Any]) -> DemodeckError:
    """Return the exception that an `error` message stands for."""
    error = DemodeckError(message["text"])
    error.exit_code = message["exit_code"]
    return error
