"""How far one picture is shifted against another, to fractions of a pixel, whatever hides a part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REACH = 8
"""Largest shift that is looked for, in pixels of the portraits (of at most 48 a side)."""
RELIEF_SIDE = 11
"""Of the square whose mean a pixel is compared with, so that a lamp at the side is no shift."""
CLIPPED = 3.0
"""Residuals from so many sigmas on count alike: they are an arm or a hand before the background, no shift."""
PLAINLY = 0.75
"""A far shift must misfit by so much less than a near one: flat pictures fit anywhere."""
STEPS = 8


def relief_of(picture: np.ndarray) -> np.ndarray:
    """Return what a picture shows more than its surroundings, float32, (height, width): light and shade cancel."""
    from scipy.ndimage import uniform_filter

    picture = picture.astype(np.float32)
    return picture - uniform_filter(picture, RELIEF_SIDE, mode="nearest")


@dataclass(frozen=True)
class Place:
    """Where a picture stands against another.

    Attributes:
        right, down: By how many pixels what it shows lies further right and down.
        misfit: Mean of the residuals' absolute values in sigmas, each at most `CLIPPED`: 0.8 is noise alone.
        unsure: Standard error of the shift [pixels], of the less certain direction.
    """

    right: float
    down: float
    misfit: float
    unsure: float


def place_of(picture: np.ndarray, usual: np.ndarray, sigma: np.ndarray) -> Place:
    """Register a picture against the usual one.

    The light may differ by a factor. From the best shift of a coarse grid, and from none, Gauss-Newton steps
    (Lucas and Kanade 1981) with Tukey's biweight, so that an arm before the background is left out.

    Args:
        picture: Its relief, float, (height, width).
        usual: Likewise.
        sigma: What a pixel of `usual` varies by, (height, width); over 0.
    """
    grid = range(-REACH, REACH + 1, 2)
    _, right, down = min((_misfit(picture, usual, sigma, x, y), x, y) for y in grid for x in grid)
    near = _refined(picture, usual, sigma, 0.0, 0.0)
    far = _refined(picture, usual, sigma, float(right), float(down)) if (right, down) != (0, 0) else near
    return far if far.misfit < PLAINLY * near.misfit else near


def misfit_of(picture: np.ndarray, usual: np.ndarray, sigma: np.ndarray) -> float:
    """Return the misfit of two pictures of the same place; see `Place.misfit`."""
    light = float(np.median(usual) / max(1.0, np.median(picture)))
    return _misfit(picture * light, usual, sigma, 0, 0)


def _misfit(picture: np.ndarray, usual: np.ndarray, sigma: np.ndarray, right: int, down: int) -> float:
    h, w = usual.shape
    there = slice(max(0, down), h + min(0, down)), slice(max(0, right), w + min(0, right))
    here = slice(max(0, -down), h + min(0, -down)), slice(max(0, -right), w + min(0, -right))
    return float(np.minimum(np.abs(picture[there] - usual[here]) / sigma[here], CLIPPED).mean())


def _moved(picture: np.ndarray, right: float, down: float) -> np.ndarray:
    """Return the picture shifted back by so many pixels, bilinear, its edges continued."""
    for axis, shift in ((0, down), (1, right)):
        n = picture.shape[axis]
        at = np.clip(np.arange(n) + shift, 0, n - 1)
        low = np.minimum(at.astype(int), n - 2)
        part = (at - low).astype(picture.dtype)
        part = part[:, None] if axis == 0 else part[None, :]
        picture = np.take(picture, low, axis) * (1 - part) + np.take(picture, low + 1, axis) * part
    return picture


def _refined(picture: np.ndarray, usual: np.ndarray, sigma: np.ndarray, right: float, down: float) -> Place:
    h, w = usual.shape
    edge = np.ones((h, w), bool)
    for _ in range(STEPS):
        edge[:] = False
        y, x = int(np.ceil(abs(down))) + 1, int(np.ceil(abs(right))) + 1
        edge[y : h - y, x : w - x] = True  # what lies beyond the picture's edge is unknown
        moved = _moved(picture, right, down)
        r = (moved - usual) / sigma
        weight = edge * np.clip(1 - (r / (2 * CLIPPED)) ** 2, 0, None) ** 2
        slope_y, slope_x = np.gradient(moved)
        columns = np.stack([slope_x / sigma, slope_y / sigma, moved / sigma, 1 / sigma]).reshape(4, -1)
        weighted = columns * weight.ravel()
        normal = weighted @ columns.T
        normal[np.diag_indices(4)] += 1e-6 * np.diag(normal) + 1e-9
        step = np.linalg.solve(normal, weighted @ r.ravel())
        right, down = right - step[0], down - step[1]
        if abs(right) > REACH or abs(down) > REACH:
            return Place(0.0, 0.0, CLIPPED, np.inf)
        if max(abs(step[0]), abs(step[1])) < 0.005:
            break
        # The light's factor and offset are taken out for good, so that later steps see the shift alone.
        picture = picture * np.float32(1 - step[2]) - np.float32(step[3])
    residual = np.minimum(np.abs(_moved(picture, right, down) - usual)[edge] / sigma[edge], CLIPPED)
    if not residual.size:
        return Place(0.0, 0.0, CLIPPED, np.inf)
    variance = np.diag(np.linalg.inv(normal))[:2] * max(0.01, float(np.mean(residual**2)))
    return Place(right, down, float(residual.mean()), float(np.sqrt(variance.max())))
