"""A learnt reward R(s) = w . phi(s) as files, which lerobot's factory loads and numpy alone evaluates.

folder/config.json         lerobot's config of the reward model `linear`: the features, and how it was learnt
folder/model.safetensors   `weights` and the features' arrays
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.durable import write_bytes, write_json
from collector.dataset.feature_maps import FeatureMap
from collector.dataset.reader import Dataset
from collector.errors import DataError, UsageError, shown

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TYPE = "linear"  # lerobot's name of this kind of reward model
_WEIGHTS = "weights"


@dataclass(frozen=True)
class LinearReward:
    """R(s) = w . phi(s), in [-1, 1] where ||w|| <= 1.

    Attributes:
        features: phi.
        weights: w, float64, (n_features,).
        discount: gamma that it was learnt with.
        learnt: How and of what it was learnt, JSON.
    """

    features: FeatureMap
    weights: np.ndarray
    discount: float
    learnt: dict[str, Any]

    def __post_init__(self) -> None:
        if self.weights.shape != (len(self.features.names),) or not np.isfinite(self.weights).all():
            raise DataError(
                f"{len(self.features.names)} features need as many finite weights, there are {self.weights.shape}"
            )
        if not 0 <= self.discount < 1:
            raise DataError(f"discount {self.discount}: it must be at least 0 and below 1")

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the rewards of frames, float64, (n_frames,); arguments and errors as `FeatureMap.__call__`'s."""
        return self.features(columns) @ self.weights

    def by_weight(self) -> list[tuple[str, float]]:
        """Return features and weights, the heaviest first."""
        order = np.argsort(-np.abs(self.weights), kind="stable")
        return [(self.features.names[i], float(self.weights[i])) for i in order]

    def worth(self, columns: Mapping[str, np.ndarray], lengths: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return what each flight is worth, float64, (n_episodes,): (1 - gamma) sum_t gamma^t R(s_t).

        A flight stays for good where it ended, so that it is not worth more for being longer. In the units of R.

        Args:
            columns: Frames of the flights, one flight after the other.
            lengths: Frames of each; 0 gives NaN.
        """
        rewards, values, at = self(columns), [], 0
        for length in np.asarray(lengths).tolist():
            values.append(held_sum(rewards[at : at + length], self.discount) * (1 - self.discount))
            at += length
        return np.array(values)

    def save(self, folder: Path) -> None:
        """Write the two files, each whole or not at all.

        Raises:
            OSError: If the disk refuses.
        """
        from safetensors.numpy import save

        arrays = {_WEIGHTS: self.weights, **self.features.arrays}
        write_bytes(
            folder / WEIGHTS, save({k: np.ascontiguousarray(a, np.float32) for k, a in arrays.items()})
        )
        config = {
            "type": TYPE,
            "input_features": {
                name: {"type": _type_of(name), "shape": [self.features.widths[name]]}
                for name in self.features.columns
            },
            "output_features": {"reward": {"type": "REWARD", "shape": [1]}},
            "device": "cpu",
            "discount": self.discount,
            "features": self.features.spec(),
            "learnt": self.learnt,
        }
        write_json(folder / CONFIG, config)

    @classmethod
    def load(cls, folder: Path) -> LinearReward:
        """Read what `save` or lerobot's `save_pretrained` wrote.

        Raises:
            DataError: If it is missing, another kind of reward model, or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            config = json.loads((folder / CONFIG).read_text())
            arrays = load((folder / WEIGHTS).read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(
                f"{folder} holds no reward ({Path(error.filename or '').name} is missing): give the folder 'reward' "
                "that 'demodeck train --irl.type=...' wrote"
            ) from None
        except (ValueError, SafetensorError) as error:
            raise DataError(f"{folder} is damaged ({shown(error)}): learn or pull it again") from None
        if not isinstance(config, dict) or config.get("type") != TYPE:
            kind = config.get("type") if isinstance(config, dict) else None
            raise DataError(
                f"{folder} holds a reward model of type '{shown(kind)}': only '{TYPE}' can be evaluated without lerobot"
            )
        weights = np.asarray(arrays.pop(_WEIGHTS, np.zeros(0)), np.float64)
        features = FeatureMap.of(config.get("features") or {}, arrays)
        try:
            return cls(features, weights, float(config["discount"]), dict(config.get("learnt") or {}))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder / CONFIG} is damaged ({error!r}): learn or pull it again") from None


def held_sum(values: np.ndarray, discount: float) -> np.ndarray:
    """Return sum_t gamma^t x_t over time without end, where the last frame's value stays for good; NaN for no frame.

    Args:
        values: x, (n_frames,) or (n_frames, n).
        discount: gamma.
    """
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    weights = discount ** np.arange(len(values), dtype=np.float64)
    weights[-1] /= 1 - discount
    return weights @ values


def frame_table(
    dataset: Dataset, columns: Sequence[str], episodes: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """Read columns as features take them, float64, (n_frames, dim).

    Raises:
        UsageError: If there is no such column.
        DataError: If the dataset is damaged.
    """
    numeric = [name for name in columns if name in dataset.features]
    if missing := [name for name in columns if name not in numeric]:
        raise UsageError(
            f"the reward reads '{shown(missing[0])}', {dataset.root} has {', '.join(dataset.features)}: it was learnt "
            "from another kind of dataset"
        )
    found = dataset.columns(numeric, episodes)
    return {name: np.asarray(found[name], np.float64).reshape(len(found[name]), -1) for name in numeric}


def _type_of(column: str) -> str:
    """Return lerobot's feature type of a column."""
    if column == "observation.environment_state":
        return "ENV"
    return "ACTION" if column == "action" else "STATE"
