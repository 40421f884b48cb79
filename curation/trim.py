"""Parts of episodes: frames named by the user, or what is left when standing still at the ends is cut away."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from collector.dataset.reader import Dataset
from collector.dataset.spans import Span, span, whole_episodes
from collector.errors import DataError, UsageError


def parse_frames(text: str) -> tuple[int, int | None]:
    """Parse `12:180`, frames counted from 0, the last excluded; `12:` is up to the end, `:180` from the start.

    Raises:
        UsageError: If the text is no such range.
    """
    match = re.fullmatch(r"\s*(\d*)\s*:\s*(\d*)\s*", text)
    if match is None or not (match[1] or match[2]):
        raise UsageError(f"'{text}' is no range of frames: write first:last like 12:180, the last excluded")
    return int(match[1] or 0), int(match[2]) if match[2] else None


def named_parts(dataset: Dataset, parts: Sequence[tuple[int, str]]) -> list[Span]:
    """Return the dataset's episodes with some of them cut; one that is named twice becomes two.

    Args:
        parts: Episode and frames, as `parse_frames` takes them.

    Raises:
        UsageError: If an episode or its frames are not there.
    """
    of: dict[int, list[Span]] = {}
    for episode, text in parts:
        of.setdefault(episode, []).append(span(dataset, episode, *parse_frames(text)))
    everything = whole_episodes(dataset, range(dataset.num_episodes))
    return [part for whole in everything for part in of.get(whole.episode, [whole])]


def read_parts(path: Path) -> list[tuple[int, str]]:
    """Read a file of lines `3 12:180` (episode and frames; `#` begins a comment).

    Raises:
        DataError: If the file cannot be read.
        UsageError: If a line is none such.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}): name a text file with lines like '3 12:180'"
        ) from error
    parts = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[0].isdigit():
            raise UsageError(
                f"{path}, line {number}, is '{line.strip()}': write episode and frames, like '3 12:180'"
            )
        parts.append((int(words[0]), words[1]))
    return parts


def without_idle_ends(
    dataset: Dataset, margin_s: float, chosen: Collection[int] | None = None
) -> tuple[list[Span], list[int]]:
    """Return the episodes without the still frames before the first and after the last motion.

    Stillness is judged as the check `idle_ends` judges it, from state and action.

    Args:
        margin_s: Time to leave on either side of the motion [s].
        chosen: Episodes to cut; the others stay whole. None for all.

    Returns:
        The new episodes, and the numbers of those without any motion, which stay whole.

    Raises:
        UsageError: If the margin is negative, or there is neither state nor action to judge by.
        DataError: If the dataset is damaged.
    """
    from curation.checks.still import moving
    from curation.run import read_episodes, reference_for

    if margin_s < 0:
        raise UsageError(f"--margin_s is {margin_s:g}: it is the time to leave, at least 0")
    if not {"observation.state", "action"} & set(dataset.features):
        raise UsageError(
            f"{dataset.root} has neither observation.state nor action: nothing tells when it is idle"
        )
    spans = whole_episodes(dataset, range(dataset.num_episodes))
    episodes = read_episodes(dataset, range(dataset.num_episodes))
    reference, margin = reference_for(dataset, episodes), round(margin_s * dataset.fps)
    still: list[int] = []
    for number, episode in enumerate(episodes):
        if chosen is not None and number not in chosen:
            continue
        at = np.flatnonzero(moving(episode, reference))
        if not len(at):
            still.append(number)
            continue
        first, last = max(0, int(at[0]) - margin), min(len(episode), int(at[-1]) + 1 + margin)
        spans[number] = span(dataset, number, first, last)
    return spans, still
