"""Marked stretches of an episode: what a check found, or a segment with its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A stretch of an episode.

    Attributes:
        first: Its first frame.
        last: The frame after its last one, excluded, as in findings and labels.
        severity: `fault`, `warn`, or anything else for what is neither (a segment).
        words: What it is, for a person.
    """

    first: int
    last: int
    severity: str
    words: str


def within(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """Return the spans cut to an episode of `length` frames, each at least a frame long, by where they begin."""
    cut = []
    for span in spans:
        first = min(max(0, span.first), max(0, length - 1))
        cut.append(Span(first, max(first + 1, min(span.last, length)), span.severity, span.words))
    return tuple(sorted(cut, key=lambda span: (span.first, span.last)))


def at(spans: Sequence[Span], frame: int) -> Span | None:
    """Return the span that a frame lies in: of several the one that began last; None outside all."""
    inside = [span for span in spans if span.first <= frame < span.last]
    return max(inside, key=lambda span: (span.first, -span.last), default=None)


def following(spans: Sequence[Span], frame: int, step: int) -> Span | None:
    """Return the next span that begins after a frame (`step` 1), or the previous that begins before it (-1)."""
    if step > 0:
        return min((s for s in spans if s.first > frame), key=lambda span: span.first, default=None)
    return max((s for s in spans if s.first < frame), key=lambda span: span.first, default=None)
