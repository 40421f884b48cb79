"""Columns that a new dataset has and its source lacks: values of every frame, or sentences for segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from collector.dataset import language, schema
from collector.dataset.spans import Span


class Added(Protocol):
    """A column to add.

    Attributes:
        feature: lerobot's description of it.
        kind: Its Arrow type.
        described: How the `datasets` library is told of it.
    """

    feature: schema.Feature
    kind: pa.DataType
    described: Mapping[str, Any]

    def rows(self, span: Span, part: pa.Table) -> pa.Array:
        """Return the column for the frames of a span; `part` is what the source holds of them."""


@dataclass(frozen=True)
class FrameValues:
    """Values of every frame of the source.

    Args:
        feature: Its description; numeric, bool or string.
        values: (n_frames,) or (n_frames, dim), by episode and frame.
        starts: First row of each episode, (n_episodes,).
    """

    feature: schema.Feature
    values: np.ndarray
    starts: np.ndarray

    @property
    def kind(self) -> pa.DataType:
        """The Arrow type."""
        return schema.arrow_type(self.feature)

    @property
    def described(self) -> Mapping[str, Any]:
        """How the `datasets` library is told of it."""
        value = {"dtype": self.feature["dtype"], "_type": "Value"}
        if tuple(self.feature["shape"]) == (1,):
            return value
        return {"feature": value, "length": self.feature["shape"][0], "_type": "List"}

    def rows(self, span: Span, part: pa.Table) -> pa.Array:
        """See `Added`."""
        first = int(self.starts[span.episode])
        return schema.to_arrow(self.values[first : first + span.length][span.frames], self.feature)


@dataclass(frozen=True)
class Sentences:
    """`language_persistent` with the segments of the labels; what others wrote there stays, but for subtasks.

    Args:
        segments: By episode of the source; one without keeps what it has.
    """

    segments: Mapping[int, Sequence[Mapping[str, Any]]]
    feature = language.FEATURE
    kind = language.KIND
    described = language.DESCRIBED

    def rows(self, span: Span, part: pa.Table) -> pa.Array:
        """See `Added`. `part` must have been cut to the span already."""
        there = (
            language.rows_of_episode(part[language.LANGUAGE])
            if language.LANGUAGE in part.column_names
            else None
        )
        of = self.segments.get(span.episode)
        if of is None:
            own = language.subtasks(there) if there is not None else None
        else:
            moved = [
                {
                    **s,
                    "from_frame": max(0, s["from_frame"] - span.from_frame),
                    "to_frame": s["to_frame"] - span.from_frame,
                }
                for s in of
            ]
            own = language.segment_rows(moved, span.to_frame - span.from_frame, span.source.fps)
        parts = [
            part
            for part in (None if there is None else language.without_subtasks(there), own)
            if part is not None
        ]
        return language.repeated(language.joined(parts) if parts else language.NONE, len(span))
