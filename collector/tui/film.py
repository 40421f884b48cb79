"""What the cameras showed in the last take, kept small: for a strip of pictures, and to be seen again at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_EVERY_S = 0.1
_LONGEST = 1200  # pictures of a camera: of a longer take every other one is kept, again and again
_WIDTH_PX = 96


class Film:
    """Small pictures of one take.

    Attributes:
        times_s: When each was shown, from the take's begin [s].
        pictures: Of each camera, uint8, (height, width, 3), as many as there are times.
    """

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.pictures: dict[str, list[np.ndarray]] = {}
        self._every_s = _EVERY_S

    def add(self, time_s: float, pictures: Mapping[str, np.ndarray | None]) -> None:
        """Keep these pictures, unless others were kept just now, or one is missing."""
        if self.times_s and time_s - self.times_s[-1] < self._every_s:
            return
        if not pictures or any(picture is None for picture in pictures.values()):
            return
        self.times_s.append(time_s)
        for camera, picture in pictures.items():
            assert picture is not None
            stride = max(1, picture.shape[1] // _WIDTH_PX)
            self.pictures.setdefault(camera, []).append(picture[::stride, ::stride].copy())
        if len(self.times_s) > _LONGEST:
            self._every_s *= 2
            self.times_s = self.times_s[::2]
            self.pictures = {camera: kept[::2] for camera, kept in self.pictures.items()}

    @property
    def seconds(self) -> float:
        """How long the film is [s]."""
        return self.times_s[-1] if self.times_s else 0.0

    def at(self, time_s: float) -> dict[str, np.ndarray]:
        """Return what each camera showed at a time [s]."""
        if not self.times_s:
            return {}
        index = min(int(np.searchsorted(self.times_s, time_s)), len(self.times_s) - 1)
        return {camera: kept[index] for camera, kept in self.pictures.items()}

    def strip(self, camera: str, n: int) -> np.ndarray | None:
        """Return `n` pictures from first to last side by side, uint8, (height, n * width, 3); None without any."""
        kept = self.pictures.get(camera)
        if not kept or n < 1:
            return None
        chosen = [kept[round(i * (len(kept) - 1) / max(1, n - 1))] for i in range(n)]
        return np.concatenate(chosen, axis=1)
