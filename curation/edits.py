"""New datasets from old ones: decisions become spans, spans become a copy, the sources stay untouched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from collector.dataset import schema
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import write_sets, write_spans
from collector.dataset.spans import Changes, Span, differences, span, whole_episodes
from collector.errors import MismatchError, UsageError
from curation import manifest


@dataclass(frozen=True)
class Edit:
    """A planned edit.

    Attributes:
        verb: What is done.
        sets: The new episodes by the name of the set, a folder below `output`; one set called "" is `output` itself.
        output: Folder to make.
        decisions: How it was asked for, for the manifest.
        changes: What becomes other than in the sources.
    """

    verb: str
    sets: Mapping[str, Sequence[Span]]
    output: Path
    decisions: Mapping[str, Any] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    @property
    def spans(self) -> list[Span]:
        """All new episodes."""
        return [span for spans in self.sets.values() for span in spans]

    def taken(self, source: Dataset) -> list[int]:
        """Return the episodes of a source of which something is taken, ascending."""
        return sorted({span.episode for span in self.spans if span.source is source})


def apply_edit(edit: Edit, author: str, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the edit's result: rows filtered, video packets copied as they are, all renumbered, and a manifest.

    Raises:
        UsageError: If the output exists or lies in a source.
        DataError: If a source is damaged.
        MismatchError: If sources do not fit each other.
        OSError: If the disk refuses; nothing of the output is left then.
    """
    files = {
        name: manifest.files(edit.verb, spans, edit.decisions, author) for name, spans in edit.sets.items()
    }
    if list(edit.sets) == [""]:
        write_spans(edit.output, edit.sets[""], edit.changes, files[""], progress)
    else:
        write_sets(edit.output, {name: (spans, files[name]) for name, spans in edit.sets.items()}, progress)


def selection(dataset: Dataset, verb: str, chosen: Sequence[int]) -> list[Span]:
    """Return the episodes that are left when the chosen ones are dropped, or the only ones kept.

    Args:
        verb: "drop" or "keep".

    Raises:
        UsageError: If nothing would be dropped or nothing kept.
    """
    everything = set(range(dataset.num_episodes))
    kept = sorted(everything - set(chosen)) if verb == "drop" else sorted(set(chosen))
    if not kept:
        raise UsageError(
            f"this would drop all {dataset.num_episodes} episodes: narrow the condition (nothing written)"
        )
    if len(kept) == dataset.num_episodes:
        raise UsageError(
            f"this would keep all {dataset.num_episodes} episodes: there is nothing to drop (nothing written)"
        )
    return whole_episodes(dataset, kept)


def decided(dataset: Dataset) -> list[Span]:
    """Return the episodes as the labels want them: without those of verdict `drop`, trimmed, with the tasks they name.

    Raises:
        UsageError: If the labels decide nothing or drop everything, or a trim is no part of its episode.
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
    if len(spans) == dataset.num_episodes and all(s.whole and s.task is None for s in spans):
        raise UsageError(
            f"no label of {dataset.root} asks for a change: set some with 'demodeck label' (--verdict drop, --trim)"
        )
    return spans


def merge_changes(datasets: Sequence[Dataset], common: bool, robot_type: str | None) -> Changes:
    """Return what it takes to make one dataset of several.

    Args:
        common: Keep only the features that all have alike.
        robot_type: The new set's, where theirs differ.

    Raises:
        UsageError: If they are fewer than two, or one is named twice.
        MismatchError: If they differ, naming each difference.
    """
    roots = [dataset.root.resolve() for dataset in datasets]
    if len(roots) < 2 or len(set(roots)) < len(roots):
        raise UsageError("name at least two datasets to merge, each once")
    first, *others = datasets
    features = None
    if common:
        alike = [
            name
            for name, feature in first.features.items()
            if all(_alike(feature, other.features.get(name)) for other in others)
        ]
        if not set(alike) - set(schema.DEFAULT_FEATURES):
            raise MismatchError(
                "the datasets have no feature in common: rename some with 'demodeck edit rename-feature'"
            )
        features = {name: name for name in alike}
    changes = Changes(features, robot_type=robot_type)
    found = [
        f"{other.root} does not fit {first.root} ({'; '.join(seen)})"
        for other in others
        if (seen := differences(first, other, changes))
    ]
    kinds = list(dict.fromkeys(str(dataset.info.get("robot_type")) for dataset in datasets))
    advice = [] if common or not found else ["--common keeps what they share"]
    if len(kinds) > 1 and robot_type is None:
        found.append(f"the robot types are {', '.join(kinds)}")
        advice.append("--robot_type=NAME says which the new set has")
    if found:
        raise MismatchError("; ".join(found) + (f": {', and '.join(advice)}" if advice else ""))
    return changes


def _alike(a: schema.Feature, b: schema.Feature | None) -> bool:
    plain = [
        {k: list(f[k]) if k == "shape" else f.get(k) for k in ("dtype", "shape", "names")}
        for f in (a, b)
        if f
    ]
    return len(plain) == 2 and plain[0] == plain[1]


def rename_task(dataset: Dataset, old: str, new: str) -> Changes:
    """Return the change of a task's words; where `new` is a task already, the two become one.

    Raises:
        UsageError: If there is no such task, or the new words are empty or the same.
    """
    _there(old, dataset.tasks, "task", dataset)
    if not new.strip() or new == old:
        raise UsageError(f"the task '{old}' needs other words than '{new}'")
    return Changes(tasks={old: new})


def rename_feature(dataset: Dataset, old: str, new: str) -> Changes:
    """Return the change of a feature's name.

    Raises:
        UsageError: If there is no such feature, it is lerobot's own, or the new name cannot be had.
    """
    _there(old, [n for n in dataset.features if n not in schema.DEFAULT_FEATURES], "feature", dataset)
    if new in dataset.features or not new.strip() or "/" in new:
        why = "there is one already" if new in dataset.features else "a name is not empty and has no '/'"
        raise UsageError(f"'{old}' cannot be called '{new}': {why}")
    return Changes({new if name == old else name: name for name in dataset.features})


def remove_features(dataset: Dataset, names: Sequence[str]) -> Changes:
    """Return the change that leaves features out.

    Raises:
        UsageError: If there is no such feature, or it is lerobot's own.
    """
    own = [name for name in dataset.features if name not in schema.DEFAULT_FEATURES]
    for name in names:
        _there(name, own, "feature", dataset)
    return Changes({name: name for name in dataset.features if name not in names})


def _there(name: str, known: Sequence[str], what: str, dataset: Dataset) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"no {what} '{name}' to change in {dataset.root}: {hint}")
