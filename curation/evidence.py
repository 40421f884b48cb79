"""Why an episode wants a look: what the checks found and where the soft scores put it, as stored by `score`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.dataset.reader import Dataset
from collector.dataset.views import episodes, view
from collector.errors import shown
from curation.ranking import RANKINGS, ordered

_KINDS: dict[str, pa.DataType] = {
    "episode_index": pa.int64(), "check": pa.string(), "severity": pa.string(), "from_frame": pa.int64(),
    "to_frame": pa.int64(), "message": pa.string(),
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A finding: frames `first` to `last` (excluded), by which check, how bad, and in words."""

    first: int
    last: int
    severity: str
    check: str
    words: str


class Evidence:
    """What is stored about each episode of a dataset.

    Attributes:
        mark: Of the files when they were read, see `evidence_mark`.
        scored: Whether the checks ever ran.
        faults, warnings: Findings of each episode, int64, (n_episodes,).
        place: Where the soft scores put it, 0 being the worst: the mean of its places by each; float64 (n_episodes,),
            NaN where there are none.
        worst: The number in `names` of the score that is worst for it, (n_episodes,).
        names: The soft scores that are stored.

    Raises:
        DataError: If what is stored is damaged.
    """

    def __init__(self, dataset: Dataset) -> None:
        n = dataset.num_episodes
        self.mark = evidence_mark(dataset.root)
        self.scored = (dataset.root / "curation" / "scores.parquet").exists()
        self._findings = _sorted(view(dataset, "findings"), n)
        self._of = self._findings["episode_index"].to_numpy()
        fault = self._findings["severity"].to_numpy(zero_copy_only=False) == "fault"
        self.faults = np.bincount(self._of[fault], minlength=n).astype(np.int64)
        self.warnings = np.bincount(self._of[~fault], minlength=n).astype(np.int64)
        self.names, self.place, self.worst = _places(dataset)
        known = np.isfinite(self.place)
        self._n_placed = int(known.sum())
        self._nth = np.full(n, -1)
        self._nth[np.argsort(np.where(known, self.place, np.inf), kind="stable")] = np.arange(n)

    def found(self, episode: int) -> list[Found]:
        """Return the findings of an episode, the faults first."""
        begin, end = np.searchsorted(self._of, [episode, episode + 1])
        rows = self._findings.slice(begin, end - begin).to_pylist()
        return [
            Found(
                int(row["from_frame"] or 0), int(row["to_frame"] or 0), str(row["severity"]), str(row["check"]),
                shown(str(row["message"] or row["check"]), 500),
            )
            for row in rows
        ]  # fmt: skip

    def checks(self) -> list[str]:
        """Return the names of checks that found something, the most frequent first."""
        counts = pc.value_counts(self._findings["check"]).to_pylist()
        return [str(one["values"]) for one in sorted(counts, key=lambda one: (-one["counts"], one["values"]))]

    def reason(self, episode: int) -> str:
        """Return in a line what the checks found, or else where the soft scores put it; '' where there is nothing."""
        if self.faults[episode] or self.warnings[episode]:
            first, *others = self.found(episode)
            more = f" (and {len(others)} more)" if others else ""
            return f"{first.check}: {first.words}{more}"
        if np.isfinite(self.place[episode]):
            return f"rank {self._nth[episode] + 1} of {self._n_placed}: {self.names[self.worst[episode]]}"
        return ""


def evidence_mark(root: Path) -> tuple[tuple[int, ...], ...]:
    """Return what tells whether the stored scores and findings changed: each file's number, size and time."""
    return tuple(file_mark(root / "curation" / name) for name in ("scores.parquet", "findings.parquet"))


def file_mark(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file changed; nothing where there is none."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _sorted(table: pa.Table, n: int) -> pa.Table:
    """Return the findings on episodes that there are, by episode, faults first; columns that lack are NULL."""
    columns = {
        name: table[name].cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
        for name, kind in _KINDS.items()
    }
    whole = pa.table(columns)
    whole = whole.filter(
        pc.and_(pc.greater_equal(whole["episode_index"], 0), pc.less(whole["episode_index"], n))
    )
    soft = (whole["severity"].to_numpy(zero_copy_only=False) != "fault").astype(np.int8)
    order = np.lexsort((np.arange(len(soft)), soft, whole["episode_index"].to_numpy()))
    return whole.take(pa.array(order)).combine_chunks()


def _places(dataset: Dataset) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the stored soft scores' names, the mean place of each episode, and which score puts it lowest."""
    n = dataset.num_episodes
    table: Any = episodes(dataset, {ranking.name for ranking in RANKINGS})
    rankings = [r for r in RANKINGS if r.name in table.column_names]
    places = np.full((len(rankings), n), np.nan)
    for row, ranking in zip(places, rankings):
        best_first = ordered(ranking, table[ranking.name].to_numpy().astype(np.float64))
        # A share, for the scores do not all know every episode.
        row[best_first[::-1]] = np.arange(len(best_first)) / max(1, len(best_first) - 1)
    there = np.isfinite(places)
    count = there.sum(axis=0)
    mean = np.divide(np.where(there, places, 0).sum(axis=0), count, out=np.full(n, np.nan), where=count > 0)
    worst = np.where(there, places, np.inf).argmin(axis=0) if rankings else np.zeros(n, np.int64)
    return [r.name for r in rankings], mean, worst
