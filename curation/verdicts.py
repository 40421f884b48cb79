"""Verdicts by checks and by people: who decided, and what an automatic decision may never touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.dataset.labels import Labels
from collector.errors import UsageError
from curation.scores import Scoring

AUTOMATIC = "check:"
"""Authors that are checks begin so; every other author is a person."""


def verdicts(labels: Labels) -> dict[int, tuple[str, str]]:
    """Return per episode its present verdict and the author who set it; without verdict no entry."""
    state: dict[int, tuple[str, str]] = {}
    current = labels.current()
    for entry in labels.history():
        if entry.get("field") == "verdict" and entry.get("value") is not None:
            state[int(entry["episode"])] = (str(entry["value"]), str(entry["author"]))
    return {e: v for e, v in state.items() if current.get(e, {}).get("verdict") == v[0]}


def drop_faults(labels: Labels, scoring: Scoring) -> dict[int, str]:
    """Set the verdict `drop` on episodes with faults that have no verdict at all yet.

    The author is `check:<name>` of the first fault and a note says why, unless the episode has a note.

    Returns:
        Reason per episode that was dropped now.
    """
    decided = verdicts(labels)
    current = labels.current()
    dropped: dict[int, str] = {}
    for episode, faults in sorted(scoring.faulty().items()):
        if episode in decided:
            continue
        author = AUTOMATIC + faults[0].check
        reason = "; ".join(f.message for f in faults)
        labels.set([episode], "verdict", "drop", author)
        if not current.get(episode, {}).get("note"):
            labels.set([episode], "note", reason, author)
        dropped[episode] = reason
    return dropped


def history_rows(labels: Labels, episodes: Sequence[int] | None) -> list[tuple[Any, ...]]:
    """Return the label history, oldest first: time, author, episode, field, value; of all episodes if None."""
    wanted = None if episodes is None else set(episodes)
    return [
        (e.get("at"), e.get("author"), e.get("episode"), e.get("field"), e.get("value"))
        for e in labels.history()
        if wanted is None or e.get("episode") in wanted
    ]


def undo_last(labels: Labels) -> Any:
    """Take the last entry back.

    Raises:
        UsageError: If there is nothing to take back.
    """
    undone = labels.undo()
    if not undone:
        raise UsageError("there is nothing to undo: no labels were set")
    return undone
