"""The dataset card: front matter that the Hub reads, then what a person wants to know before using the data."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from collector.dataset.reader import Dataset
from curation.facts import Facts, agreements, columns, curation, episode_columns, overview

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
    pinned = f", revision={json.dumps(versions[0])}" if versions else ""
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
            *_section(overview(dataset))[2:],
            *_shown(pictures),
            "## Tasks",
            "",
            *[f"- {_inline(task)}" for task in dataset.tasks],
            "",
            *_section(columns(dataset)),
            *_section(curation(dataset)),
            *_section(agreements(dataset), "###"),
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
            f"dataset = LeRobotDataset({json.dumps(repo_id)}{pinned})",
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


def _section(facts: Facts | None, level: str = "##") -> list[str]:
    if facts is None:
        return []
    lines = [f"{level} {facts.title}", ""]
    lines += [facts.before, ""] if facts.before else []
    coded = facts.head and facts.head[0] in ("column", "check")
    rows = [(f"`{first}`" if coded else first, *rest) for first, *rest in facts.rows]
    lines += [*_table(facts.head, rows), ""] if rows else []
    return lines + ([facts.after, ""] if facts.after else [])


def _citation(dataset: Dataset, repo_id: str) -> list[str]:
    began = [str(v) for v in episode_columns(dataset).get("started_at", []) if v]
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
