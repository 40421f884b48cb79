"""Features of a world's observations, by the names that its dataset would give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.dataset.feature_maps import FeatureMap, fit_entries, fit_fourier, fit_named
from collector.errors import UsageError
from training.irl.feature_file import read_features
from training.irl.transitions import Transitions


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


def _nothing_flown() -> Transitions:
    raise UsageError("dynamics can only be learnt from flights: take other features here")


def fit_features(
    name: str,
    table: Mapping[str, np.ndarray],
    columns: Sequence[str],
    entries: Mapping[str, list[str]],
    flown: Callable[[], Transitions],
    n: int = 200,
    bandwidth: float = 0.5,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> FeatureMap:
    """Return features by what `--irl.features` says.

    Args:
        name: One of `FITTED`, or as `read_features` takes it.
        table: Columns of frames, (n_frames, dim) each; a file may name all of them.
        columns: Those that the others see.
        entries: Names of the columns' entries.
        flown: Gives transitions for features that are learnt, `columns` side by side as observations.
        n: Features, where they are drawn or learnt.
        bandwidth: Of `fourier`.
        seed: Of what is drawn.
        say: Told how well they were learnt.

    Raises:
        UsageError: If the file is wrong or names what there is not.
        DataError: If a feature is NaN, or learning diverges.
    """
    if name == "fourier":
        return fit_fourier(table, columns, entries, n, bandwidth, seed)
    if name == "entries":
        return fit_entries(table, columns, entries)
    if name == "dynamics":
        from training.irl.dynamics import fit_dynamics

        features, explained = fit_dynamics(table, columns, entries, flown(), n, seed)
        say(f"features learnt from the dynamics explain {explained:.1%} of the next frame's variance")
        return features
    return fit_named(table, entries, read_features(name))


def named_view(
    name: str,
    seen: np.ndarray,
    entries: Mapping[str, Sequence[str]],
    flown: Callable[[], Transitions] = _nothing_flown,
    seed: int = 0,
) -> View:
    """Return `fit_features` of a world's observations.

    Args:
        name: As there.
        seen: Observations, (n, observation_dim), that features are scaled by.
        entries: Names of each column's entries, in the order of an observation.
        flown: As there.
        seed: As there.

    Raises:
        As there.
    """
    words = {column: list(names) for column, names in entries.items()}
    widths = {column: len(names) for column, names in words.items()}
    ends = np.cumsum(list(widths.values()))
    table = dict(zip(widths, np.split(np.asarray(seen, float), ends[:-1], axis=1)))
    return View(fit_features(name, table, list(widths), words, flown, seed=seed), widths)
