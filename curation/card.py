"""The dataset card: front matter that the Hub reads, then what a person wants to know before using the data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view

DEFAULT_LICENSE = "apache-2.0"
"""What lerobot's own cards say where nobody chose."""

_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def dataset_card(
    dataset: Dataset, repo_id: str, license_id: str = DEFAULT_LICENSE, tags: Sequence[str] = ()
) -> str:
    """Return the card as Markdown with YAML front matter.

    Args:
        dataset: The dataset.
        repo_id: Where it will lie.
        license_id: An identifier that the Hub knows, such as `apache-2.0` or `cc-by-4.0`.
        tags: Tags beside `LeRobot`, `robotics` and the robot's name.

    Raises:
        DataError: If the dataset cannot be read.
    """
    robot = dataset.info.get("robot_type")
    all_tags = list(dict.fromkeys(["LeRobot", "robotics", *([str(robot)] if robot else []), *tags]))
    front = [
        "---",
        f"license: {_yaml(license_id)}",
        "task_categories:",
        "- robotics",
        "tags:",
        *[f"- {_yaml(tag)}" for tag in all_tags],
        "configs:",
        "- config_name: default",
        "  data_files: data/*/*.parquet",
        "---",
    ]
    return "\n".join(
        [
            *front,
            "",
            f"# {repo_id.rpartition('/')[2]}",
            "",
            "A LeRobot v3.0 dataset, recorded and curated with demodeck.",
            "",
            *_facts(dataset, robot),
            "",
            "## Tasks",
            "",
            *[f"- {_inline(task)}" for task in dataset.tasks],
            "",
            "## Columns",
            "",
            *_columns(dataset),
            "",
            "## Curation",
            "",
            *_curation(dataset),
            "",
            "## Use",
            "",
            "```python",
            "from lerobot.datasets.lerobot_dataset import LeRobotDataset",
            "",
            f"dataset = LeRobotDataset({json.dumps(repo_id)})",
            "```",
            "",
        ]
    )


def _yaml(text: str) -> str:
    # A JSON string is a YAML string; what can only be read as a word stays plain.
    plain = re.fullmatch(r"[A-Za-z][\w.-]*", text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text)


def _inline(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *["| " + " | ".join(_inline(cell) for cell in row) + " |" for row in rows],
    ]


def _facts(dataset: Dataset, robot: object) -> list[str]:
    frames, fps = dataset.num_frames, float(dataset.fps)
    rows: list[tuple[str, object]] = [
        ("episodes", f"{dataset.num_episodes:,}"),
        ("frames", f"{frames:,} at {fps:g} Hz ({frames / fps / 60:.1f} minutes)"),
        ("robot", robot or "not named"),
        ("cameras", ", ".join(dataset.camera_keys) or "none"),
    ]
    table = _episodes(dataset)
    known = [s for s in table["success"] if s is not None]
    if known:
        share = f"{sum(map(bool, known))} of {len(known)} ({100 * sum(map(bool, known)) / len(known):.0f} %)"
        rows.append(("success", share))
    for name, what in (("pilot", "flown by"), ("started_at", "recorded")):
        values = sorted({str(v) for v in table.get(name, []) if v})
        if values:
            text = ", ".join(values) if name == "pilot" else f"{values[0][:10]} to {values[-1][:10]}"
            rows.append((what, text))
    return _table(["", ""], rows)


def _columns(dataset: Dataset) -> list[str]:
    rows = []
    for name, spec in dataset.features.items():
        names = spec.get("names")
        if isinstance(names, dict):
            names = [n for group in names.values() for n in group]
        shown = ", ".join(map(str, names)) if names and spec["dtype"] not in ("video", "image") else ""
        if spec.get("privileged"):
            shown = f"privileged (simulation only): {shown}"
        shape = " x ".join(map(str, spec["shape"]))
        rows.append((f"`{name}`", spec["dtype"], shape, shown))
    return _table(["column", "type", "shape", "entries"], rows)


def _episodes(dataset: Dataset) -> dict[str, list[Any]]:
    connection = episode_view(dataset)
    try:
        cursor = connection.execute("SELECT * FROM episodes ORDER BY episode_index")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    finally:
        connection.close()
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _curation(dataset: Dataset) -> list[str]:
    table = _episodes(dataset)
    lines = []
    verdicts = Counter(v or "undecided" for v in table["verdict"])
    lines.append(
        "Verdicts: " + ", ".join(f"{name} {count}" for name, count in sorted(verdicts.items())) + "."
    )
    checks = checks_run(dataset)
    if not checks:
        return [*lines, "", "No checks were run."]
    rows = [
        (f"`{name}`", c["evaluated"], c["fault"], c["warn"])
        for name, c in checks.items()
        if c["evaluated"] or c["fault"] or c["warn"]
    ]
    skipped = [f"`{name}`" for name, c in checks.items() if not c["evaluated"]]
    lines += ["", *_table(["check", "episodes checked", "faults", "warnings"], rows)]
    if skipped:
        lines += ["", f"Not evaluated: {', '.join(skipped)}."]
    return lines


def checks_run(dataset: Dataset) -> dict[str, dict[str, int]]:
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
