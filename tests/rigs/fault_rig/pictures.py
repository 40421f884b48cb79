"""Pictures that carry their capture number in blocks which survive video compression."""

from __future__ import annotations

import numpy as np

_COLUMNS, _ROWS = 6, 4
_BITS = _COLUMNS * _ROWS
_VARIANTS = 16  # pictures made ahead, for making noise costs more than a camera's period


def _block(height: int, width: int) -> int:
    if height < 32 or width < 48:
        raise ValueError(f"{width}x{height}: a coded picture needs at least 48x32 pixels")
    return min(height // _ROWS, width // _COLUMNS, 40)


def backgrounds(height: int, width: int, seed: int) -> list[np.ndarray]:
    """Return moving, noisy pictures, uint8, (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    pictures = []
    for i in range(_VARIANTS):
        shade = 110 + 60 * np.sin(2 * np.pi * (x / width + y / height + i / _VARIANTS))
        noise = random.normal(0, 3, (height, width, 3))
        pictures.append(np.clip(shade[..., None] + noise, 0, 255).astype(np.uint8))
    return pictures


def write_number(picture: np.ndarray, number: int) -> None:
    """Draw a capture number (below 2**23) into the upper left corner; the last bit is the parity."""
    side = _block(*picture.shape[:2])
    bits = [number >> i & 1 for i in range(_BITS - 1)]
    cells = np.array([*bits, sum(bits) % 2], np.uint8).reshape(_ROWS, _COLUMNS) * 255
    picture[: side * _ROWS, : side * _COLUMNS] = np.kron(cells, np.ones((side, side), np.uint8))[..., None]


def read_number(picture: np.ndarray) -> int | None:
    """Return the capture number of a picture, uint8, (height, width, 3), or None where none is readable."""
    side = _block(*picture.shape[:2])
    grid = picture[: side * _ROWS, : side * _COLUMNS].mean(axis=2).reshape(_ROWS, side, _COLUMNS, side)
    inner = slice(side // 4, side - side // 4)  # compression blurs the edges
    bits = (grid[:, inner, :, inner].mean(axis=(1, 3)) > 127).ravel()
    if bits[:-1].sum() % 2 != bits[-1]:
        return None
    return int(sum(int(bit) << i for i, bit in enumerate(bits[:-1])))
