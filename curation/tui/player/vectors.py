"""What can be plotted of an episode: its vectors, joint by joint, and how late its clocks were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collector.dataset import schema
from collector.dataset.reader import Dataset

_STATE, _ACTION, _SENT = "observation.state", "action", "executed_action"
_CLOCKS = "clock."
_INDICES = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True)
class Row:
    """One plot: a joint, or an entry of another vector.

    Attributes:
        name: Of the joint.
        series: What is drawn, float64, (n_series, n_frames).
        words: What each series is, the most telling first.
    """

    name: str
    series: np.ndarray
    words: tuple[str, ...]


@dataclass(frozen=True)
class Vector:
    """Rows that are shown together, under a title."""

    title: str
    rows: tuple[Row, ...]


def vectors_of(dataset: Dataset, episode: int) -> list[Vector]:
    """Read an episode and return what can be plotted of it: state and action, what else there is, the clocks.

    Raises:
        UsageError: If there is no such episode.
        DataError: If its data file is missing or damaged.
    """
    names = [name for name in schema.numeric_keys(dataset.features) if name not in _INDICES]
    if not names:
        return []
    columns = {name: _flat(values) for name, values in dataset.columns(names, [episode]).items()}
    labels = {name: _names(dataset, name, values.shape[1]) for name, values in columns.items()}
    return vectors(columns, labels, dataset.fps)


def vectors(columns: Mapping[str, np.ndarray], labels: Mapping[str, list[str]], fps: float) -> list[Vector]:
    """Return what can be plotted of columns.

    Args:
        columns: By name, float64, (n_frames, dim).
        labels: Names of each column's entries, (dim,).
        fps: Nominal frames a second [Hz], which lateness is against.
    """
    rest = [name for name in columns if not name.startswith(_CLOCKS) and columns[name].shape[1]]
    if _SENT in rest and _ACTION in rest and np.array_equal(columns[_SENT], columns[_ACTION], equal_nan=True):
        rest.remove(_SENT)  # nothing was held back: it would only hide the others
    found = []
    if together := [(n, word) for n, word in _MOTION if n in rest]:
        width = columns[together[0][0]].shape[1]
        # What has another number of entries is of other joints, and gets plots of its own.
        alike = [(name, word) for name, word in together if columns[name].shape[1] == width]
        rest = [name for name in rest if name not in dict(alike)]
        title = ", ".join(_short(name) for name, _ in alike)
        found.append(
            Vector(
                title,
                tuple(
                    Row(
                        _common([labels[name][i] for name, _ in alike]),
                        np.stack([columns[name][:, i] for name, _ in alike]),
                        tuple(word for _, word in alike),
                    )
                    for i in range(width)
                ),
            )
        )
    for name in rest:
        values = columns[name]
        title = _short(name)
        rows = tuple(
            Row(title if values.shape[1] == 1 else labels[name][i], values[None, :, i], ("",))
            for i in range(values.shape[1])
        )
        found.append(Vector(title, rows))
    clocks = [name for name in columns if name.startswith(_CLOCKS)]
    if clocks:
        late_ms = {name: lateness_ms(columns[name][:, 0], fps) for name in clocks}
        rows = tuple(Row(name.removeprefix(_CLOCKS), late_ms[name][None], ("ms",)) for name in clocks)
        found.append(Vector("lateness against the nominal clock", rows))
    return found


_MOTION = ((_ACTION, "asked"), (_STATE, "measured"), (_SENT, "sent"))


def lateness_ms(times_s: np.ndarray, fps: float) -> np.ndarray:
    """Return how late each moment [s since the episode's first tick] is against frame / fps [ms], (n_frames,)."""
    return 1e3 * (times_s - np.arange(len(times_s)) / float(fps))


def _flat(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, np.float64)
    return array.reshape(len(array), int(np.prod(array.shape[1:])))


def _names(dataset: Dataset, column: str, width: int) -> list[str]:
    names = dataset.features[column].get("names")
    if isinstance(names, dict):  # older lerobot: {"motors": [...]}
        names = [name for group in names.values() for name in group or []]
    known = [str(name) for name in names or []]
    return known if len(known) == width else [f"{_short(column)}[{i}]" for i in range(width)]


def _short(column: str) -> str:
    return column.removeprefix("observation.")


def _common(names: list[str]) -> str:
    """Return the name that all have; else the first and what the others are called."""
    return " · ".join(dict.fromkeys(names))
