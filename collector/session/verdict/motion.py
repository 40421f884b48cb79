"""How the numbers of one take moved: idle ends, leaps and tremor, each against the joint's own range.

The definitions are those of the checks that a curator runs later; here they cost milliseconds, and need no set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

STILL_PER_S = 0.01
"""Under this share of a joint's range a second, nothing moves (1 degree a second of 100)."""

_HALF_WINDOW_S = 0.15  # on either side, over which speed is measured: encoder steps are not motion
_SEEN_HZ = 50.0  # motion is looked for no more often
_LEAST_STEPS = 50  # a joint's range is at least so many of its own smallest steps
_NOISE = 0.5  # von Neumann's ratio: 2 for white noise, far below for anything that really moves
_LONGEST_PULSE = 3  # ticks that a value may stay away and still be a spike
_SWITCH = 0.05  # share of the range: a smaller step is no switch's
_BLOCK = 9  # ticks of which half must reverse to be tremor
_HAND_HZ = 30.0  # a hand trembles at 8 to 12 Hz, which a fast clock does not see from one tick to the next
_ROWS_ENOUGH = 2000  # to know a range


def filled(values: np.ndarray | None, n: int) -> np.ndarray:
    """Return `values` as float64, (n, dim), with what is no number interpolated along time; (n, 0) for None."""
    if values is None:
        return np.zeros((n, 0))
    array = np.array(values, np.float64).reshape(len(values), math.prod(values.shape[1:]))[:n]
    for j in np.flatnonzero(~np.isfinite(array).all(axis=0)):
        good = np.flatnonzero(np.isfinite(array[:, j]))
        array[:, j] = np.interp(np.arange(len(array)), good, array[good, j]) if len(good) else 0.0
    return array


def ranges(values: np.ndarray) -> np.ndarray:
    """Return the range in which each entry moves, 1st to 99th percentile, (dim,); 0 where it only jitters.

    Args:
        values: Finite, (n, dim).
    """
    if len(values) < 3:
        return np.zeros(values.shape[1])
    every = max(1, len(values) // _ROWS_ENOUGH)
    rows = values[:-1:every]
    steps = np.abs(values[1::every] - rows)
    low, high = np.percentile(rows, [1, 99], axis=0)
    noise = (steps**2).mean(axis=0) / np.maximum(rows.var(axis=0), 1e-30)
    span = np.where(noise < _NOISE, high - low, 0.0)
    span[span <= 1e-6 * np.maximum(1e-3, np.abs(high))] = 0.0
    for j in np.flatnonzero(span):
        taken = steps[:, j][steps[:, j] > 0]
        smallest = np.percentile(taken, 10) if len(taken) else 0.0
        span[j] = max(span[j], min(_LEAST_STEPS * smallest, 4 * span[j]))
    return span


def moving(values: np.ndarray, scale: np.ndarray, fps: float, names: Sequence[str] = ()) -> np.ndarray:
    """Return per tick whether any entry moves, bool, (n,).

    Args:
        values: Finite, (n, dim).
        scale: Range by entry, (dim,); inf where it says nothing.
        fps: Ticks a second [Hz].
        names: By entry. What ends in `.vel` is a speed itself, which moves the robot while it is not 0.
    """
    n, half, every = len(values), max(1, round(_HALF_WINDOW_S * fps)), max(1, int(fps / _SEEN_HZ))
    at = np.arange(0, n, every)
    step = values[np.minimum(at + half, n - 1)] - values[np.maximum(at - half, 0)]
    seen = (np.abs(step) > STILL_PER_S * 2 * half / fps * scale).any(axis=1)
    result = np.repeat(seen, every)[:n]
    # A lone blip (a spike, one encoder step) does not end a stretch of standing still.
    spans = runs(result)
    blips = spans[(spans[:, 1] - spans[:, 0] <= 2 * half) & (spans[:, 0] > 0) & (spans[:, 1] < n)]
    for first, last in blips:
        result[first:last] = False
    speeds = [j for j, name in enumerate(names[: values.shape[1]]) if name.endswith(".vel")]
    return result | (np.abs(values[:, speeds]) > STILL_PER_S * scale[speeds]).any(axis=1)


def follows(state: np.ndarray, action: np.ndarray) -> bool:
    """Return whether the state follows the action in the same terms (position control): then the action says it all."""
    if state.shape != action.shape or len(state) < 3:
        return False
    rows = slice(None, None, max(1, len(state) // _ROWS_ENOUGH))
    ds, da = state[rows] - state[rows].mean(axis=0), action[rows] - action[rows].mean(axis=0)
    norm = np.sqrt((ds**2).sum(axis=0) * (da**2).sum(axis=0))
    moved = norm > 0
    return bool(moved.any()) and bool(np.median((ds * da).sum(axis=0)[moved] / norm[moved]) > 0.8)


def leaps(
    values: np.ndarray, scale: np.ndarray, ignore: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest leap of each entry: a step within one tick that its neighbours do not lead to.

    A step that lasts counts by what it exceeds the two steps before and after it, a spike of up to 3 ticks by the
    smaller of its two flanks. A switch (what moves by such steps and nothing else) leaps by nature.

    Args:
        values: Finite, (n, dim).
        scale: Range by entry, (dim,); inf where it says nothing.
        ignore: Steps that are another pilot's, bool, (n - 1,).

    Returns:
        Share of the range, (dim,); the tick before it, (dim,); whether the entry is a switch, (dim,).
    """
    n, dim = values.shape
    if n < 8:
        return np.zeros(dim), np.zeros(dim, int), np.zeros(dim, bool)
    # Joint by joint in memory: many times as fast.
    step = np.ascontiguousarray((np.diff(values, axis=0) / scale).T, np.float32)
    step[:, ignore] = 0.0
    size = np.abs(step)
    padded = np.pad(size, ((0, 0), (2, 2)))
    before = np.maximum(padded[:, :-4], padded[:, 1:-3])
    lasting = size - np.maximum(before, np.maximum(padded[:, 3:-1], padded[:, 4:]))
    worst, at = lasting.max(axis=1), lasting.argmax(axis=1)
    path = np.maximum(size.sum(axis=1), 1e-12)
    switch = np.einsum("ij,ij->i", size, lasting > _SWITCH) > 0.9 * path
    for width in range(1, _LONGEST_PULSE + 1):
        pulse = np.minimum(size[:, :-width], size[:, width:])
        pulse *= step[:, :-width] * step[:, width:] < 0
        for between in range(1, width):  # a way that bends has such flanks too: a spike's top is flat
            pulse -= size[:, between : between - width]
        highest = pulse.max(axis=1)
        for j in np.flatnonzero(highest > worst):
            worst[j], at[j] = highest[j], pulse[j].argmax()
    return worst, at, switch


def tremor(values: np.ndarray, scale: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each entry's tremor in its worst second: amplitude of the back-and-forth, in shares of the range.

    Taken from tick to tick, and again at the rate of a hand where the clock is faster than that.

    Args:
        values: Finite, (n, dim).
        scale: Range by entry, (dim,); inf where it says nothing.
        fps: Ticks a second [Hz].

    Returns:
        Amplitude (dim,) and the tick in the middle of that second, (dim,).
    """
    shares = np.ascontiguousarray(((values - values[:1]) / scale).T, np.float32)
    worst, at = _reversing(shares, fps)
    skip = round(fps / _HAND_HZ)
    if skip > 1:
        whole = len(values) // skip * skip
        slow = shares[:, :whole].reshape(len(shares), whole // skip, skip).mean(axis=2)
        hand, then = _reversing(slow, fps / skip)
        at, worst = np.where(hand > worst, then * skip, at), np.maximum(hand, worst)
    return worst, at


def _reversing(values: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """An alternation of amplitude A, (dim, n), has second differences of 4 A that change sign at every tick."""
    dim, n = values.shape
    blocks = (n - 4) // _BLOCK
    if blocks < 1:
        return np.zeros(dim), np.zeros(dim, int)
    second = np.diff(values, n=2)
    energy = np.maximum(-second[:, 1:] * second[:, :-1], 0)
    paired = np.maximum(energy[:, 1:], energy[:, :-1])[:, : blocks * _BLOCK].reshape(dim, blocks, _BLOCK)
    # The median asks that half of them reverse: a lone spike or bend does not.
    steady = np.partition(paired, _BLOCK // 2, axis=2)[:, :, _BLOCK // 2]
    window = min(blocks, max(1, round(fps / _BLOCK)))
    total = np.cumsum(np.hstack([np.zeros((dim, 1)), steady]), axis=1)
    mean = (total[:, window:] - total[:, :-window]) / window
    at = (mean.argmax(axis=1) + window / 2) * _BLOCK
    return np.sqrt(np.maximum(mean.max(axis=1), 0)) / 4, at.astype(int)


def path_length(values: np.ndarray, scale: np.ndarray, fps: float) -> float:
    """Return how far all entries went together, in ranges; taken at 10 Hz, so that noise is no way."""
    rows = values[:: max(1, round(fps / 10))]
    return float((np.abs(np.diff(rows, axis=0)) / scale).sum())


def runs(mask: np.ndarray) -> np.ndarray:
    """Return the runs of True in `mask` as rows [from, to), (n_runs, 2)."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    return np.flatnonzero(edges).reshape(-1, 2)


def longest(mask: np.ndarray) -> tuple[int, int]:
    """Return the longest run of True, [from, to); (0, 0) without any."""
    spans = runs(mask)
    if not len(spans):
        return 0, 0
    first, last = spans[np.argmax(spans[:, 1] - spans[:, 0])]
    return int(first), int(last)
