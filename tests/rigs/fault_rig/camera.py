"""A camera with the interface and the thread of lerobot's `OpenCVCamera`, and faults on request."""

from __future__ import annotations

import time
from collections import deque
from threading import Event, Lock, Thread
from typing import Any

import numpy as np

from rigs.fault_rig.pictures import backgrounds, write_number

FAULTS = ("camera_raises", "camera_freezes", "camera_skips", "camera_lags")


class RigCamera:
    """Captures coded pictures at its own rate in its own thread.

    Attributes:
        latest_frame: The last picture, uint8, (height, width, 3).
        latest_timestamp: `time.perf_counter()` at which it was captured [s].
        latest_number: Its capture number, counted from 0 at `connect`.
        fault: One of `FAULTS`, or empty; takes effect when it is set.
        lag_s: How old the pictures of `camera_lags` are [s].
    """

    def __init__(self, height: int, width: int, fps: float, seed: int) -> None:
        self.height, self.width, self.fps = height, width, fps
        self.fault = ""
        self.lag_s = 0.3
        self.thread: Thread | None = None
        self.stop_event: Event | None = None
        self.frame_lock = Lock()
        self.new_frame_event = Event()
        self.latest_frame: np.ndarray | None = None
        self.latest_timestamp: float | None = None
        self.latest_number = -1
        self._backgrounds = backgrounds(height, width, seed)

    @property
    def is_connected(self) -> bool:
        return self.thread is not None

    def connect(self, warmup: bool = True) -> None:
        self.stop_event = Event()
        self.thread = Thread(target=self._read_loop, args=(self.stop_event,), name="rig-camera", daemon=True)
        self.thread.start()
        if warmup:
            self.async_read(timeout_ms=5000)

    def disconnect(self) -> None:
        if self.stop_event is not None and self.thread is not None:
            self.stop_event.set()
            self.thread.join(timeout=2.0)
        self.thread = self.stop_event = None

    def read(self) -> np.ndarray:
        self.new_frame_event.clear()
        return self.async_read(timeout_ms=10000)

    def async_read(self, timeout_ms: float = 200) -> np.ndarray:
        self._check_alive()
        if not self.new_frame_event.wait(timeout=timeout_ms / 1000.0):
            raise TimeoutError(f"Timed out waiting for frame from {self} after {timeout_ms} ms.")
        self.new_frame_event.clear()
        return self.read_numbered()[0]

    def read_latest(self, max_age_ms: int = 500) -> np.ndarray:
        return self.read_numbered(max_age_ms)[0]

    def read_numbered(self, max_age_ms: int = 500) -> tuple[np.ndarray, int]:
        """Return the last picture and its capture number; errors as lerobot's `read_latest`."""
        self._check_alive()
        with self.frame_lock:
            frame, moment, number = self.latest_frame, self.latest_timestamp, self.latest_number
        if frame is None or moment is None:
            raise RuntimeError(f"{self} has not captured any frames yet.")
        age_ms = (time.perf_counter() - moment) * 1e3
        if age_ms > max_age_ms:
            raise TimeoutError(
                f"{self} latest frame is too old: {age_ms:.1f} ms (max allowed: {max_age_ms} ms)."
            )
        return frame, number

    def __str__(self) -> str:
        return f"RigCamera({self.width}x{self.height})"

    def _check_alive(self) -> None:
        if self.thread is None or self.fault == "camera_raises":
            raise RuntimeError(f"{self} read thread is not running.")

    def _read_loop(self, stop: Event) -> None:
        number, started = 0, time.perf_counter()
        delayed: deque[tuple[Any, ...]] = deque()
        while not stop.is_set():
            due = started + number / self.fps
            if (left_s := due - time.perf_counter()) > 0:
                time.sleep(left_s)
            picture = self._backgrounds[number % len(self._backgrounds)].copy()
            write_number(picture, number)
            delayed.append((picture, time.perf_counter(), number))
            number += 1
            lag = round(self.lag_s * self.fps) if self.fault == "camera_lags" else 0
            while len(delayed) > lag + 1:
                delayed.popleft()
            skipped = self.fault == "camera_skips" and number % 3 == 0
            if self.fault == "camera_freezes" or skipped or len(delayed) <= lag:
                continue
            with self.frame_lock:
                self.latest_frame, self.latest_timestamp, self.latest_number = delayed.popleft()
            self.new_frame_event.set()
