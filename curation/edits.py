"""New datasets from old ones: decisions become spans, spans become a copy, the sources stay untouched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import write_sets, write_spans
from collector.dataset.spans import Changes, Span, differences, whole_episodes
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


def merge_changes(
    datasets: Sequence[Dataset],
    common: bool,
    robot_type: str | None,
    mapped: Mapping[str, str] | None = None,
) -> Changes:
    """Return what it takes to make one dataset of several.

    Args:
        common: Keep only the features that all have alike.
        robot_type: The new set's, where theirs differ.
        mapped: New name by name, for each dataset that has the one and not the other.

    Raises:
        UsageError: If they are fewer than two, or one is named twice.
        MismatchError: If they differ, naming each difference.
    """
    roots = [dataset.root.resolve() for dataset in datasets]
    if len(roots) < 2 or len(set(roots)) < len(roots):
        raise UsageError("name at least two datasets to merge, each once")
    mapped = mapped or {}
    for name in mapped:
        if not any(name in dataset.features and mapped[name] not in dataset.features for dataset in datasets):
            raise UsageError(
                f"--map={name}:{mapped[name]}: no dataset has '{name}' without having '{mapped[name]}' too"
            )
    named = Changes(mapped=mapped)
    first, *others = ({new: d.features[old] for old, new in named.new_names(d).items()} for d in datasets)
    features = None
    if common:
        alike = [
            name
            for name, feature in first.items()
            if all(_alike(feature, other.get(name)) for other in others)
        ]
        if not set(alike) - set(schema.DEFAULT_FEATURES):
            raise MismatchError(
                "the datasets have no feature in common: give those that mean the same one name with --map=OLD:NEW"
            )
        features = {name: name for name in alike}
    changes = Changes(features, robot_type=robot_type, mapped=mapped)
    found = [
        f"{other.root} does not fit {datasets[0].root} ({'; '.join(seen)})"
        for other in datasets[1:]
        if (seen := differences(datasets[0], other, changes))
    ]
    kinds = list(dict.fromkeys(str(dataset.info.get("robot_type")) for dataset in datasets))
    advice = [] if common or not found else ["--common keeps what they share"]
    if found and (maps := [text for other in others for text in _maps(first, other)]):
        advice.append(f"{' '.join(dict.fromkeys(maps))} takes them for the same")
    if len(kinds) > 1 and robot_type is None:
        found.append(f"the robot types are {', '.join(kinds)}")
        advice.append("--robot_type=NAME says which the new set has")
    if found:
        raise MismatchError("; ".join(found) + (f": {', and '.join(advice)}" if advice else ""))
    return changes


def _maps(a: schema.Features, b: schema.Features) -> list[str]:
    """Return the `--map` flags for features that only one has and that are of one kind: one for one, no guess."""
    found = []
    lone_a, lone_b = ([n for n in here if n not in there] for here, there in ((a, b), (b, a)))
    for name in lone_b:
        like = [other for other in lone_a if _alike(a[other], b[name])]
        back = [other for other in lone_b if like and _alike(a[like[0]], b[other])]
        if len(like) == 1 and len(back) == 1:
            found.append(f"--map={name}:{like[0]}")
    return found


def parse_map(texts: Sequence[str]) -> dict[str, str]:
    """Parse `OLD:NEW`, several with commas between.

    Raises:
        UsageError: If a text is no such pair, or a name is given twice.
    """
    pairs = [part.strip() for text in texts for part in text.split(",")]
    found: dict[str, str] = {}
    for pair in pairs:
        old, colon, new = pair.partition(":")
        if not colon or not old.strip() or not new.strip() or "/" in new or old.strip() in found:
            raise UsageError(
                f"--map is '{pair}': write OLD:NEW, each OLD once, like observation.images.front:observation.images.cam"
            )
        found[old.strip()] = new.strip()
    return found


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
