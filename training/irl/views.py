"""Features of a world's observations, by the names that its dataset would give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.dataset.feature_maps import FeatureMap, fit_named
from training.irl.feature_file import read_features


@dataclass(frozen=True)
class View:
    """phi of observations, by a `FeatureMap` over columns: `worlds.Phi`.

    Attributes:
        features: The map.
        widths: Entries of each column that makes up an observation, in its order.
    """

    features: FeatureMap
    widths: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return self.features.names

    def columns(self, seen: np.ndarray) -> dict[str, np.ndarray]:
        """Return observations, (n, observation_dim), by column."""
        ends = np.cumsum(list(self.widths.values()))
        return dict(zip(self.widths, np.split(np.asarray(seen, float), ends[:-1], axis=1)))

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """Return features, float64, (n, n_features)."""
        return self.features(self.columns(seen))


def named_view(name: str, seen: np.ndarray, entries: Mapping[str, Sequence[str]]) -> View:
    """Return the features of a file, or of one of those shipped.

    Args:
        name: As `read_features` takes it.
        seen: Observations, (n, observation_dim), for features without a range.
        entries: Names of each column's entries.

    Raises:
        UsageError: If the file is wrong or names what there is not.
    """
    widths = {column: len(names) for column, names in entries.items()}
    ends = np.cumsum(list(widths.values()))
    table = dict(zip(widths, np.split(np.asarray(seen, float), ends[:-1], axis=1)))
    features = fit_named(
        table, {column: list(names) for column, names in entries.items()}, read_features(name)
    )
    return View(features, widths)
