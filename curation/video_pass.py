"""One grey pass over an episode's video: three numbers a frame, so that pictures never leave the process."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

LONGEST_SIDE = 320


def video_series(frames: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Measure brightness, change and sharpness.

    Args:
        frames: RGB pictures, uint8, (height, width, 3).

    Returns:
        `brightness`: mean grey level (0..255); `difference`: mean absolute grey difference to the picture
        before (the first repeats the second's); `sharpness`: variance of the Laplacian (Pech-Pacheco et al.
        2000); each float64, (n_frames,). Grey is the green channel, thinned to at most 320 pixels a side.
    """
    brightness, difference, sharpness = [], [], []
    before: np.ndarray | None = None
    for frame in frames:
        step = -(-max(frame.shape[:2]) // LONGEST_SIDE)
        grey = frame[::step, ::step, 1].astype(np.float32)
        laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
        brightness.append(float(grey.mean()))
        sharpness.append(float(laplacian.var()))
        difference.append(np.nan if before is None else float(np.abs(grey - before).mean()))
        before = grey
    if len(difference) > 1:
        difference[0] = difference[1]
    return {
        "brightness": np.array(brightness, np.float64),
        "difference": np.nan_to_num(np.array(difference, np.float64)),
        "sharpness": np.array(sharpness, np.float64),
    }
