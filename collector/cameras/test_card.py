"""A camera without hardware: a moving test card that carries its frame counter, at its own rate.

It can stand in every lerobot robot's `cameras`: `{front: {type: test_card, width: 640, height: 480, fps: 30}}`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
from lerobot.cameras import Camera, CameraConfig
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.errors import UsageError

_DIGITS = 6
_FONT = np.array(
    [
        [[int(cell) for cell in row] for row in digit.split()]
        for digit in (
            "111 101 101 101 111", "010 110 010 010 111", "111 001 111 100 111", "111 001 111 001 111",
            "101 101 111 001 001", "111 100 111 001 111", "111 100 111 101 111", "111 001 001 001 001",
            "111 101 111 101 111", "111 101 111 001 111",
        )
    ],
    np.uint8,
)  # fmt: skip
_COLUMNS, _ROWS = 4 * _DIGITS + 1, 7  # of the counter's field, in font cells


@CameraConfig.register_subclass("test_card")
@dataclass(kw_only=True)
class TestCardCameraConfig(CameraConfig):
    """Size [px], rate [Hz], and how bright the light is that falls on the card (1: normal, 0: dark)."""

    __test__ = False  # pytest: a name that only begins with Test

    fps: int | None = 30
    width: int | None = 640
    height: int | None = 480
    light: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("fps", 1), ("width", 32), ("height", 16)):
            value = getattr(self, name)
            if value is None or value < least:
                raise UsageError(f"{name}={value} of a test card: must be at least {least}")


class TestCardCamera(Camera):
    """Draws a picture every 1/fps s in its own thread, as lerobot's cameras capture theirs.

    The counter is time: picture k is due k / fps after the connection, and one that would come late is left out.

    Attributes:
        latest_frame: The last picture, RGB, uint8, (height, width, 3).
        latest_timestamp: `time.perf_counter()` at which it was taken [s].
        light: How bright the card is lit; may be changed at any time.
    """

    __test__ = False

    def __init__(self, config: TestCardCameraConfig) -> None:
        super().__init__(config)
        self.config = config
        self.light = config.light
        self.latest_frame: np.ndarray | None = None
        self.latest_timestamp: float | None = None
        self.thread: Thread | None = None
        self.frame_lock = Lock()
        self.new_frame_event = Event()
        self._stop = Event()
        self._card = _card(config.height or 0, config.width or 0)

    def __str__(self) -> str:
        return f"TestCardCamera({self.width}x{self.height})"

    @property
    def is_connected(self) -> bool:
        return self.thread is not None

    @staticmethod
    def find_cameras() -> list[dict[str, Any]]:
        """Return none: a test card is made, not found."""
        return []

    @check_if_already_connected
    def connect(self, warmup: bool = True) -> None:
        """Start drawing.

        Raises:
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._stop = Event()
        self.thread = Thread(target=self._draw, args=(self._stop,), name=str(self), daemon=True)
        self.thread.start()
        if warmup:
            self.async_read(timeout_ms=5000)

    @check_if_not_connected
    def disconnect(self) -> None:
        """Stop drawing.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._stop.set()
        if self.thread is not None:
            self.thread.join(timeout=2.0)
        self.thread = None
        with self.frame_lock:
            self.latest_frame = self.latest_timestamp = None
            self.new_frame_event.clear()

    @check_if_not_connected
    def read(self) -> np.ndarray:
        """Wait for the next picture and return it; errors as `async_read`."""
        self.new_frame_event.clear()
        return self.async_read(timeout_ms=10_000)

    @check_if_not_connected
    def async_read(self, timeout_ms: float = 200) -> np.ndarray:
        """Return the newest picture that this has not returned yet, (height, width, 3); wait for one [ms].

        Raises:
            DeviceNotConnectedError: If the camera is not connected.
            TimeoutError: If none comes in time.
        """
        if not self.new_frame_event.wait(timeout_ms / 1000):
            raise TimeoutError(f"{self} sent no picture for {timeout_ms:.0f} ms")
        self.new_frame_event.clear()
        return self._latest()[0]

    @check_if_not_connected
    def read_latest(self, max_age_ms: int = 500) -> np.ndarray:
        """Return the newest picture at once, (height, width, 3).

        Raises:
            DeviceNotConnectedError: If the camera is not connected.
            TimeoutError: If it is older than `max_age_ms`.
            RuntimeError: If there is none yet.
        """
        picture, moment = self._latest()
        age_ms = (time.perf_counter() - moment) * 1e3
        if age_ms > max_age_ms:
            raise TimeoutError(f"{self}: the newest picture is {age_ms:.0f} ms old (limit {max_age_ms} ms)")
        return picture

    def _latest(self) -> tuple[np.ndarray, float]:
        with self.frame_lock:
            picture, moment = self.latest_frame, self.latest_timestamp
        if picture is None or moment is None:
            raise RuntimeError(f"{self} has no picture yet")
        return picture, moment

    def _draw(self, stop: Event) -> None:
        period_s = 1.0 / (self.fps or 1)
        start, number = time.perf_counter(), 0
        while not stop.is_set():
            picture = draw(self._card, number, self.width or 0, self.light)
            moment = time.perf_counter()
            with self.frame_lock:
                self.latest_frame, self.latest_timestamp = picture, moment
            self.new_frame_event.set()
            number = max(number + 1, int((moment - start) / period_s))
            stop.wait(max(0.0, start + number * period_s - time.perf_counter()))


def draw(card: np.ndarray, number: int, width: int, light: float = 1.0) -> np.ndarray:
    """Return picture `number`: the card moved on by 2 px a picture, and the counter, uint8, (height, width, 3)."""
    shift = 2 * number % (card.shape[1] - width)
    picture = card[:, shift : shift + width].copy()
    top, left, cell = _field(*picture.shape[:2])
    picture[top : top + _ROWS * cell, left : left + _COLUMNS * cell] = 0
    for i, digit in enumerate(f"{number % 10**_DIGITS:0{_DIGITS}}"):
        x = left + (4 * i + 1) * cell
        picture[top + cell : top + 6 * cell, x : x + 3 * cell] = _glyphs(cell)[int(digit)]
    if light != 1.0:
        picture = np.clip(picture * np.float32(light), 0, 255).astype(np.uint8)
    return picture


def read_counter(picture: np.ndarray) -> int:
    """Return the counter of a picture, (height, width, 3), also after lossy compression."""
    top, left, cell = _field(*picture.shape[:2])
    field = picture[top : top + _ROWS * cell, left : left + _COLUMNS * cell].mean(axis=-1)
    cells = field.reshape(_ROWS, cell, _COLUMNS, cell).mean(axis=(1, 3))
    bright = cells > (cells.min() + cells.max()) / 2
    digits = [bright[1:6, 4 * i + 1 : 4 * i + 4] for i in range(_DIGITS)]
    nearest = [int(np.argmin((digit != _FONT).sum(axis=(1, 2)))) for digit in digits]
    return int("".join(map(str, nearest)))


@cache
def _glyphs(cell: int) -> np.ndarray:
    """Return the ten digits in pixels, uint8, (10, 5 x cell, 3 x cell, 3)."""
    pixels = 255 * _FONT.repeat(cell, axis=1).repeat(cell, axis=2)
    return np.ascontiguousarray(pixels[..., None].repeat(3, axis=-1))


def _field(height: int, width: int) -> tuple[int, int, int]:
    """Return the counter's top and left [px] and the side of a font cell [px]."""
    cell = max(1, min(width // (_COLUMNS + 2), height // (2 * _ROWS)))
    return height // 8, (width - _COLUMNS * cell) // 2, cell


def _card(height: int, width: int) -> np.ndarray:
    """Return colour bars over a grey staircase, (height, 2 x width, 3), whose halves are alike."""
    x = np.arange(2 * width) % width
    colours = np.array(
        [(180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16), (180, 16, 180), (180, 16, 16), (16, 16, 180)],
        np.uint8,
    )  # fmt: skip
    card = np.empty((height, 2 * width, 3), np.uint8)
    card[:] = colours[x * len(colours) // width]
    card[3 * height // 4 :] = (x * 11 // width * 25)[:, None]
    return card
