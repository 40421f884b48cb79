"""Features phi of a frame with ||phi|| <= 1, whatever the frame holds: what a learnt reward weighs.

- `fourier`: random Fourier features of standardised entries; any smooth reward, but weights that nobody can read.
- `entries`: each entry and its square, standardised and clipped.
- `dynamics`: what a network had to know of a frame to foretell the next one (`training.irl.dynamics` learns it).
- named ones, from a file: expressions over entries, each brought from its range to [0, 1].

A map is a few words and arrays, so that it travels with the weights; numpy alone computes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from collector.dataset.expressions import Entries, Expression
from collector.errors import DataError, UsageError, shown

KINDS = ("fourier", "entries", "dynamics", "named")
UNREADABLE = {"fourier": "random Fourier features", "dynamics": "learnt features"}  # no words for each
_CLIP = 4.0  # standardised entries are kept within so many standard deviations
_LEAST_SPREAD = 1e-6
_LEAST_LENGTH = 1e-12  # of an embedding, to divide by
_PAIRS = 2000  # of frames, to measure how far apart frames are
_QUANTILES = (0.01, 0.99)  # a named feature's range, where its file gives none


@dataclass(frozen=True)
class FeatureMap:
    """phi: frames -> (n_frames, n_features).

    Attributes:
        kind: One of `KINDS`.
        columns: Columns that it reads; side by side they are the vector x.
        names: Of the features.
        widths: Entries of each column.
        entries: Names of each column's entries; [] where it has none.
        expressions: Of `named`, one a feature.
        about: Of `named`, what each one is, in words.
        arrays: As `array_shapes` has them: `mean` and `std` of x, but `low` and `high` for `named`; float64.
    """

    kind: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    widths: dict[str, int]
    entries: dict[str, list[str]]
    expressions: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"features of kind '{shown(self.kind)}': known are {', '.join(KINDS)}")
        due = array_shapes(self.kind, sum(self.widths[c] for c in self.columns), len(self.names))
        found = {name: array.shape for name, array in self.arrays.items()}
        if found != due or not all(np.isfinite(array).all() for array in self.arrays.values()):
            raise DataError(f"features of kind '{self.kind}' need finite arrays {due}, there are {found}")

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return features, float64, (n_frames, n_features), each row at most 1 long.

        Args:
            columns: By name, at least `self.columns`, (n_frames, dim), or (n_frames,) where a column has one entry.

        Raises:
            DataError: If a column is missing or of another width, or a feature is NaN.
        """
        tables = {name: self._checked(columns, name) for name in self.columns}
        if self.kind == "named":
            return self._named(tables)
        x = np.concatenate([tables[name] for name in self.columns], axis=1)
        bad = ~np.isfinite(x).all(axis=1)
        if bad.any():
            raise DataError(
                f"{bad.sum()} frames hold NaN or infinity in {', '.join(self.columns)}: leave those flights out"
            )
        z = standardised(x, self.arrays)
        if self.kind == "entries":
            return np.concatenate([z / _CLIP, (z / _CLIP) ** 2], axis=1) / np.sqrt(2 * z.shape[1])
        if self.kind == "dynamics":
            # phi(x) = f(z) / ||f(z)||, f a perceptron with a hidden layer: ||phi|| = 1.
            hidden = np.tanh(z @ self.arrays["hidden_weight"] + self.arrays["hidden_bias"])
            embedded = hidden @ self.arrays["embedding_weight"] + self.arrays["embedding_bias"]
            return embedded / np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), _LEAST_LENGTH)
        # phi(x) = (cos(Omega z), sin(Omega z)) / sqrt(D): ||phi|| = 1. Rahimi & Recht 2007, the paired form.
        phase = z @ self.arrays["frequencies"]
        return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(phase.shape[1])

    def _named(self, tables: dict[str, np.ndarray]) -> np.ndarray:
        values = np.stack([expression(tables) for expression in self._parsed], axis=1)
        bad = np.isnan(values)
        if bad.any():
            at = int(np.flatnonzero(bad.any(axis=0))[0])
            raise DataError(
                f"feature '{self.names[at]}' = {shown(self.expressions[at])} is NaN in {int(bad[:, at].sum())} of "
                f"{len(values)} frames: write it so that it always has a value, with max(...) or clip(...)"
            )
        low, high = self.arrays["low"], self.arrays["high"]
        return np.clip((values - low) / (high - low), 0.0, 1.0) / np.sqrt(len(self.names))

    @cached_property
    def _parsed(self) -> list[Expression]:
        known = Entries({name: self.widths[name] for name in self.columns}, self.entries)
        return [Expression(text, known) for text in self.expressions]

    def _checked(self, columns: Mapping[str, np.ndarray], name: str) -> np.ndarray:
        if name not in columns:
            raise DataError(
                f"the reward reads '{shown(name)}', which is not there; there are {', '.join(map(shown, columns))}"
            )
        table = np.asarray(columns[name], np.float64)
        table = table.reshape(len(table), -1)
        if table.shape[1] != self.widths[name]:
            raise DataError(
                f"the reward reads '{shown(name)}' of {self.widths[name]} entries, here it has {table.shape[1]}: it "
                "was learnt from another robot or scene"
            )
        return table

    def spec(self) -> dict[str, Any]:
        """Return all but the arrays, as JSON values."""
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "names": list(self.names),
            "widths": dict(self.widths),
            "entries": {name: list(names) for name, names in self.entries.items()},
            "expressions": list(self.expressions),
            "about": list(self.about),
        }

    @classmethod
    def of(cls, spec: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> FeatureMap:
        """Return the map of what `spec` gave, and its arrays.

        Raises:
            DataError: If they do not fit.
            UsageError: If an expression is wrong.
        """
        try:
            return cls(
                kind=str(spec["kind"]),
                columns=tuple(spec["columns"]),
                names=tuple(spec["names"]),
                widths={str(name): int(width) for name, width in spec["widths"].items()},
                entries={str(name): list(names) for name, names in spec["entries"].items()},
                expressions=tuple(spec["expressions"]),
                about=tuple(spec["about"]),
                arrays={name: np.asarray(array, np.float64) for name, array in arrays.items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"a reward's features are damaged ({error!r}): learn or pull it again") from None


def array_shapes(kind: str, dim: int, n: int) -> dict[str, tuple[int, ...]]:
    """Return the arrays that a kind of features needs, and their shapes.

    Args:
        kind: One of `KINDS`.
        dim: Entries of x.
        n: Features.
    """
    if kind == "named":
        return {"low": (n,), "high": (n,)}
    shapes: dict[str, tuple[int, ...]] = {"mean": (dim,), "std": (dim,)}
    if kind == "fourier":
        shapes["frequencies"] = (dim, n // 2)
    if kind == "dynamics":
        shapes |= {"hidden_weight": (dim, n), "hidden_bias": (n,)}
        shapes |= {"embedding_weight": (n, n), "embedding_bias": (n,)}
    return shapes


def standardised(x: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return vectors by the `mean` and `std` of a map's arrays, clipped, (n_frames, dim)."""
    return np.clip((x - arrays["mean"]) / arrays["std"], -_CLIP, _CLIP)


def _standard(table: Mapping[str, np.ndarray], columns: Sequence[str]) -> tuple[np.ndarray, ...]:
    x = np.concatenate([np.asarray(table[c], np.float64).reshape(len(table[c]), -1) for c in columns], axis=1)
    spread = x.std(axis=0)
    return x, x.mean(axis=0), np.where(spread > _LEAST_SPREAD, spread, 1.0)


def fit_fourier(
    table: Mapping[str, np.ndarray],
    columns: Sequence[str],
    entries: Mapping[str, list[str]],
    n: int,
    bandwidth: float,
    seed: int,
) -> FeatureMap:
    """Draw random Fourier features for frames.

    Args:
        table: Columns of the frames, (n_frames, dim) each.
        columns: Which of them the features see.
        entries: Names of their entries.
        n: Features, even.
        bandwidth: Over which share of the median distance between two frames the reward may change.
        seed: Of the frequencies.

    Raises:
        UsageError: If `n` is odd or not positive, or the bandwidth is not positive.
    """
    if n < 2 or n % 2 or not bandwidth > 0:
        raise UsageError(f"{n} Fourier features of bandwidth {bandwidth}: an even number, and above 0")
    x, mean, std = _standard(table, columns)
    rng = np.random.default_rng(seed)
    z = np.clip((x - mean) / std, -_CLIP, _CLIP)
    one, other = z[rng.integers(len(z), size=_PAIRS)], z[rng.integers(len(z), size=_PAIRS)]
    apart = float(np.median(np.linalg.norm(one - other, axis=1))) or 1.0
    frequencies = rng.normal(size=(x.shape[1], n // 2)) / (bandwidth * apart)
    names = tuple(f"{wave} {i}" for wave in ("cos", "sin") for i in range(n // 2))
    arrays = {"mean": mean, "std": std, "frequencies": frequencies}
    return FeatureMap("fourier", tuple(columns), names, *_shape(table, columns, entries), arrays=arrays)


def fit_entries(
    table: Mapping[str, np.ndarray], columns: Sequence[str], entries: Mapping[str, list[str]]
) -> FeatureMap:
    """Return each entry and its square as features; arguments as `fit_fourier`'s."""
    _, mean, std = _standard(table, columns)
    widths, words = _shape(table, columns, entries)
    plain = [
        words[column][i] if words[column] else f"{column}[{i}]"
        for column in columns
        for i in range(widths[column])
    ]
    names = (*plain, *(f"{name} squared" for name in plain))
    return FeatureMap("entries", tuple(columns), names, widths, words, arrays={"mean": mean, "std": std})


def fit_named(
    table: Mapping[str, np.ndarray],
    entries: Mapping[str, list[str]],
    written: Mapping[str, tuple[str, tuple[float, float] | None, str]],
) -> FeatureMap:
    """Return features that somebody wrote down.

    Args:
        table: Columns of the frames, (n_frames, dim) each: all that expressions may name.
        entries: Names of their entries.
        written: By feature: its expression, the range that becomes 0 to 1 (None: from the 1st to the 99th
            percentile of these frames), and what it is in words.

    Raises:
        UsageError: If an expression is wrong, or a feature is the same in all frames and has no range.
        DataError: If a feature is NaN somewhere.
    """
    widths, words = _shape(table, list(table), entries)
    known = Entries(widths, words)
    parsed = {name: Expression(text, known) for name, (text, _, _) in written.items()}
    columns = tuple(dict.fromkeys(column for one in parsed.values() for column in one.columns))
    if not columns:
        raise UsageError("the features name no entry of the dataset: a constant rewards nothing")
    low, high = [], []
    for name, (text, given, _) in written.items():
        bounds = given
        if bounds is None:
            values = parsed[name](table)
            if np.isnan(values).any():
                raise DataError(
                    f"feature '{shown(name)}' = {shown(text)} is NaN in {int(np.isnan(values).sum())} of "
                    f"{len(values)} frames: write it so that it always has a value, with max(...) or clip(...)"
                )
            with np.errstate(invalid="ignore"):
                bounds = (
                    float(np.quantile(values, _QUANTILES[0])),
                    float(np.quantile(values, _QUANTILES[1])),
                )
            if not np.isfinite(bounds).all():
                raise DataError(
                    f"feature '{shown(name)}' = {shown(text)} is not bounded: give it a range = [LOW, HIGH]"
                )
            if not bounds[1] > bounds[0]:
                raise UsageError(
                    f"feature '{shown(name)}' = {shown(text)} is {bounds[0]:.4g} in nearly all frames: give it a "
                    "range = [LOW, HIGH], or leave it out"
                )
        low.append(bounds[0])
        high.append(bounds[1])
    return FeatureMap(
        "named",
        columns,
        tuple(written),
        {name: widths[name] for name in columns},
        {name: words[name] for name in columns},
        tuple(text for text, _, _ in written.values()),
        tuple(about for _, _, about in written.values()),
        {"low": np.array(low, float), "high": np.array(high, float)},
    )


def _shape(
    table: Mapping[str, np.ndarray], columns: Sequence[str], entries: Mapping[str, list[str]]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    widths = {name: int(np.prod(np.shape(table[name])[1:], dtype=int)) for name in columns}
    return widths, {
        name: list(entries.get(name) or []) if len(entries.get(name) or []) == widths[name] else []
        for name in columns
    }
