"""What a screen sees of a flight while it goes on: the latest ticks and pictures in shared memory.

Control writes and never waits; a screen looks when it likes, and nothing it does is felt by control.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from collector.session.fly import Tick

_ROWS = 2048  # ticks kept: 10 s at 200 Hz
_WIDTH_PX = 320  # pictures are thinned out to at most so many columns: more than a terminal shows
_PICTURES_HZ = 30.0


@dataclass(frozen=True)
class Rows:
    """Ticks in the order in which they were flown.

    Attributes:
        time_s: When each ended, of `time.monotonic()` [s], (n,).
        late_ms: How late each began [ms], (n,).
        asked, sent, measured: Joints in the robot's units, float32, (n, n_joints); NaN where not measured.
        input_age_s: How old the pilot's input was [s], (n,).
        camera_age_s: How old each camera's picture was [s], (n, n_cameras).
        flight: Counts flights, (n,).
    """

    time_s: np.ndarray
    late_ms: np.ndarray
    asked: np.ndarray
    sent: np.ndarray
    measured: np.ndarray
    input_age_s: np.ndarray
    camera_age_s: np.ndarray
    flight: np.ndarray


class View:
    """The memory that control and the screens share.

    Args:
        joints: Action keys of the robot.
        cameras: Full size of each camera's pictures by name, (height, width) [px].
        name: Of the memory to attach to; None makes one.
        stranger: Whether the one who attaches was not started by the one who made it.
    """

    def __init__(
        self,
        joints: list[str],
        cameras: Mapping[str, tuple[int, int]],
        name: str | None = None,
        stranger: bool = False,
    ) -> None:
        self.joints, self.cameras = list(joints), {k: (int(h), int(w)) for k, (h, w) in cameras.items()}
        n, m = len(self.joints), len(self.cameras)
        vector = ("f4", (n,))
        self._dtype = np.dtype(
            [("time_s", "f8"), ("late_ms", "f4"), ("input_age_s", "f4"), ("flight", "u4"),
             ("asked", *vector), ("sent", *vector), ("measured", *vector), ("camera_age_s", "f4", (m,))],
            align=True,
        )  # fmt: skip
        self._strides = {k: max(1, -(-w // _WIDTH_PX)) for k, (_, w) in self.cameras.items()}
        shapes = {
            k: (-(-h // self._strides[k]), -(-w // self._strides[k]), 3) for k, (h, w) in self.cameras.items()
        }
        offsets, at = {}, 64 * (1 + m) + _ROWS * self._dtype.itemsize
        for camera, shape in shapes.items():
            offsets[camera] = at
            at += int(np.prod(shape))
        self._owner = name is None
        self._memory = SharedMemory(name=name, create=self._owner, size=at)
        if stranger:
            # Python 3.12 would remove the memory when this process ends, and control with its maker goes on.
            resource_tracker.unregister(self._memory._name, "shared_memory")  # type: ignore[attr-defined]
        buffer = self._memory.buf
        assert buffer is not None
        # Each counter has a cache line of its own: ticks written, and of each camera twice its pictures (odd while
        # one is being written).
        self._counters = np.frombuffer(buffer, "u8", 8 * (1 + m))[::8]
        self._rows = np.frombuffer(buffer, self._dtype, _ROWS, offset=64 * (1 + m))
        self._pictures = {
            camera: np.frombuffer(buffer, "u1", int(np.prod(shape)), offset=offsets[camera]).reshape(shape)
            for camera, shape in shapes.items()
        }
        if self._owner:
            np.frombuffer(buffer, "u1")[:] = 0  # every page is touched now, and no tick waits for one
        self._flight = self._flown = 0
        self._next_picture_s = 0.0

    @property
    def name(self) -> str:
        """The name by which a screen attaches."""
        return self._memory.name

    def begin(self) -> None:
        """Another flight begins."""
        self._flight += 1
        self._flown = 0

    def add(self, tick: Tick, measured: Mapping[str, Any], fps: float, input_age_s: float = 0.0) -> None:
        """Show one tick.

        Args:
            tick: The tick.
            measured: Where the robot measures itself to be, by action key; what is missing is NaN.
            fps: Control rate [Hz].
            input_age_s: How old the pilot's input was [s].
        """
        now_s, written, nan = time.monotonic(), int(self._counters[0]), float("nan")
        row, clock_s = self._rows[written % _ROWS], tick.clock_s
        row["time_s"], row["flight"] = now_s, self._flight
        row["late_ms"] = 1000 * (clock_s["tick"] - self._flown / fps)
        row["input_age_s"] = input_age_s
        for field, values in (("asked", tick.asked), ("sent", tick.sent), ("measured", measured)):
            row[field] = [values.get(joint, nan) for joint in self.joints]
        row["camera_age_s"] = [clock_s["observation"] - clock_s.get(camera, nan) for camera in self.cameras]
        self._flown += 1
        self._counters[0] = written + 1
        if now_s >= self._next_picture_s:
            self._next_picture_s = now_s + 1 / _PICTURES_HZ
            self.show(tick.observation)

    def show(self, pictures: Mapping[str, np.ndarray]) -> None:
        """Show pictures, as between flights."""
        for number, (camera, shown) in enumerate(self._pictures.items(), 1):
            picture, stride = pictures.get(camera), self._strides[camera]
            if picture is None or picture.shape[:2] != self.cameras[camera]:
                continue
            self._counters[number] += 1
            shown[:] = picture[::stride, ::stride]
            self._counters[number] += 1

    def rows(self, seconds: float) -> Rows:
        """Return the ticks of the last seconds."""
        written = int(self._counters[0])
        n = min(written, _ROWS - 64)  # the oldest may be overwritten while they are read
        rows = self._rows[np.arange(written - n, written) % _ROWS]
        rows = rows[rows["time_s"] >= time.monotonic() - seconds]
        return Rows(
            rows["time_s"], rows["late_ms"], rows["asked"], rows["sent"], rows["measured"], rows["input_age_s"],
            rows["camera_age_s"], rows["flight"],
        )  # fmt: skip

    def picture(self, camera: str) -> tuple[int, np.ndarray | None]:
        """Return the number of pictures shown so far and the latest, uint8, (height, width, 3), thinned out.

        None where there is none yet, or where it is just being overwritten: the next look sees it whole.
        """
        number = 1 + list(self._pictures).index(camera)
        before = int(self._counters[number])
        picture = self._pictures[camera].copy() if before and before % 2 == 0 else None
        torn = int(self._counters[number]) != before
        return before // 2, None if torn else picture

    def close(self) -> None:
        """Detach; the maker also removes the memory."""
        self._counters = self._rows = None  # type: ignore[assignment]
        self._pictures = {}
        try:
            self._memory.close()
        except BufferError:
            self._memory.close = lambda: None  # type: ignore[method-assign]  # somebody still looks: it goes with us
        if self._owner:
            self._owner = False
            self._memory.unlink()
