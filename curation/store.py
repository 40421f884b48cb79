"""What a scoring leaves beside the dataset: `curation/scores.parquet` and `curation/findings.parquet`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from collector.errors import StorageError
from curation.scores import Scoring

if TYPE_CHECKING:
    import pyarrow as pa


def store(root: Path, scoring: Scoring, video: bool, ranks: dict[str, np.ndarray] | None = None) -> None:
    """Write `curation/scores.parquet` and `curation/findings.parquet` below `root`, each atomically.

    Scores have one row per episode and check: `episode_index`, `check`, `score` (null where not evaluated),
    `state` ("ok", "warn", "fault", "skipped"; "rank" for a soft score, which accuses nobody) and `note` (why it
    was skipped).

    Raises:
        StorageError: If the disk refuses; earlier scores are then as before.
    """
    import pyarrow as pa

    n = len(scoring.episodes)
    worst = {(f.episode_index, f.check): f.severity for f in reversed(scoring.findings)}
    names: list[str] = []
    scores: list[np.ndarray] = []
    states: list[str] = []
    notes: list[str | None] = []
    for name, values in scoring.scores.items():
        names += [name] * n
        scores.append(values)
        reasons = scoring.skipped[name]
        states += [
            "skipped" if reason else worst.get((episode, name), "ok")
            for episode, reason in zip(scoring.episodes, reasons)
        ]
        notes += [reason or None for reason in reasons]
    for name, values in (ranks or {}).items():
        known = np.isfinite(values)
        names += [name] * n
        scores.append(np.where(known, values, np.nan))
        states += ["rank"] * n
        notes += [None if k else "nothing to measure" for k in known.tolist()]
    episodes = np.tile(np.array(scoring.episodes, np.int64), len(scores))
    table = pa.Table.from_arrays(
        [
            _integers(episodes),
            _words(names),
            _floats(np.concatenate([np.zeros(0), *scores])),
            _words(states),
            _words(notes),
        ],
        names=["episode_index", "check", "score", "state", "note"],
        metadata={"demodeck": json.dumps(_about(scoring, video))},
    )
    _write(table, root / "curation" / "scores.parquet")
    found = scoring.findings
    table = pa.Table.from_arrays(
        [
            _integers([f.episode_index for f in found]),
            _words([f.check for f in found]),
            _words([f.severity for f in found]),
            _integers([f.from_frame for f in found]),
            _integers([f.to_frame for f in found]),
            _floats([f.value for f in found]),
            _floats([f.limit for f in found]),
            _words([f.message for f in found]),
        ],
        names=["episode_index", "check", "severity", "from_frame", "to_frame", "value", "limit", "message"],
    )
    _write(table, root / "curation" / "findings.parquet")


# pyarrow.array() imports pandas, which costs more than all else here: so the arrays are made of their buffers.


def _integers(values: Any) -> pa.Array:
    import pyarrow as pa

    array = np.asarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(array), [None, pa.py_buffer(array)])


def _floats(values: Any) -> pa.Array:
    """Return numbers, null where they are NaN."""
    import pyarrow as pa

    array = np.asarray(values, np.float64)
    there = np.packbits(~np.isnan(array), bitorder="little")
    return pa.Array.from_buffers(pa.float64(), len(array), [pa.py_buffer(there), pa.py_buffer(array)])


def _words(values: Sequence[str | None]) -> pa.Array:
    import pyarrow as pa

    numbers: dict[str | None, int] = {}
    codes = _integers([numbers.setdefault(value, len(numbers)) for value in values])
    texts = [(value or "").encode() for value in numbers]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    there = np.packbits(np.array([value is not None for value in numbers], bool), bitorder="little")
    buffers = [pa.py_buffer(there), pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers).take(codes)


def _about(scoring: Scoring, video: bool) -> dict:
    return {
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "episodes": len(scoring.episodes),
        "frames": sum(scoring.lengths),
        "video": video,
    }


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        with temporary.open("wb") as sink:
            pq.write_table(table, sink)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): scores lie beside their dataset, so make "
            "room or copy the dataset to where you may write"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
