"""Verdicts by checks and by people: who decided, and what an automatic decision may never touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.dataset.label_file import batch_of
from collector.dataset.labels import AUTOMATIC, Labels
from curation.scores import Scoring


def decided(labels: Labels) -> dict[int, str]:
    """Return per episode who decided on its verdict last.

    A person who takes a verdict back has decided too: a check may not bring it back.
    """
    return {
        int(line["episode"]): str(line.get("author", ""))
        for line in labels.history()
        if line.get("field") == "verdict" and "episode" in line and not line["undone"]
    }


def drop_faults(labels: Labels, scoring: Scoring) -> dict[int, str]:
    """Set the verdict `drop` on episodes with faults on whose verdict nobody decided yet.

    The author is `check:<name>` of the episode's first fault; a note says why, unless the episode has one.

    Returns:
        Reason per episode that was dropped now.

    Raises:
        DataError: If the labels are damaged.
        OSError: If the disk refuses.
    """
    who, current = decided(labels), labels.current()
    chosen = {e: faults for e, faults in sorted(scoring.faulty().items()) if e not in who}
    reasons = {e: "; ".join(f.message for f in faults) for e, faults in chosen.items()}
    for episode, faults in chosen.items():
        if not current.get(episode, {}).get("note"):
            labels.set([episode], "note", reasons[episode], AUTOMATIC + faults[0].check)
    # One entry a check, last, so that `label --undo` takes back verdicts and not some note.
    by_check: dict[str, list[int]] = {}
    for episode, faults in chosen.items():
        by_check.setdefault(faults[0].check, []).append(episode)
    for check, episodes in by_check.items():
        labels.set(episodes, "verdict", "drop", AUTOMATIC + check)
    return reasons


HISTORY = ("at", "author", "episode", "field", "value", "undone")


def history_rows(labels: Labels, episodes: Sequence[int] | None) -> list[tuple[Any, ...]]:
    """Return the label history as rows of `HISTORY`, oldest first; of all episodes if None.

    An entry that took others back has the field `undo` and no episode.
    """
    wanted = None if episodes is None else set(episodes)
    lines = labels.history()
    taken_back = {batch_of(line) for line in lines if line.get("episode") in (wanted or ())}
    rows = []
    for line in lines:
        if wanted is None or line.get("episode") in wanted or line.get("undo") in taken_back:
            taken_back.add(batch_of(line))  # an undo that is taken back
            values = (line.get(name) for name in HISTORY[:3])
            rows.append((*values, line.get("field", "undo"), line.get("value"), line["undone"]))
    return rows
