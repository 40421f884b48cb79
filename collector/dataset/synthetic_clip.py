"""A short clip like a robot camera's, made from a seed: what encoders are measured with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_MARGIN = 64  # room for the drift and for shifting the noise [px]
_NOISE = 3.0  # standard deviation of a small sensor's noise in room light [of 255]
MAX_FRAMES = 40


def synthetic_clip(height: int, width: int, n_frames: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Give pictures of a textured scene that drifts, with an object that moves against it and sensor noise.

    The scene drifts by 1.5 px right and 0.5 px down a frame, as a wrist camera's does.

    Args:
        height, width: Picture size [px].
        n_frames: At most `MAX_FRAMES`: then the scene ends.
        seed: The same seed gives the same pictures.

    Yields:
        RGB, uint8, (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    scene = _scene(height + _MARGIN, width + _MARGIN, rng)
    # The two phases of the drift, on the pixels and half between them; whole numbers, for a clip is made while
    # somebody waits.
    scenes = [scene[:-1, :-1], (scene[:-1, :-1] + scene[:-1, 1:] + scene[1:, :-1] + scene[1:, 1:]) / 4]
    scenes = [one.astype(np.int16) for one in scenes]
    noise = rng.standard_normal((height + _MARGIN, width + _MARGIN, 3), np.float32) * np.float32(_NOISE)
    noise = np.rint(noise).astype(np.int16)
    thing_height, thing_width = height // 3, width // 4
    thing = 255 - scenes[0][:thing_height, :thing_width]
    for k in range(n_frames):
        top, left = k // 2, 3 * k // 2
        picture = scenes[k % 2][top : top + height, left : left + width].copy()
        y, x = height // 3, round((width - thing_width) * (0.5 + 0.4 * np.sin(k / 6)))
        picture[y : y + thing_height, x : x + thing_width] = thing
        dy, dx = rng.integers(0, _MARGIN, 2)
        picture += noise[dy : dy + height, dx : dx + width]
        yield np.clip(picture, 0, 255).astype(np.uint8)


def _scene(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return texture at all scales, a little coloured at the large ones, and boxes with sharp edges."""
    scene = np.full((height, width, 3), 120, np.float32)
    cell, amplitude = max(height, width) / 4, 45.0
    while cell >= 1.5:
        scene += _value_noise(height, width, cell, 1, rng) * np.float32(amplitude)
        if cell > 20:
            scene += _value_noise(height, width, cell, 3, rng) * np.float32(0.3 * amplitude)
        # Natural pictures have about equal contrast in every octave, less what the lens loses.
        cell, amplitude = cell / 2, amplitude * 0.75
    for _ in range(60):
        box_height, box_width = (rng.uniform(0.03, 0.15, 2) * (height, width)).astype(int) + 1
        top, left = rng.integers(0, height), rng.integers(0, width)
        colour = rng.normal(0, 40) + rng.normal(0, 15, 3)
        scene[top : top + box_height, left : left + box_width] += colour.astype(np.float32)
    return scene


def _value_noise(
    height: int, width: int, cell: float, n_channels: int, rng: np.random.Generator
) -> np.ndarray:
    """Return random values on a grid of `cell` [px], interpolated linearly, (height, width, n_channels)."""
    grid = rng.standard_normal((int(height / cell) + 2, int(width / cell) + 2, n_channels), np.float32)
    y, x = np.arange(height, dtype=np.float32) / cell, np.arange(width, dtype=np.float32) / cell
    top, left = y.astype(int), x.astype(int)
    down, right = (y - top)[:, None, None].astype(np.float32), (x - left)[:, None].astype(np.float32)
    lines = grid[top] * (1 - down) + grid[top + 1] * down
    return lines[:, left] * (1 - right) + lines[:, left + 1] * right
