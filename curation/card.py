"""The dataset card: front matter that the Hub reads, then what a person wants to know before using the data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view
from collector.errors import UsageError

DEFAULT_LICENSE = "apache-2.0"
"""What lerobot's own cards say where nobody chose."""

CARD_MARK = "<!-- Made by demodeck; take this line away to keep the card as it is. -->"
"""A README.md with this line is made anew at each push."""

PICTURES = "card"
"""Where the card's pictures lie in the repository."""
_CAPTIONS = {
    "episodes.jpg": "Some episodes, each from its start to its end",
    "lengths.png": "Lengths of the episodes",
    "states.png": "Where the robot was: each entry of `observation.state`",
    "actions.png": "What was asked of it: each entry of `action`",
}

_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def dataset_card(
    dataset: Dataset,
    repo_id: str,
    license_id: str = DEFAULT_LICENSE,
    tags: Sequence[str] = (),
    pictures: Sequence[str] = (),
    versions: Sequence[str] = (),
) -> str:
    """Return the card as Markdown with YAML front matter.

    Args:
        dataset: The dataset.
        repo_id: Where it will lie.
        license_id: An identifier that the Hub knows, such as `apache-2.0` or `cc-by-4.0`.
        tags: Tags beside `LeRobot`, `robotics` and the robot's name.
        pictures: Paths of pictures in the repository.
        versions: Names of this version.

    Raises:
        DataError: If the dataset cannot be read.
    """
    robot = dataset.info.get("robot_type")
    all_tags = list(dict.fromkeys(["LeRobot", "robotics", *([str(robot)] if robot else []), *tags]))
    revision = f"--dataset.revision={versions[0]} " if versions else ""
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
            CARD_MARK,
            "",
            f"# {repo_id.rpartition('/')[2]}",
            "",
            "A LeRobot v3.0 dataset, recorded and curated with demodeck.",
            "",
            *_facts(dataset, robot),
            "",
            *_shown(pictures),
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
            *_agreement(dataset),
            "## Use",
            "",
            "Train a policy on exactly these episodes:",
            "",
            "```sh",
            f"demodeck train --policy.type=action_diffusion --dataset.repo_id={repo_id} "
            f"{revision}--output_dir=policies/{_slug(repo_id)}",
            "```",
            "",
            "or open it in Python:",
            "",
            "```python",
            "from lerobot.datasets.lerobot_dataset import LeRobotDataset",
            "",
            f"dataset = LeRobotDataset({json.dumps(repo_id)})",
            "```",
            "",
            "## Licence and citation",
            "",
            f"{_inline(license_id)}.",
            "",
            *_citation(dataset, repo_id),
            "",
        ]
    )


def _yaml(text: str) -> str:
    # A JSON string is a YAML string; what can only be read as a word stays plain.
    plain = re.fullmatch(r"[A-Za-z][\w.-]*", text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text)


def _slug(repo_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", repo_id.rpartition("/")[2])


def _shown(pictures: Sequence[str]) -> list[str]:
    lines = []
    for path in pictures:
        caption = _CAPTIONS.get(path.rpartition("/")[2], "")
        lines += [f"![{caption}]({path})", "", f"*{caption}.*", ""]
    return lines


def _agreement(dataset: Dataset) -> list[str]:
    """Return how far the curators agree; nothing where no two judged the same episode."""
    from curation.agreement import FIELDS, agreement

    labels, rows = Labels(dataset.root), []
    for name in FIELDS:
        try:
            found = agreement(labels, name)
        except UsageError:
            continue
        for kappa in [found.all] if found.all else found.pairs:
            value = "undefined" if kappa.kappa is None else f"{kappa.kappa:.2f}"
            rows.append(
                (
                    name,
                    len(kappa.authors),
                    kappa.episodes,
                    f"{100 * kappa.agreed:.0f} %",
                    f"{value} ({kappa.low:.2f} to {kappa.high:.2f})",
                    len(found.disputed),
                )
            )
    if not rows:
        return []
    head = ("label", "people", "episodes judged twice", "said the same", "kappa (95 %)", "in dispute")
    return ["Agreement of the curators:", "", *_table(head, rows), ""]


def _citation(dataset: Dataset, repo_id: str) -> list[str]:
    began = [str(v) for v in _episodes(dataset).get("started_at", []) if v]
    owner, _, name = repo_id.rpartition("/")
    lines = [
        "```bibtex",
        f"@misc{{{_slug(repo_id)},",
        f"  title = {{{name}: a LeRobot dataset of {dataset.num_episodes} episodes}},",
        f"  author = {{{owner or name}}},",
    ]
    lines += [f"  year = {{{max(began)[:4]}}},"] if began else []
    return [*lines, f"  howpublished = {{Hugging Face Hub, {repo_id}}},", "}", "```"]


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
