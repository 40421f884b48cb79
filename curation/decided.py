"""What the labels ask for, carried out: `demodeck edit apply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from collector.dataset.added import Sentences
from collector.dataset.label_file import entry_id
from collector.dataset.labels import Labels
from collector.dataset.language import LANGUAGE
from collector.dataset.reader import Dataset
from collector.dataset.spans import Changes, Span, span
from collector.dataset.views import episodes
from collector.errors import UsageError

COLUMNS = ("verdict", "success", "weight", "rating", "tags")
"""Labels that become columns of the episode table, where `LeRobotDataset(episode_filter=...)` sees them."""


def decided(dataset: Dataset) -> list[Span]:
    """Return the episodes as the labels want them: without those of verdict `drop`, trimmed, with the tasks they name.

    Raises:
        UsageError: If there is no label, or they drop everything, or a trim is no part of its episode.
        DataError: If the labels are damaged.
    """
    labels = Labels(dataset.root).current()
    spans = []
    for episode in range(dataset.num_episodes):
        label = labels.get(episode, {})
        if label.get("verdict") != "drop":
            first, last = label.get("trim") or (0, None)
            spans.append(span(dataset, episode, first, last, label.get("task")))
    if not spans:
        raise UsageError(f"the labels drop all {dataset.num_episodes} episodes: nothing would be left")
    if not labels:
        raise UsageError(
            f"no label of {dataset.root} asks for a change: set some with 'demodeck label' (--verdict drop, --trim)"
        )
    return spans


def decided_changes(dataset: Dataset, spans: Sequence[Span]) -> Changes:
    """Return what the labels change besides: columns of the episode table, and sentences for segments.

    `verdict` and `rating` are NULL where nobody decided, `success` where nobody knows; `weight` is then 1 and `tags` an
    empty list. `language_persistent` comes where an episode that stays has segments.

    Raises:
        DataError: If the labels are damaged.
    """
    taken = pa.array([one.episode for one in spans], pa.int64())
    table = episodes(dataset, set(COLUMNS)).select(list(COLUMNS)).take(taken)
    columns: dict[str, pa.Array] = {name: table[name].combine_chunks() for name in COLUMNS}
    tags = [words or [] for words in table["tags"].to_pylist()]
    columns["tags"] = pa.array(tags, pa.list_(pa.string()))
    current = Labels(dataset.root).current()
    segments = {one.episode: current.get(one.episode, {}).get("segments") for one in spans}
    said = {episode: given for episode, given in segments.items() if given}
    added: Mapping[str, Any] = {LANGUAGE: Sentences(said)} if said else {}
    return Changes(episode_columns=columns, added=added)


def decisions(dataset: Dataset, spans: Sequence[Span]) -> dict[str, Any]:
    """Return for the manifest who decided: everybody's name, and of each dropped or cut episode who, when and why.

    Raises:
        DataError: If the labels are damaged.
    """
    labels = Labels(dataset.root)
    kept = {one.episode: one for one in spans}
    current, holding = labels.current(), labels.holding()

    def who(episode: int, field: str) -> dict[str, Any]:
        entry = holding[episode][field]
        about = {
            "episode": episode,
            "author": entry.get("author"),
            "at": entry.get("at"),
            "id": entry_id(entry),
        }
        note = current.get(episode, {}).get("note")
        return {**about, "note": note} if note else about

    dropped = [e for e in range(dataset.num_episodes) if e not in kept]
    cut = [e for e, one in kept.items() if not one.whole]
    renamed = [e for e, one in kept.items() if one.task is not None]
    return {
        "authors": labels.authors(),
        "dropped": [who(e, "verdict") for e in dropped],
        "trimmed": [who(e, "trim") for e in cut],
        "tasks": [who(e, "task") for e in renamed],
        "segments": [who(e, "segments") for e in kept if current.get(e, {}).get("segments")],
    }
