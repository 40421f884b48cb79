"""Verdicts by checks and by people: who decided, and what an automatic decision may never touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.dataset.label_file import batch_of
from collector.dataset.labels import AUTOMATIC, Labels

if TYPE_CHECKING:
    from curation.checks.base import Finding
    from curation.scores import Scoring

DROPS = {"faults": ("fault",), "warnings": ("fault", "warn")}
"""What `score --drop` takes, and the severities of findings that then drop an episode."""


@dataclass(frozen=True)
class Dropped:
    """An episode that the checks dropped.

    Attributes:
        episode: Its index.
        check: The check of its first finding, faults before warnings: the verdict's author is `check:<check>`.
        severity: That finding's severity.
        reason: The messages of all findings for which it was dropped.
    """

    episode: int
    check: str
    severity: str
    reason: str


def decided(labels: Labels) -> dict[int, str]:
    """Return per episode who decided on its verdict last.

    A person who takes a verdict back has decided too: a check may not bring it back.
    """
    return {
        int(line["episode"]): str(line.get("author", ""))
        for line in labels.history()
        if line.get("field") == "verdict" and "episode" in line and not line["undone"]
    }


def drop_accused(
    labels: Labels, scoring: Scoring, severities: Sequence[str] = DROPS["faults"]
) -> list[Dropped]:
    """Set the verdict `drop` on accused episodes on whose verdict nobody decided yet.

    The author is `check:<name>` of the episode's first finding; a note says why, unless the episode has one.

    Args:
        labels: The set's labels.
        scoring: What the checks found.
        severities: Of which findings; see `DROPS`.

    Returns:
        The episodes that were dropped now, ascending.

    Raises:
        DataError: If the labels are damaged.
        OSError: If the disk refuses.
    """
    who, current = decided(labels), labels.current()
    accused: dict[int, list[Finding]] = {}
    for finding in scoring.findings:
        if finding.severity in severities and finding.episode_index not in who:
            accused.setdefault(finding.episode_index, []).append(finding)
    dropped = [
        Dropped(e, found[0].check, found[0].severity, "; ".join(f.message for f in found))
        for e, found in sorted(accused.items())
    ]
    for one in dropped:
        if not current.get(one.episode, {}).get("note"):
            labels.set([one.episode], "note", one.reason, AUTOMATIC + one.check)
    # One entry a check, last, so that `label --undo` takes back verdicts and not some note.
    by_check: dict[str, list[int]] = {}
    for one in dropped:
        by_check.setdefault(one.check, []).append(one.episode)
    for check, episodes in by_check.items():
        labels.set(episodes, "verdict", "drop", AUTOMATIC + check)
    return dropped


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
