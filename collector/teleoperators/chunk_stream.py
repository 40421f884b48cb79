"""Action chunks predicted beside the flight: while one is flown, the network thinks about the next.

Real-time chunking (Black, Galliker & Levine 2025, arXiv 2506.07339): a chunk that is asked for now will be there some
ticks later, in which the one before is flown on; the network is told those actions, so that what it predicts goes on
from them. Without that (a network that cannot be told) the chunk's own first actions are skipped.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

_LATENCIES = 10  # last predictions by which the next one's time is judged: the slowest counts

# What predicts: an observation, what is left of the present chunk (1, n, dim) or None, and how many actions of that
# will be flown before the prediction is there; to a chunk (1, n, dim).
Predict = Callable[[Any, Any, int], Any]


@dataclass
class _Asked:
    """A chunk that was asked for: what will give it, how many ticks ago, and after how many it is to be flown."""

    chunk: Future
    delay: int
    ticks_ago: int = 0


class ChunkStream:
    """Gives one action a tick, of chunks that `predict` makes in a thread of its own.

    Attributes:
        late: Ticks on which there was no action left to fly, so that the flight waited for the network.
    """

    def __init__(
        self, predict: Predict, n_action_steps: int, dt_s: float, delay: int | None, in_real_time: bool
    ) -> None:
        """Prepare to fly.

        Args:
            predict: See `Predict`.
            n_action_steps: Ticks from one look at the robot to the next.
            dt_s: A tick [s].
            delay: Ticks from asking to flying a chunk; None: as long as predictions take here (in lock-step, where
                time waits for the network, none).
            in_real_time: Whether time goes on while the network thinks; else `delay` alone says how long it does,
                and the same flight is flown again to the bit.
        """
        self._predict, self._n_action_steps, self._dt_s = predict, n_action_steps, dt_s
        self._delay, self._in_real_time = delay, in_real_time
        self._thread = ThreadPoolExecutor(1, "predict", _ordinary) if in_real_time else None
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES)
        self._chunk: Any = None
        self._next = 0  # action of the chunk to be flown
        self._asked: _Asked | None = None
        self.late = 0

    def reset(self) -> None:
        """Forget what was planned; a prediction that is under way is waited for."""
        if self._asked is not None:
            self._asked.chunk.exception()
        self._chunk, self._asked = None, None

    def close(self) -> None:
        """End the thread, when it has ended what it is at."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def next_action(self, observation: Any) -> Any:
        """Return the action of this tick, (1, dim).

        Args:
            observation: What `predict` takes; it is kept by the thread, so it must not change.

        Raises:
            Exception: Whatever `predict` raises.
        """
        if self._chunk is None:
            if self._in_real_time and not self._latencies_s:
                self._timed(observation, None, 0)  # the first one of all takes longer than those after it
                self._latencies_s.clear()
            self._chunk, self._next = self._timed(observation, None, 0), 0
        if self._asked is not None:
            self._asked.ticks_ago += 1
            self._take_over(self._asked)
        if self._asked is None and self._next >= min(
            self._n_action_steps, self._length - self._expected_delay()
        ):
            self._ask(observation)
        action = self._chunk[:, self._next]
        self._next += 1
        return action

    @property
    def _length(self) -> int:
        return self._chunk.shape[1]

    def _expected_delay(self) -> int:
        """Return after how many ticks a prediction that is asked for now will be there."""
        if self._delay is not None:
            ticks = self._delay
        elif self._in_real_time:
            ticks = math.ceil(max(self._latencies_s) / self._dt_s)
        else:
            ticks = 0
        return min(ticks, self._length - 1)

    def _ask(self, observation: Any) -> None:
        delay = min(self._expected_delay(), self._length - self._next)
        left = self._chunk[:, self._next :] if delay else None
        if self._thread is not None:
            chunk = self._thread.submit(self._timed, observation, left, delay)
        else:
            chunk = Future()
            chunk.set_result(self._timed(observation, left, delay))
        self._asked = _Asked(chunk, delay)
        self._take_over(self._asked)

    def _take_over(self, asked: _Asked) -> None:
        """Fly the chunk that was asked for, where it is time to and it is there, or nothing else is left."""
        nothing_left = self._next >= self._length
        if asked.ticks_ago < asked.delay and not nothing_left:
            return
        if not nothing_left and not asked.chunk.done():
            return
        self.late += not asked.chunk.done()
        self._chunk, self._asked = asked.chunk.result(), None
        self._next = min(asked.ticks_ago, self._length - 1)

    def _timed(self, observation: Any, left: Any, delay: int) -> Any:
        began_s = time.perf_counter()
        chunk = self._predict(observation, left, delay)
        self._latencies_s.append(time.perf_counter() - began_s)
        return chunk


def _ordinary() -> None:
    """Let this thread give way to control, which runs in real time where that is allowed."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
