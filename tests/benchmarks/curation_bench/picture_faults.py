"""What goes wrong with cameras: faults of light and lens, of the mount, and of the way to the disk.

A camera that is moved is moved in the simulation. Light and lens change what falls onto the sensor, before its noise;
what happens on the way to the disk rearranges finished pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from curation_bench.faults import SETTLE, moving_place
from curation_bench.flying import Flown, Sky

Pictures = np.ndarray
"""uint8, (n_frames, height, width, 3)."""
NOISE = 1.5
"""Standard deviation of the sensor's noise [grey levels]."""


@dataclass(frozen=True)
class PictureKind:
    """A kind of fault: four sizes, rising, their unit, and the checks that name it rightly."""

    sizes: tuple[float, float, float, float]
    unit: str
    checks: frozenset[str]


def _kind(sizes: tuple[float, ...], unit: str, checks: str) -> PictureKind:
    return PictureKind(sizes, unit, frozenset(checks.split()))  # type: ignore[arg-type]


PICTURE_KINDS: dict[str, PictureKind] = {
    "dark": _kind((0.6, 0.4, 0.2, 0.05), "of the light", "dark exposure"),
    "blurred": _kind((0.5, 1, 2, 4), "px", "blur"),
    "moved": _kind((0.5, 1, 2, 4), "deg", "camera_moved"),
    "bumped": _kind((0.5, 1, 2, 4), "deg", "camera_moved"),
    "exchanged": _kind((0.25, 0.5, 0.75, 1), "share", "camera_swap"),
    "frozen": _kind((4, 8, 15, 30), "frames", "frozen video_jump"),
    "stutter": _kind((4, 10, 20, 40), "repeats", "stutter video_jump"),
    "dropped": _kind((2, 3, 5, 10), "frames", "video_jump video_lag"),
    "late": _kind((1, 2, 3, 5), "frames", "video_lag"),
}
OPTICAL = ("dark", "blurred")
MOUNT = ("moved", "bumped")
LIGHTS = ("dimmer", "brighter", "lamp", "warm")
"""Clean, but lit otherwise than usual."""


def blurred(pictures: Pictures, sigma_px: float) -> np.ndarray:
    """Return the pictures out of focus, float32: a Gaussian of so many pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(pictures.astype(np.float32), (0, sigma_px, sigma_px, 0), mode="nearest")


def lit(pictures: np.ndarray, light: str, rng: np.random.Generator) -> np.ndarray:
    """Return the pictures, float32, as another light shows them."""
    height, width = pictures.shape[1:3]
    gain = np.full((height, width, 3), rng.normal(1, 0.02), np.float32)
    if light == "dimmer":
        gain *= rng.uniform(0.82, 0.9)
    elif light == "brighter":
        gain *= rng.uniform(1.1, 1.18)
    elif light == "lamp":  # at one side
        gain *= np.linspace(0.85, 1.15, width, dtype=np.float32)[:: rng.choice([-1, 1]), None]
    elif light == "warm":
        gain *= np.array([1.08, 1.0, 0.85], np.float32)
    return pictures * gain


def sensed(pictures: np.ndarray, rng: np.random.Generator) -> Pictures:
    """Return what a sensor makes of the light that falls onto it: noise, and eight bits."""
    noise = rng.standard_normal((8, *pictures.shape[1:]), np.float32) * NOISE
    # Eight sheets of noise, each time shifted anew: new noise for every picture would cost more than drawing it.
    shifts = rng.integers(0, pictures.shape[2], len(pictures))
    sheets = np.stack([np.roll(noise[t % 8], int(shifts[t]), axis=1) for t in range(len(pictures))])
    return np.clip(pictures + sheets + 0.5, 0, 255).astype(np.uint8)


def turned(
    camera: str, degrees: float, from_frame: int, rng: np.random.Generator
) -> Callable[[Sky, int], None]:
    """Return what turns a camera in its mount before a frame is seen: about a random axis across its view."""
    angle = rng.uniform(0, 2 * np.pi)
    half = np.radians(degrees) / 2
    turn = np.array([np.cos(half), np.sin(half) * np.cos(angle), np.sin(half) * np.sin(angle), 0.0])

    def disturb(sky: Sky, t: int) -> None:
        if t == from_frame:
            import mujoco

            model = sky.robot._model
            quaternion = model.cam_quat[model.camera(camera).id]
            mujoco.mju_mulQuat(quaternion, quaternion.copy(), turn)

    return disturb


def order_of(
    flown: Flown, name: str, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return which picture stands at each frame after a fault on the way to the disk, and the frames it touches."""
    n = len(flown.state)
    order = np.arange(n)
    if name == "late":
        return np.maximum(order - int(size), 0), (0, n)
    if name == "frozen":
        k = int(size)
        t, _ = moving_place(flown, k, rng, 3.0)
        order[t : t + k + 1] = t
        return order, (t + 1, t + k + 1)
    if name == "dropped":
        k = int(size)
        t, _ = moving_place(flown, k, rng, 0.8 * k)
        order[t:] = np.minimum(order[t:] + k, n - 1)
        return order, (t, t + 1)
    speed = np.abs(np.diff(flown.state[:, :5], axis=0)).max(axis=1)
    moving = SETTLE + np.flatnonzero(speed[SETTLE:-SETTLE] > 0.5)
    at = rng.choice(moving, min(int(size), len(moving) // 2), replace=False) + 1
    order[at] = at - 1
    return order, (int(at.min()), int(at.max()) + 1)


def exchanged(flown: Flown, share: float, rng: np.random.Generator) -> Flown:
    """Return the flight with its cameras exchanged for a share of its frames: from some frame on, or up to it."""
    n = len(flown.state)
    k = round(share * n)
    span = (0, k) if rng.random() < 0.5 else (n - k, n)
    a, b = flown.pictures
    mixed = {name: pictures.copy() for name, pictures in flown.pictures.items()}
    rows = slice(*span)
    mixed[a][rows], mixed[b][rows] = flown.pictures[b][rows], flown.pictures[a][rows]
    return replace(flown, pictures=mixed, span=span)
