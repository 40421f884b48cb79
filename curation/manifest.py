"""`curation/edit.json`: how a dataset was made of others, by whom, and what these looked like then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from collector.dataset import tables
from collector.dataset.carry import MANIFEST
from collector.dataset.reader import Dataset
from collector.dataset.spans import Span, sources_of
from collector.errors import DataError


def files(verb: str, spans: Sequence[Span], decisions: Mapping[str, Any], author: str) -> dict[Path, bytes]:
    """Return the manifest of a new dataset, as a file to write beside its data.

    Args:
        verb: What was asked for (`trim`).
        spans: The new episodes.
        decisions: How it was asked for (`{"margin_s": 0.2}`).
        author: Who asked.

    Raises:
        DataError: If a source's own manifest is damaged.
    """
    sources = sources_of(spans)
    number = {source: at for at, source in enumerate(sources)}
    head = {
        "version": 1,
        "verb": verb,
        "decisions": dict(decisions),
        "author": author,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "demodeck": _version(),
        "sources": [revision(source) for source in sources],
        "columns": ["source", "episode", "from_frame", "to_frame"],
    }
    rows = [json.dumps([number[s.source], s.episode, s.from_frame, s.to_frame]) for s in spans]
    # A line a span: that many numbers, one a line, nobody reads.
    lines = ",\n        ".join(rows)
    text = (
        json.dumps(head, indent=4, ensure_ascii=False)[:-2]
        + f',\n    "spans": [\n        {lines}\n    ]\n}}\n'
    )
    return {MANIFEST: text.encode()}


def revision(dataset: Dataset) -> dict[str, Any]:
    """Return what tells this state of a dataset from any other, and its own manifest (None: it was recorded)."""
    table = hashlib.sha256()
    for path in tables.episode_files(dataset.root):
        table.update(path.read_bytes())
    return {
        "name": dataset.root.resolve().name,  # it goes to the Hub: where it lay on this machine is nobody's business
        "info_sha256": hashlib.sha256((dataset.root / tables.INFO).read_bytes()).hexdigest(),
        "episodes_sha256": table.hexdigest(),
        "episodes": dataset.num_episodes,
        "frames": dataset.num_frames,
        "edit": read(dataset.root),
    }


def read(root: Path) -> dict[str, Any] | None:
    """Return a dataset's manifest; None where it was not made by an edit.

    Raises:
        DataError: If it is damaged.
    """
    path = root / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): restore or remove it") from error


def _version() -> str:
    try:
        return version("demodeck")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
