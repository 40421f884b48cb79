"""What a camera usually shows in this set: its background, and what becomes of its pictures when joints move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.checks.register import relief_of
from curation.grey import BLOCK_STEPS

FEATURES = 400
"""Random Fourier features (Rahimi and Recht 2007) of the joints."""
BANDWIDTH = 2.4
"""Standard deviation of their frequencies for six joints, in radians a range of a joint."""
RIDGE = 1e-4
MOST_FRAMES = 30_000
"""Frames that the models are fitted to; more would cost time and change little."""
FEWEST_FRAMES = 2_000
FEWEST_PORTRAITS = 32
"""Eight episodes of four."""
MOST_PORTRAITS = 1000
NOISE = 1.5
"""What a portrait's pixels vary by at least [grey levels]."""
LEAST_NOISE = 0.02
"""What a block's brightness varies by at least [grey levels]."""


@dataclass(frozen=True)
class PictureModel:
    """One camera's usual pictures.

    Attributes:
        usual: Median of the set's portraits, float32, (height, width); (0, 0) where they differ in size or are few.
        sigma: What its pixels vary by over the set [grey levels], float32, (height, width).
        relief, relief_sigma: The same of the portraits' relief; see `register.relief_of`.
        weights: From features of the joints to the blocks' brightness [grey levels], (n_features, n_blocks); width
            0 where the set has too few frames.
        noise: Of each block what the model leaves unexplained of its change over two frames, (n_blocks,).
        speed: Expected grey difference of two frames: of each joint the grey levels for its speed in ranges a frame,
            then those of a camera that stands still, (n_state + 1,).
    """

    usual: np.ndarray
    sigma: np.ndarray
    relief: np.ndarray
    relief_sigma: np.ndarray
    weights: np.ndarray
    noise: np.ndarray
    speed: np.ndarray


def features_of(state: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return random Fourier features of the joints, float32, (n_frames, n_features); the same for the same width.

    Args:
        state: Joints, (n_frames, n_state).
        scale: Their ranges in the set, inf where constant, (n_state,).
    """
    rng = np.random.default_rng(0)
    width = state.shape[1]
    frequencies = rng.normal(0, BANDWIDTH * np.sqrt(6 / max(6, width)), (width, FEATURES))
    phases = rng.uniform(0, 2 * np.pi, FEATURES)
    return np.cos((state / scale) @ frequencies + phases).astype(np.float32)


def over_two(values: np.ndarray) -> np.ndarray:
    """Return the change from the frame before to the one after, (n_frames - 2, ...)."""
    return values[2:] - values[:-2]


def blocks_of(series: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return the blocks' brightness [grey levels], float32, (n_frames, n_blocks); None where it was not looked at."""
    blocks = series.get("blocks")
    return None if blocks is None else blocks.astype(np.float32) / BLOCK_STEPS


def fit_pictures(
    states: Sequence[np.ndarray], series: Sequence[Mapping[str, np.ndarray]], scale: np.ndarray
) -> PictureModel:
    """Fit one camera's model.

    Args:
        states: Of each episode the joints, (n_frames, n_state).
        series: Of each what `curation.grey` made of its pictures; empty where there are none.
        scale: The joints' ranges, (n_state,).
    """
    usual = _usual([one["portraits"] for one in series if len(one.get("portraits", ()))])
    width = len(scale)
    xs, ys, speeds, differences = [], [], [], []
    frames = 0
    step = max(1, -(-sum(map(len, states)) // MOST_FRAMES))
    for state, one in list(zip(states, series))[::step]:
        blocks = blocks_of(one)
        if blocks is None or len(blocks) != len(state) or len(state) < 3 or not width:
            continue
        xs.append(over_two(features_of(state, scale)))
        ys.append(over_two(blocks))
        speeds.append(_speed(state, scale)[1:])
        differences.append(one["difference"][1:])
        frames += len(state)
    if frames < FEWEST_FRAMES:
        none: np.ndarray = np.zeros((0, 0))
        return PictureModel(*usual, none, np.zeros(0), np.zeros(0))
    x, y = np.concatenate(xs), np.concatenate(ys)
    weights = _ridge(x, y)
    error = np.abs(y - x @ weights)
    # Once more without the frames that fit worst: those of lights, hands and faults.
    bad = (error / (np.median(error, axis=0) + LEAST_NOISE)).mean(axis=1)
    kept = bad <= 3 * np.median(bad)
    weights = _ridge(x[kept], y[kept])
    noise = np.sqrt(np.mean((y[kept] - x[kept] @ weights) ** 2, axis=0)) + LEAST_NOISE
    speed = np.concatenate(speeds)
    ones = np.ones((len(speed), 1))
    coefficients = _ridge(np.hstack([speed, ones]), np.concatenate(differences)[:, None])[:, 0]
    return PictureModel(*usual, weights, noise, np.maximum(coefficients, 0.0))


def _usual(portraits: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    sizes = {p.shape[1:] for p in portraits}
    if len(sizes) != 1 or sum(map(len, portraits)) < FEWEST_PORTRAITS:
        return (np.zeros((0, 0), np.float32),) * 4
    stack = np.concatenate(portraits)[:: max(1, sum(map(len, portraits)) // MOST_PORTRAITS)]
    stack = stack.astype(np.float32)
    return *_middle(stack), *_middle(np.stack([relief_of(picture) for picture in stack]))


def _middle(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    usual = np.median(stack, axis=0)
    spread = 1.4826 * np.median(np.abs(stack - usual), axis=0)
    return usual, np.sqrt(spread**2 + np.float32(NOISE**2))


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    normal = (x.T @ x).astype(np.float64)
    normal[np.diag_indices(len(normal))] += RIDGE * np.trace(normal) / len(normal) + 1e-12
    return np.linalg.solve(normal, (x.T @ y).astype(np.float64))


def _speed(state: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return how far each joint went since the frame before, in ranges, (n_frames, n_state); 0 in the first."""
    return np.abs(np.diff(state, axis=0, prepend=state[:1])) / scale


def expected_difference(model: PictureModel, state: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """Return the grey difference to the frame before that these joints usually make, (n_frames,); None unknown."""
    if len(model.speed) != state.shape[1] + 1 or not len(model.speed):
        return None
    return _speed(state, scale) @ model.speed[:-1] + model.speed[-1]


def expected_change(model: PictureModel, state: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """Return the blocks' usual change over two frames, (n_frames - 2, n_blocks); None where it is unknown."""
    if not model.weights.size or len(state) < 3:
        return None
    return over_two(features_of(state, scale)) @ model.weights
