"""Episodes much shorter or longer than the rest of the set."""

from __future__ import annotations

from curation.checks.base import Check, Episode, Measure, Reference, Rule


def measure(episode: Episode, reference: Reference) -> Measure:
    """Score the duration; judged by robust z of its logarithm, so that half and double weigh the same."""
    return Measure(len(episode) / episode.fps, None, "duration")


CHECK = Check(
    "unusual_length",
    "s",
    "much shorter or longer than the set",
    measure,
    # The spread is taken as at least 8 %, so only beyond a factor of 1.5 and 2.2: a slow flight is no fault.
    Rule(fault=None, warn=5, side="both", log=True, floor=0.08),
)


def measure_stub(episode: Episode, reference: Reference) -> Measure:
    """Score the number of frames: fewer than half a second is a slip of the finger, not a demonstration."""
    return Measure(len(episode) / episode.fps, None, "duration")


STUB = Check(
    "too_short",
    "s",
    "under half a second: a slip of the finger",
    measure_stub,
    Rule(fault=0.5, warn=None, against_set=False, side="low"),
)
