"""Is the picture dark, overexposed, or drifting in brightness? From a few hundred of its values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DARK_MEAN = 10.0  # of 255: below it a lens is covered or the light is off
WHITE = 250  # from this value on, what was there cannot be told any more
WHITE_SHARE = 0.6
DRIFT = 1.4  # times as bright, or as dark, as at the flight's start
PATIENCE_S = 0.5  # a hand before the lens is no fault
_WINDOW_S = 1.0  # over which brightness is averaged
_CELLS = 16  # along the shorter side
_SAME_SCENE = 0.7  # least correlation: below it, another scene is seen and brightness may differ
_FLAT = 6.0  # of 255: a picture that varies less has no structure to compare


@dataclass(frozen=True)
class Verdict:
    """What is wrong with the light.

    Attributes:
        kind: `dark`, `overexposed` or `drifts`.
        seen: The mean of 255, the white share, or how many times as bright as at the start.
        since_s: From when on [s].
    """

    kind: str
    seen: float
    since_s: float


class Exposure:
    """Looks at the pictures of one camera in one flight.

    Brightness drifts where the same scene, by correlation, is shown brighter or darker than in the first
    second; a moving camera that sees another scene is not accused. Some 30 us a picture of any size.
    """

    def __init__(self) -> None:
        self._bad_since: tuple[str, float] | None = None
        self._sum: np.ndarray | None = None
        self._count = 0
        self._window_from_s = 0.0
        self._reference: np.ndarray | None = None
        self._drift: Verdict | None = None

    def see(self, picture: np.ndarray, now_s: float) -> Verdict | None:
        """Return what is wrong with the light, once it has lasted.

        Args:
            picture: uint8, (height, width, channels), each picture once.
            now_s: The flight's time [s].
        """
        step = max(1, min(picture.shape[:2]) // _CELLS)
        sample = picture[step // 2 :: step, step // 2 :: step]
        mean = float(sample.mean())
        white = float(np.count_nonzero(sample >= WHITE)) / sample.size if mean > 128 else 0.0
        kind, seen = (
            ("dark", mean)
            if mean < DARK_MEAN
            else ("overexposed", white)
            if white > WHITE_SHARE
            else ("", 0.0)
        )
        if not kind:
            self._bad_since = None
            self._average(sample, now_s)
            return self._drift
        if self._bad_since is None or self._bad_since[0] != kind:
            self._bad_since = (kind, now_s)
        since_s = self._bad_since[1]
        self._sum = None  # a window holds no such pictures
        return Verdict(kind, seen, since_s) if now_s - since_s >= PATIENCE_S else self._drift

    def _average(self, sample: np.ndarray, now_s: float) -> None:
        if self._sum is None or self._sum.shape != sample.shape:
            self._sum, self._count, self._window_from_s = np.zeros(sample.shape, np.float32), 0, now_s
        self._sum += sample
        self._count += 1
        if now_s - self._window_from_s < _WINDOW_S:
            return
        cells = self._sum.mean(axis=-1) / self._count
        self._sum = None
        if self._reference is None:
            self._reference = cells
            return
        gain = _gain(self._reference, cells)
        if gain is None:
            return  # nothing can be told
        # What has drifted must come back well within, or it would be said again and again.
        limit = math.log(DRIFT) * (1.0 if self._drift is None else 0.8)
        if abs(math.log(gain)) <= limit:
            self._drift = None
        else:
            since_s = self._window_from_s if self._drift is None else self._drift.since_s
            self._drift = Verdict("drifts", gain, since_s)


def _gain(before: np.ndarray, now: np.ndarray) -> float | None:
    """Return how many times as bright the same scene is now; None where another scene is seen."""
    if before.shape != now.shape:
        return None
    deviations = before.std(), now.std()
    if max(deviations) >= _FLAT:
        if min(deviations) < _FLAT / DRIFT / 2:
            return None
        a, b = before.ravel() - before.mean(), now.ravel() - now.mean()
        if float(a @ b) < _SAME_SCENE * float(np.sqrt((a @ a) * (b @ b))):
            return None
    return float(np.median((now + 1.0) / (before + 1.0)))
