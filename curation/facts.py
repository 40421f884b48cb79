"""What is known of a dataset, as tables for people: the card shows them in Markdown, the page in HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view
from collector.errors import UsageError, shown


@dataclass(frozen=True)
class Facts:
    """A table with what is said before and after it.

    Attributes:
        title: The section's.
        before: A sentence; empty for none.
        head: Names of the columns, empty where the first column names the rows.
        rows: The cells.
        after: A sentence; empty for none.
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    before: str = ""
    after: str = ""


def overview(dataset: Dataset) -> Facts:
    """Return counts, robot, cameras, success, pilots and dates.

    Raises:
        DataError: If the dataset cannot be read.
    """
    frames, fps = dataset.num_frames, float(dataset.fps)
    rows: list[tuple[str, object]] = [
        ("episodes", f"{dataset.num_episodes:,}"),
        ("frames", f"{frames:,} at {fps:g} Hz ({frames / fps / 60:.1f} minutes)"),
        ("robot", dataset.info.get("robot_type") or "not named"),
        ("cameras", ", ".join(dataset.camera_keys) or "none"),
    ]
    table = episode_columns(dataset)
    known = [s for s in table["success"] if s is not None]
    if known:
        share = f"{sum(map(bool, known))} of {len(known)} ({100 * sum(map(bool, known)) / len(known):.0f} %)"
        rows.append(("success", share))
    for name, what in (("pilot", "flown by"), ("started_at", "recorded")):
        values = sorted({str(v) for v in table.get(name, []) if v})
        if values:
            days = list(dict.fromkeys(value[:10] for value in (values[0], values[-1])))
            text = ", ".join(values) if name == "pilot" else " to ".join(days)
            rows.append((what, text))
    return Facts("Overview", ("", ""), tuple(rows))


def columns(dataset: Dataset) -> Facts:
    """Return the columns with their types and shapes."""
    rows = []
    for name, spec in dataset.features.items():
        names = spec.get("names")
        if isinstance(names, dict):
            names = [n for group in names.values() for n in group]
        said = ", ".join(map(str, names)) if names and spec["dtype"] not in ("video", "image") else ""
        if spec.get("privileged"):
            said = f"privileged (simulation only): {said}"
        rows.append((name, spec["dtype"], " x ".join(map(str, spec["shape"])), said))
    return Facts("Columns", ("column", "type", "shape", "entries"), tuple(rows))


def curation(dataset: Dataset) -> Facts:
    """Return the verdicts, and of each check how many episodes it evaluated and accused.

    Raises:
        DataError: If the dataset, its labels or its scores cannot be read.
    """
    verdicts = Counter(v or "undecided" for v in episode_columns(dataset)["verdict"])
    said = "Verdicts: " + ", ".join(f"{name} {count}" for name, count in sorted(verdicts.items())) + "."
    said = f"{made} {said}" if (made := origin(dataset)) else said
    checks = _checks_run(dataset)
    if not checks:
        return Facts("Curation", before=said, after="No checks were run.")
    found = [
        (name, c["evaluated"], c["fault"], c["warn"]) for name, c in checks.items() if c["fault"] or c["warn"]
    ]
    silent = [name for name, c in checks.items() if c["evaluated"] and not c["fault"] and not c["warn"]]
    skipped = [name for name, c in checks.items() if not c["evaluated"]]
    after = [f"Nothing found by {', '.join(silent)}."] if silent else []
    after += [f"Not evaluated: {', '.join(skipped)}."] if skipped else []
    head = ("check", "episodes checked", "faults", "warnings")
    return Facts("Curation", head, tuple(found), said, " ".join(after))


def origin(dataset: Dataset) -> str:
    """Return by which edits a dataset was made of which sets, the last one first; "" where it was recorded so.

    Raises:
        DataError: If its manifest is damaged.
    """
    from curation.manifest import read

    parts, manifest = [], read(dataset.root)
    try:
        while manifest is not None:
            asked = [
                f"{k} {shown(v)}" for k, v in manifest["decisions"].items() if v not in (None, False, [])
            ]
            sources = [
                f"{s['episodes']:,} episodes of '{shown(s.get('name', 'a set'))}'"
                for s in manifest["sources"]
            ]
            step = f"{shown(manifest['verb'])} ({', '.join(asked)})" if asked else shown(manifest["verb"])
            parts.append(f"{step} from {' and '.join(sources)}")
            manifest = manifest["sources"][0]["edit"] if len(manifest["sources"]) == 1 else None
    except (KeyError, TypeError, AttributeError, ValueError):  # a stranger's
        return ""
    return f"Made by `demodeck edit`: {', which was made by '.join(parts)}." if parts else ""


def agreements(dataset: Dataset) -> Facts | None:
    """Return how far the curators agree; None where no two judged the same episode.

    Raises:
        DataError: If the labels are damaged.
    """
    from curation.agreement import FIELDS, agreement

    labels, rows = Labels(dataset.root), []
    for name in FIELDS:
        try:
            found = agreement(labels, name)
        except UsageError:
            continue
        for kappa in [found.all] if found.all else found.pairs:
            value = "undefined" if kappa.kappa is None else f"{kappa.kappa:.2f}"
            interval = f"{value} ({kappa.low:.2f} to {kappa.high:.2f})"
            counts = name, len(kappa.authors), kappa.episodes
            rows.append((*counts, f"{100 * kappa.agreed:.0f} %", interval, len(found.disputed)))
    head = ("label", "people", "episodes judged twice", "said the same", "kappa (95 %)", "in dispute")
    return Facts("Agreement of the curators", head, tuple(rows)) if rows else None


def episode_columns(dataset: Dataset) -> dict[str, list[Any]]:
    """Return the columns of the view `episodes`, each with a value an episode."""
    connection = episode_view(dataset)
    try:
        cursor = connection.execute("SELECT * FROM episodes ORDER BY episode_index")
        names: Sequence[str] = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    finally:
        connection.close()
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _checks_run(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Return per check how many episodes were evaluated, at fault and warned; empty where none ran."""
    path = dataset.root / "curation" / "scores.parquet"
    if not path.exists():
        return {}
    import pyarrow.parquet as pq

    result: dict[str, dict[str, int]] = {}
    stored = pq.read_table(path, columns=["check", "state"]).to_pydict()
    for check, state in zip(stored["check"], stored["state"]):
        if state == "rank":
            continue
        row = result.setdefault(check, {"evaluated": 0, "fault": 0, "warn": 0})
        row["evaluated"] += state != "skipped"
        if state in ("fault", "warn"):
            row[state] += 1
    return result
