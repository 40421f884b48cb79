"""What is rewarded where: the learnt reward over the frames that were flown, and along time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from collector.dataset.linear_reward import LinearReward
from training.irl.task import Flights

_ALIKE = 0.7  # correlation from which two entries tell the same
_POINTS, _TIMES, _SEED = 6000, 50, 0


def draw_reward(reward: LinearReward, flights: Flights, path: Path) -> bool:
    """Draw three panels: reward over two entries, reward along a flight, and what flights are worth.

    The two entries are those that explain most of the reward's variance over the frames, one by one, in 12 bins; the
    second one does not go along with the first.

    Returns:
        Whether it was drawn: not where matplotlib is missing.

    Raises:
        OSError: If the disk refuses.
    """
    if find_spec("matplotlib") is None:
        return False
    from training.irl.pictures import figure, save

    values = reward(flights.columns)
    names, table = _entries(reward, flights)
    across, up = _telling(table, values)
    drawn, axes = figure(3, 1, 4.6, 3.8)
    shown = np.random.default_rng(_SEED).permutation(len(values))[:_POINTS]
    dots = axes[0, 0].scatter(
        table[shown, across], table[shown, up], c=values[shown], s=4, cmap="viridis", linewidths=0
    )
    drawn.colorbar(dots, ax=axes[0, 0], label="reward")
    axes[0, 0].set(xlabel=names[across], ylabel=names[up], title="what is rewarded where")
    _along(axes[0, 1], values, flights)
    worth = reward.worth(flights.columns, flights.lengths)
    for title, chosen in (("expert", flights.is_expert), ("others", ~flights.is_expert)):
        if chosen.any():
            axes[0, 2].hist(worth[chosen], bins=25, range=(worth.min(), worth.max()), alpha=0.6, label=title)
    axes[0, 2].set(xlabel="worth of a flight", ylabel="flights", title="what flights are worth")
    axes[0, 2].legend(fontsize=8)
    save(drawn, path)
    return True


def _entries(reward: LinearReward, flights: Flights) -> tuple[list[str], np.ndarray]:
    """Return names and values of all entries that the features read, (n_frames, dim)."""
    features = reward.features
    names = [
        features.entries[column][i] if features.entries[column] else f"{column}[{i}]"
        for column in features.columns
        for i in range(features.widths[column])
    ]
    return names, flights.table(features.columns)


def _telling(table: np.ndarray, values: np.ndarray) -> tuple[int, int]:
    """Return the two columns to draw by."""
    explained = np.array([_explained(column, values) for column in table.T])
    first = int(explained.argmax())
    with np.errstate(invalid="ignore"):
        alike = np.abs(np.nan_to_num(np.corrcoef(table.T)[first])) if table.shape[1] > 1 else np.ones(1)
    explained[alike > _ALIKE] = -1.0
    return first, int(explained.argmax()) if (alike <= _ALIKE).any() else first


def _explained(column: np.ndarray, values: np.ndarray, bins: int = 12) -> float:
    """Return the share of the values' variance between bins of a column of equal numbers of frames."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    at = np.searchsorted(edges, column)
    count = np.maximum(np.bincount(at, minlength=bins), 1)
    means = np.bincount(at, values, minlength=bins) / count
    return float(means[at].var() / max(values.var(), 1e-30))


def _along(axis: object, values: np.ndarray, flights: Flights) -> None:
    """Draw the reward's median and quartiles over the share of a flight that has passed."""
    for title, chosen in (("expert", flights.is_expert), ("others", ~flights.is_expert)):
        curves = [
            np.interp(np.linspace(0, 1, _TIMES), np.linspace(0, 1, n), values[first : first + n])
            for first, n in zip(flights.first[chosen], flights.lengths[chosen])
            if n
        ]
        if curves:
            low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
            (line,) = axis.plot(np.linspace(0, 1, _TIMES), middle, label=title)  # type: ignore[attr-defined]
            axis.fill_between(  # type: ignore[attr-defined]
                np.linspace(0, 1, _TIMES), low, high, color=line.get_color(), alpha=0.2
            )
    axis.set(xlabel="share of the flight", ylabel="reward", title="along a flight")  # type: ignore[attr-defined]
    axis.legend(fontsize=8)  # type: ignore[attr-defined]
