"""What a check measured on many episodes, as arrays: small to send, to store and to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.checks.base import Measure


@dataclass(frozen=True)
class Measures:
    """The measures of one check, one row an episode; see `curation.checks.base.Measure`.

    Attributes:
        score: Scores, NaN where there is none, float64, (n,).
        features: Features, NaN where there are none, float64, (n, n_features).
        featured: Whether an episode has features, bool, (n,).
        spans: Frames [from, to) of the score, or of each feature, int64, (n, n_spans, 2); -1 for the whole episode.
        words: What and where, for messages.
        skipped: Why the check could not be evaluated, "" where it was.
        labels: Names of the features, empty where they have none.
    """

    score: np.ndarray
    features: np.ndarray
    featured: np.ndarray
    spans: np.ndarray
    words: list[str]
    skipped: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def of(cls, rows: Sequence[Measure]) -> Measures:
        """Gather the measures of single episodes, whose features have the same length where they have any."""
        n = len(rows)
        width = max((len(m.features) for m in rows if m.features is not None), default=0)
        n_spans = max((len(m.spans) for m in rows if m.spans), default=1)
        features = np.full((n, width), np.nan)
        spans = np.full((n, n_spans, 2), -1, np.int64)
        for i, m in enumerate(rows):
            if m.features is not None:
                features[i] = m.features
            if m.spans:
                spans[i] = [(-1, -1) if span is None else span for span in m.spans]
            elif m.span is not None:
                spans[i] = m.span
        return cls(
            np.array([m.score for m in rows], np.float64),
            features,
            np.array([m.features is not None for m in rows], bool),
            spans,
            [m.words for m in rows],
            [m.skipped for m in rows],
            next((m.labels for m in rows if m.labels), []),
        )

    @classmethod
    def joined(cls, parts: Sequence[Measures]) -> Measures:
        """Put parts one behind the other; a part in which no episode has features fits to any."""
        width = max((p.features.shape[1] for p in parts), default=0)
        n_spans = max((p.spans.shape[1] for p in parts), default=1)
        n = sum(map(len, parts))
        features, spans = np.full((n, width), np.nan), np.full((n, n_spans, 2), -1, np.int64)
        at = 0
        for p in parts:
            rows = slice(at, at + len(p))
            if p.features.shape[1]:
                features[rows] = p.features
            spans[rows] = p.spans
            at += len(p)
        return cls(
            np.concatenate([p.score for p in parts]) if parts else np.zeros(0),
            features,
            np.concatenate([p.featured for p in parts]) if parts else np.zeros(0, bool),
            spans,
            [word for p in parts for word in p.words],
            [reason for p in parts for reason in p.skipped],
            next((p.labels for p in parts if p.labels), []),
        )

    def taken(self, rows: np.ndarray) -> Measures:
        """Return some rows, (n_rows,), in their order."""
        return Measures(
            self.score[rows],
            self.features[rows],
            self.featured[rows],
            self.spans[rows],
            [self.words[i] for i in rows],
            [self.skipped[i] for i in rows],
            self.labels,
        )

    def span(self, row: int, feature: int = 0) -> tuple[int, int] | None:
        """Return the frames that a row's score, or one of its features, comes from; None for the whole episode."""
        first, last = self.spans[row, feature if self.spans.shape[1] > 1 else 0].tolist()
        return None if first < 0 else (first, last)


def packed(table: dict[str, Measures]) -> dict[str, np.ndarray]:
    """Return the measures of several checks over the same episodes as plain arrays without objects.

    Words are numbers into one list, which stands as JSON in `head`.
    """
    import json

    numbers: dict[str, int] = {}
    floats, ints = [], []
    heads: list[dict[str, Any]] = []
    for name, m in table.items():
        n = len(m)
        heads.append(
            {"check": name, "features": m.features.shape[1], "spans": m.spans.shape[1], "labels": m.labels}
        )
        floats += [m.score[:, None], m.features]
        codes = [
            [numbers.setdefault(text, len(numbers)) for text in column] for column in (m.words, m.skipped)
        ]
        ints += [m.featured[:, None], m.spans.reshape(n, -1), np.array(codes, np.int64).reshape(2, n).T]
    head = json.dumps({"checks": heads, "words": list(numbers)}).encode()
    return {
        "head": np.frombuffer(head, np.uint8),
        "floats": np.hstack(floats) if floats else np.zeros((0, 0)),
        "ints": np.hstack(ints).astype(np.int64) if ints else np.zeros((0, 0), np.int64),
    }


def unpacked(arrays: dict[str, np.ndarray]) -> dict[str, Measures]:
    """Return what `packed` made of measures.

    Raises:
        ValueError: If the arrays are none of its.
    """
    import json

    try:
        head = json.loads(arrays["head"].tobytes())
        floats, ints, words = arrays["floats"], arrays["ints"], [str(w) for w in head["words"]]
        n, f, i = len(floats), 0, 0
        result = {}
        for part in head["checks"]:
            width, n_spans = int(part["features"]), int(part["spans"])
            values, numbers = floats[:, f : f + 1 + width], ints[:, i : i + 3 + 2 * n_spans]
            f, i = f + 1 + width, i + 3 + 2 * n_spans
            if values.shape != (n, 1 + width) or numbers.shape != (n, 3 + 2 * n_spans) or n_spans < 1:
                raise ValueError("columns are missing")
            result[str(part["check"])] = Measures(
                values[:, 0],
                values[:, 1:],
                numbers[:, 0] != 0,
                numbers[:, 1 : 1 + 2 * n_spans].reshape(n, n_spans, 2),
                [words[k] for k in numbers[:, -2].tolist()],
                [words[k] for k in numbers[:, -1].tolist()],
                [str(label) for label in part["labels"]],
            )
    except (KeyError, TypeError, IndexError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"no measures: {error}") from error
    return result
