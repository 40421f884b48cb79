"""What a camera usually shows in this set: its background, and what becomes of its pictures when joints move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from curation.checks.register import View, view_of
from curation.grey import BLOCK_STEPS

if TYPE_CHECKING:
    from curation.checks.base import Episode
    from curation.checks.reference import Reference

FEATURES = 600
"""Random Fourier features (Rahimi and Recht 2007) of the joints."""
BANDWIDTH = 4.0
"""Standard deviation of their frequencies for six joints, in radians a range of a joint."""
RIDGE = 1e-4
MOST_FRAMES = 30_000
"""Frames that the models are fitted to; more would cost time and change little."""
FEWEST_FRAMES = 2_000
ROWS = 6
"""Rows for each feature that is used; with fewer a flight would say itself what is expected of it."""
FIRST = 3
"""Of so many frames one tells at first which frames fit badly."""
FEWEST_PORTRAITS = 32
"""Eight episodes of four."""
MOST_PORTRAITS = 1000
NOISE = 1.0
"""What a portrait's pixels vary by at least [grey levels]."""
LEAST_NOISE = 0.02
"""What a block's brightness varies by at least [grey levels]."""


@dataclass(frozen=True)
class PictureModel:
    """One camera's usual pictures.

    Attributes:
        usual, sigma, still, axes: The view, by the set's portraits; see `register.View`. (0, 0) where they differ
            in size or are few.
        weights: From features of the joints to the blocks' brightness [grey levels], (n_features, n_blocks); width
            0 where the set has too few frames.
        noise: Of each block what the model leaves unexplained of its change over two frames, (n_blocks,).
    """

    usual: np.ndarray
    sigma: np.ndarray
    still: np.ndarray
    axes: np.ndarray
    weights: np.ndarray
    noise: np.ndarray

    @cached_property
    def view(self) -> View:
        """What the camera usually shows."""
        return View(self.usual, self.sigma, self.still, self.axes)


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
    view = _usual([one["portraits"] for one in series if len(one.get("portraits", ()))])
    usual = view.usual, view.sigma, view.still, view.axes
    width = len(scale)
    xs, ys = [], []
    frames = 0
    step = max(1, -(-sum(map(len, states)) // MOST_FRAMES))
    for state, one in list(zip(states, series))[::step]:
        blocks = blocks_of(one)
        if blocks is None or len(blocks) != len(state) or len(state) < 3 or not width:
            continue
        # Of every second frame the change since the second before: half the work, and it changes little.
        xs.append(np.diff(features_of(state[::2], scale), axis=0))
        ys.append(np.diff(blocks[::2], axis=0))
        frames += len(state)
    if frames < FEWEST_FRAMES:
        none: np.ndarray = np.zeros((0, 0))
        return PictureModel(*usual, none, np.zeros(0))
    x, y = np.concatenate(xs), np.concatenate(ys)
    x = x[:, : len(x) // ROWS]
    weights = _ridge(x[::FIRST], y[::FIRST])
    error = np.abs(y - x @ weights)
    # Once more without the frames that fit worst: those of lights, hands and faults.
    bad = (error / (np.median(error, axis=0) + LEAST_NOISE)).mean(axis=1)
    kept = bad <= 3 * np.median(bad)
    weights = _ridge(x[kept], y[kept])
    noise = np.sqrt(np.mean((y[kept] - x[kept] @ weights) ** 2, axis=0)) + LEAST_NOISE
    return PictureModel(*usual, weights, noise)


def _usual(portraits: Sequence[np.ndarray]) -> View:
    sizes = {p.shape[1:] for p in portraits}
    if len(sizes) != 1 or sum(map(len, portraits)) < FEWEST_PORTRAITS:
        none: np.ndarray = np.zeros((0, 0), np.float32)
        return View(none, none, none.astype(bool), np.eye(2))
    return view_of(np.concatenate(portraits)[:: max(1, sum(map(len, portraits)) // MOST_PORTRAITS)], NOISE)


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    normal = (x.T @ x).astype(np.float64)
    normal[np.diag_indices(len(normal))] += RIDGE * np.trace(normal) / len(normal) + 1e-12
    return np.linalg.solve(normal, (x.T @ y).astype(np.float64))


def change_of(episode: Episode, reference: Reference, camera: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the expected and the seen change of a camera's blocks over two frames, (n_frames - 2, n_blocks) each.

    In what the model leaves unexplained of it; None where the set or the flight does not tell enough.
    """
    key = f"change {camera}"
    if key not in episode.memo:
        episode.memo[key] = None
        model, blocks = reference.pictures.get(camera), blocks_of(episode.video[camera])
        if (
            model is not None
            and model.weights.size
            and blocks is not None
            and len(blocks) == len(episode) > 2
        ):
            if "features" not in episode.memo:
                episode.memo["features"] = over_two(features_of(episode.state, reference.state_scale))
            expected = episode.memo["features"][:, : len(model.weights)] @ model.weights
            episode.memo[key] = expected / model.noise, over_two(blocks) / model.noise
    return episode.memo[key]
