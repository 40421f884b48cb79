"""How far one picture is shifted against the usual one, to hundredths of a pixel, and how bright and sharp it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

REACH = 8
"""Largest shift that is looked for, in pixels of the portraits (of at most 48 a side)."""
COARSE = 6
"""Largest shift of the coarse grid, whose points are three pixels apart: steps from them reach what lies between."""
CLIPPED = 3.0
"""Residuals from so many sigmas on count alike: they are an arm or a hand before the background, no shift."""
PLAINLY = 0.75
"""A far shift must misfit by so much less than a near one: flat pictures fit anywhere."""
DOUBTS = (1.0, 0.4, 0.12)
"""Shifts [pixels] that an edge's residual may come from, one stage after the other: else what is shifted by more
than its noise would be left out as if something stood before it."""
STEPS, CLOSE = 4, 0.005
"""Most steps of each stage, and the step [pixels] after which the next one begins."""
TELLING = 400
"""Still pixels that tell most of a shift; the others tell of the light, for which every fourth is enough."""
STILL = 4.0
"""A pixel is still if it varies by at most so much over the set [grey levels] ..."""
SELDOM = 0.35
"""... and is off its median by more than `OFF` grey levels in at most this share of the pictures."""
OFF = 12.0


@dataclass(frozen=True)
class View:
    """What a camera usually shows, in one light.

    Attributes:
        usual: Median picture [grey levels], float32, (height, width).
        sigma: What its pixels vary by, over 0, (height, width).
        still: The pixels that show the same in nearly every picture: a background, or what is fixed to the camera,
            as the jaws of a gripper are to a camera on the wrist; bool, (height, width).
        axes: Unit vectors (right, down) as rows: the direction in which the still pixels tell a shift best, then the
            other, (2, 2). Along a straight edge nothing tells.
    """

    usual: np.ndarray
    sigma: np.ndarray
    still: np.ndarray
    axes: np.ndarray

    @cached_property
    def telling(self) -> tuple[np.ndarray, ...]:
        """The still pixels that the registration looks at.

        Returns:
            Their rows, columns, usual grey and sigma, (n,), and what it is fitted by, (6, n): slopes across and along,
            light that is even, rises across, rises along; and the blur.
        """
        h, w = self.usual.shape
        along, across = np.gradient(self.usual)
        bend = np.gradient(across, axis=1) + np.gradient(along, axis=0)
        worth = np.where(self.still, (across**2 + along**2) / self.sigma**2, -1.0).ravel()
        order = np.argsort(-worth, kind="stable")[: int(self.still.sum())]
        chosen = np.sort(np.concatenate([order[:TELLING], order[TELLING::4]]))
        rows, columns = np.divmod(chosen, w)
        usual = np.maximum(1.0, self.usual.ravel()[chosen])
        basis = [across.ravel()[chosen], along.ravel()[chosen], usual, usual * (columns / w - 0.5)]
        basis += [usual * (rows / h - 0.5), bend.ravel()[chosen]]
        pixels = (rows, columns, usual, self.sigma.ravel()[chosen], np.stack(basis))
        return tuple(values.astype(np.float32) for values in pixels)

    @cached_property
    def coarse(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the coarse grid of shifts (right, down), (n_shifts, 2), and where each puts the telling pixels.

        The latter as places in the picture, row by row, and whether they lie in it, (n_shifts, n) each.
        """
        steps = np.arange(-COARSE, COARSE + 1, 3)
        shifts = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        (h, w), (rows, columns, *_) = self.usual.shape, self.telling
        x, y = columns.astype(int) + shifts[:, :1], rows.astype(int) + shifts[:, 1:]
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        inside[~inside.any(axis=1), 0] = True
        return shifts.astype(float), np.clip(y, 0, h - 1) * w + np.clip(x, 0, w - 1), inside


@dataclass(frozen=True)
class Place:
    """Where a picture stands against another, and how it differs.

    Attributes:
        shift: By how many pixels what it shows lies further along each of the view's axes, (2,).
        unsure: Standard errors of both [pixels], (2,).
        misfit: Mean of the residuals' absolute values in sigmas, each at most `CLIPPED`: 0.8 is noise alone.
        light: Its light, in that of the usual picture.
        blur: Variance of the Gaussian that would make it of the usual picture [square pixels]; below 0 it is sharper.
    """

    shift: np.ndarray
    unsure: np.ndarray
    misfit: float
    light: float
    blur: float


NOWHERE = Place(np.full(2, np.nan), np.full(2, np.inf), CLIPPED, np.nan, np.nan)


def view_of(pictures: np.ndarray, noise: float) -> View:
    """Return what is usual of pictures, uint8 or float, (n, height, width), that vary by at least `noise`."""
    light = np.maximum(1.0, np.median(pictures.reshape(len(pictures), -1), axis=1)).astype(np.float32)
    alike = pictures * (np.median(light) / light)[:, None, None]
    usual = np.median(alike, axis=0).astype(np.float32)
    away = np.abs(alike - usual)
    spread = 1.4826 * np.median(away, axis=0)
    still = (spread <= STILL) & ((away > OFF).mean(axis=0) <= SELDOM)
    sigma = np.sqrt(spread**2 + np.float32(noise**2)).astype(np.float32)
    slopes = np.stack(np.gradient(usual)[::-1]) / sigma * still
    _, vectors = np.linalg.eigh(np.einsum("ihw,jhw->ij", slopes, slopes))
    return View(usual, sigma, still, vectors.T[::-1].copy())


def place_of(picture: np.ndarray, view: View) -> Place:
    """Register a picture against a view, by its still pixels.

    The light may differ by a factor that rises or falls evenly across and along the picture. From the best shift of a
    coarse grid, and from none, Gauss-Newton steps with the usual picture's own slopes (inverse compositional: Baker
    and Matthews 2004), whose noise is none, and Tukey's biweight, so that an arm before the background is left out.

    Args:
        picture: (height, width).
        view: The usual picture; of the same size.
    """
    if not view.still.any() or min(picture.shape) < 4:
        return NOWHERE
    still = view.still
    light = float(np.median(view.usual[still])) / max(1.0, float(np.median(picture[still])))
    bright = picture.astype(np.float32) * np.float32(light)
    shifts, at, inside = view.coarse
    _, _, usual, sigma, _ = view.telling
    off = np.minimum(np.abs(bright.ravel()[at] - usual) / sigma, CLIPPED)
    right, down = shifts[int(np.argmin((off * inside).sum(axis=1) / inside.sum(axis=1)))].tolist()
    near = _refined(bright, view, light, 0.0, 0.0)
    if right == down == 0:
        return near
    far = _refined(bright, view, light, right, down)
    return far if far.misfit < PLAINLY * near.misfit else near


def misfit_of(picture: np.ndarray, usual: np.ndarray, sigma: np.ndarray) -> float:
    """Return the misfit of two pictures of the same place; see `Place.misfit`."""
    light = float(np.median(usual) / max(1.0, np.median(picture)))
    return float(np.minimum(np.abs(picture * light - usual) / sigma, CLIPPED).mean())


def _refined(picture: np.ndarray, view: View, light: float, right: float, down: float) -> Place:
    (h, w), (rows, columns, usual, sigma0, basis) = view.usual.shape, view.telling
    slope, bend, flat = basis[0] ** 2 + basis[1] ** 2, basis[5], picture.ravel()
    blur, factor = 0.0, np.ones_like(usual)
    for doubt in DOUBTS:
        sigma = np.sqrt(sigma0**2 + np.float32(doubt**2) * slope)
        scaled = basis / sigma
        for _ in range(STEPS):
            x, y = columns + np.float32(right), rows + np.float32(down)
            inside = (x >= 1) & (x <= w - 2) & (y >= 1) & (y <= h - 2)  # what lies beyond the edge is unknown
            x, y = np.clip(x, 0, w - 1.001), np.clip(y, 0, h - 1.001)
            left, top = x.astype(np.int32), y.astype(np.int32)
            at, x, y = top * w + left, x - left, y - top
            upper = flat[at] * (1 - x) + flat[at + 1] * x
            lower = flat[at + w] * (1 - x) + flat[at + w + 1] * x
            seen = (upper * (1 - y) + lower * y) / factor
            r = (seen - usual - np.float32(blur) * bend) / sigma
            weighted = scaled * (inside * np.clip(1 - (r / (2 * CLIPPED)) ** 2, 0, None) ** 2)
            normal = (weighted @ scaled.T).astype(np.float64)
            normal[np.diag_indices(len(normal))] += 1e-6 * np.diag(normal) + 1e-9
            step = np.linalg.solve(normal, weighted @ r)
            right, down, blur = right - step[0], down - step[1], float(np.clip(blur + step[5], -2, 8))
            if abs(right) > REACH or abs(down) > REACH or not inside.any():
                return NOWHERE
            # The light's factors are taken out for good, so that later steps see the shift alone.
            factor = factor * (1 + (step[2] * basis[2] + step[3] * basis[3] + step[4] * basis[4]) / usual)
            light /= 1 + step[2]
            if max(abs(step[0]), abs(step[1])) < CLOSE:
                break
    residual = np.minimum(np.abs(r[inside]), CLIPPED)
    variance = np.linalg.inv(normal)[:2, :2] * max(0.01, float(np.mean(residual**2)))
    unsure = np.sqrt(np.einsum("ai,ij,aj->a", view.axes, variance, view.axes))
    return Place(view.axes @ (right, down), unsure, float(residual.mean()), 1 / light, 2 * blur)
