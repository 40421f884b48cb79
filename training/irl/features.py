"""Features of continuous observations, ||phi|| <= 1: made by hand and named, or random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collector.errors import UsageError


@dataclass(frozen=True)
class NamedFeatures:
    """Features that somebody wrote down, so that the reward's weights can be read.

    Attributes:
        functions: By name, from observations (n, observation_dim) to (n,), each within [-1, 1]; divided by the root of
            their number, so that together they are no longer than 1.
    """

    functions: dict[str, Callable[[np.ndarray], np.ndarray]]

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(self.functions)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return features, float64, (n, n_features)."""
        columns = [function(observation) for function in self.functions.values()]
        return np.stack(columns, axis=1) / np.sqrt(len(columns))


class RandomFourier:
    """Random Fourier features: w . phi is any smooth function of the observation, and ||phi|| is 1 exactly.

    phi(x) = (cos(Omega x), sin(Omega x)) / sqrt(D), the D rows of Omega drawn from N(0, 1 / bandwidth^2): their
    scalar products approximate the kernel exp(-||x - y||^2 / (2 bandwidth^2)).

    Source: Rahimi & Recht 2007, "Random Features for Large-Scale Kernel Machines", NIPS; the paired form.
    """

    def __init__(self, scale: np.ndarray, n: int, bandwidth: float, seed: int) -> None:
        """Draw the frequencies.

        Args:
            scale: What each entry of an observation is divided by, (observation_dim,).
            n: Features, even.
            bandwidth: Distance of scaled observations over which the reward may change.
            seed: Of the frequencies.

        Raises:
            UsageError: If `n` is odd or not positive, or the bandwidth is not positive.
        """
        if n < 2 or n % 2 or not bandwidth > 0:
            raise UsageError(f"{n} Fourier features of bandwidth {bandwidth}: an even number, and above 0")
        drawn = np.random.default_rng(seed).normal(size=(len(scale), n // 2))
        self._frequencies = drawn / bandwidth / np.asarray(scale, float)[:, None]

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names: their frequencies."""
        n = self._frequencies.shape[1]
        return tuple(f"{wave} {i}" for wave in ("cos", "sin") for i in range(n))

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return features, float64, (n, n_features)."""
        phase = observation @ self._frequencies
        return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(phase.shape[1])
