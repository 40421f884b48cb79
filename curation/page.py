"""A dataset as one self-contained page: facts, plots, findings, and the episodes that most need a look.

Pictures and clips are within the page. It runs no script and fetches nothing, and says so to the browser: what a
dataset's names and words hold can do nothing there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import DataError, shown
from curation.clips import clip
from curation.facts import agreements, columns, curation, overview
from curation.pictures import as_jpeg, filmstrip, plots
from curation.query import query_episodes
from curation.show import cell

Progress = Callable[[str, int, int], None]

CLIP_S = 4.0
"""Longest clip [s]; a longer finding is shown from its start."""
_CLIP_MARGIN_S = 0.5
_STRIP_FRAMES = 8
_MOST_ROWS = 2_000
_LABELS = ("verdict", "success", "rating", "tags", "note")
_TEMPLATE = Path(__file__).parent / "page.html"


@dataclass(frozen=True)
class Shown:
    """An episode that is shown.

    Attributes:
        episode: Its number.
        task: What was asked.
        seconds: Its length [s].
        labels: What holds of it, in words.
        findings: (severity, check, from second, to second, words).
        strip: Frames from its start to its end, a data address; empty where there are no pictures.
        clips: Of each camera its name and the clip of the first finding, a data address.
        unseen: Why there are no pictures; empty where there are.
    """

    episode: int
    task: str
    seconds: float
    labels: str
    findings: list[tuple[str, str, float, float, str]]
    strip: str
    clips: list[tuple[str, str]]
    unseen: str


def page(
    dataset: Dataset, name: str, worst: int = 20, clips: bool = True, progress: Progress | None = None
) -> str:
    """Return a dataset's page as HTML.

    Args:
        dataset: The dataset.
        name: What it is called there.
        worst: How many episodes are shown with pictures, those with most faults first, then most warnings.
        clips: Whether they move, too.
        progress: Told ("pictures", done, all).

    Raises:
        DataError: If its tables are damaged. Pictures that cannot be read are named on the page.
    """
    from jinja2 import Environment, StrictUndefined

    findings = _findings(dataset)
    faults, warnings = (_counts(findings, severity, dataset.num_episodes) for severity in ("fault", "warn"))
    order = np.lexsort((np.arange(dataset.num_episodes), -warnings, -faults))
    chosen = [int(e) for e in order if faults[e] or warnings[e]][:worst]
    head, rows = query_episodes(dataset)
    labels = dict(zip((row[head.index("episode_index")] for row in rows), rows))
    episodes = []
    for done, episode in enumerate(chosen):
        if progress:
            progress("pictures", done, len(chosen))
        said = dict(zip(head, labels[episode]))
        episodes.append(_shown(dataset, episode, said, findings.get(episode, []), clips))
    if progress and chosen:
        progress("pictures", len(chosen), len(chosen))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        name=shown(name, 200),
        overview=overview(dataset),
        sections=[s for s in (curation(dataset), agreements(dataset), columns(dataset)) if s],
        plots=[(_data("image/png", content), title) for title, content in _plots(dataset)],
        worst=episodes,
        scored=(dataset.root / "curation" / "scores.parquet").exists(),
        n_faulty=int((faults > 0).sum()),
        n_warned=int(((warnings > 0) & (faults == 0)).sum()),
        head=head,
        rows=[[cell(value) for value in row] for row in rows[:_MOST_ROWS]],
        n_rows=len(rows),
    )


def _plots(dataset: Dataset) -> list[tuple[str, bytes]]:
    titles = {"lengths.png": "Lengths", "states.png": "States", "actions.png": "Actions"}
    return [(titles[name], content) for name, content in plots(dataset).items()]


def _findings(dataset: Dataset) -> dict[int, list[dict[str, Any]]]:
    from collector.dataset.views import view

    found: dict[int, list[dict[str, Any]]] = {}
    for row in view(dataset, "findings").to_pylist():
        if isinstance(row.get("episode_index"), int) and row.get("from_frame") is not None:
            found.setdefault(row["episode_index"], []).append(row)
    return found


def _counts(findings: dict[int, list[dict[str, Any]]], severity: str, n: int) -> np.ndarray:
    counts = np.zeros(n, np.int64)
    for episode, rows in findings.items():
        if 0 <= episode < n:
            counts[episode] = sum(row["severity"] == severity for row in rows)
    return counts


def _shown(
    dataset: Dataset, episode: int, said: dict[str, Any], findings: list[dict[str, Any]], clips: bool
) -> Shown:
    fps, length = float(dataset.fps), int(dataset.lengths([episode])[0])
    rows = sorted(findings, key=lambda row: (row["severity"] != "fault", row["from_frame"]))
    strip, moving, unseen = "", [], ""
    try:
        for number, camera in enumerate(dataset.camera_keys):
            if number == 0:
                frames = filmstrip(dataset, episode, camera, min(_STRIP_FRAMES, length))
                strip = _data("image/jpeg", as_jpeg(frames))
            if clips:
                film = clip(dataset, episode, camera, *_span(rows[0], fps, length))
                moving.append((camera.rpartition(".")[2], _data("video/mp4", film)))
    except DataError as error:
        unseen = shown(str(error), 300)
    return Shown(
        episode,
        shown(str(said.get("task") or ""), 200),
        length / fps,
        ", ".join(f"{name} {cell(said[name])}" for name in _LABELS if said.get(name) is not None),
        [
            (
                r["severity"],
                r["check"],
                r["from_frame"] / fps,
                r["to_frame"] / fps,
                shown(str(r["message"]), 500),
            )
            for r in rows
        ],
        strip,
        moving,
        unseen,
    )


def _span(finding: dict[str, Any], fps: float, length: int) -> tuple[int, int]:
    """Return the frames of the clip of a finding: a little more than it, at most `CLIP_S`."""
    margin = round(_CLIP_MARGIN_S * fps)
    first = min(max(0, int(finding["from_frame"]) - margin), length - 1)
    last = min(length, int(finding["to_frame"]) + margin, first + round(CLIP_S * fps))
    return first, max(last, first + 1)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
