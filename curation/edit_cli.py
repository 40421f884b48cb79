"""`demodeck edit`: its flags, and what it says. A verb makes new datasets of others; none is ever changed in place."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from curation.arguments import author_name, open_dataset, print_json
from curation.edit_flags import verbs
from curation.show import ProgressLine, counted, episode_list

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset
    from collector.dataset.spans import Changes
    from curation.edits import Edit


def run(args: list[str]) -> int:
    """Do what `demodeck edit ARGS` says; return the exit code."""
    flags = verbs().parse_args(args)
    if flags.verb == "diff":
        from curation.versions_cli import run_diff

        return run_diff([flags.a, flags.b, *(["--json"] if flags.json else [])])
    output = Path(flags.output)
    if flags.verb == "merge":
        datasets = [open_dataset(name) for name in flags.datasets]
    else:
        datasets = [open_dataset(flags.dataset)]
    if output.exists():
        raise UsageError(f"the output {output} exists already: name a new folder with --output")
    author = author_name(flags.author)
    edit, notes = _plan(flags, datasets, output)
    if not flags.dry_run:
        from curation.edits import apply_edit

        show = ProgressLine()
        apply_edit(edit, author, lambda done, total: show("copy", done, total))
    _say(flags, edit, datasets, notes)
    return 0


def _plan(flags: Namespace, datasets: Sequence[Dataset], output: Path) -> tuple[Edit, list[str]]:
    """Return the edit that the flags ask for, and what to say besides."""
    from collector.dataset.spans import Changes, whole_episodes
    from curation import edits, split

    first, verb = datasets[0], flags.verb
    every = [span for d in datasets for span in whole_episodes(d, range(d.num_episodes))]
    decisions: dict[str, Any] = {}
    notes: list[str] = []
    changes, sets = Changes(), {"": every}
    if verb in ("drop", "keep"):
        decisions = {"episodes": _listed(flags), "where": flags.where}
        sets = {"": edits.selection(first, verb, _choose(flags, first))}
    elif verb == "trim":
        spans, decisions, notes = _trimmed(flags, first)
        sets = {"": spans}
    elif verb == "split":
        if sum([flags.fractions is not None, flags.by is not None, bool(flags.query)]) != 1:
            raise UsageError(
                "say how to split: one of --fractions=train:0.8,val:0.2, --by=SQL, or --query NAME=SQL (repeatable)"
            )
        if flags.by is not None:
            decisions, groups = {"by": flags.by}, split.by_value(first, flags.by)
        elif flags.query:
            decisions, groups = {"query": flags.query}, split.by_queries(first, flags.query)
            left = first.num_episodes - sum(map(len, groups.values()))
            notes += [f"{counted(left)} in no set"] if left else []
        else:
            decisions = {"fractions": flags.fractions, "seed": flags.seed}
            groups = split.by_shares(first.num_episodes, split.parse_shares(flags.fractions), flags.seed)
        sets = {name: whole_episodes(first, episodes) for name, episodes in groups.items()}
    elif verb == "merge":
        mapped = edits.parse_map(flags.map)
        decisions = {"common": flags.common, "robot_type": flags.robot_type, "map": mapped}
        changes = edits.merge_changes(datasets, flags.common, flags.robot_type, mapped)
    elif verb == "apply":
        from curation import decided

        spans = decided.decided(first)
        decisions, sets = decided.decisions(first, spans), {"": spans}
        changes = decided.decided_changes(first, spans)
    elif verb == "fps":
        from curation.edit_rate import slower

        decisions = {"fps": flags.fps, "actions": flags.actions}
        spans, changes = slower(first, flags.fps, flags.actions)
        sets = {"": spans}
    elif verb == "add-feature":
        decisions, changes = _added(flags, first)
    elif verb == "remove-feature":
        decisions = {"features": flags.features}
        changes = edits.remove_features(first, flags.features)
    else:
        decisions = {"old": flags.old, "new": flags.new}
        rename = edits.rename_task if verb == "rename-task" else edits.rename_feature
        changes = rename(first, flags.old, flags.new)
    return edits.Edit(verb, sets, output, decisions, changes), notes


def _added(flags: Namespace, dataset: Dataset) -> tuple[dict[str, Any], Changes]:
    from curation import edit_features

    if (flags.sql is None) == (flags.file is None):
        raise UsageError("say where the values come from: either --sql=EXPRESSION or --file=FILE")
    edit_features.check_kind(flags.dtype)
    if flags.sql is not None:
        values = edit_features.values_from_sql(dataset, flags.sql)
    else:
        values = edit_features.values_from_file(dataset, Path(flags.file), flags.column)
    names = [part.strip() for part in flags.names.split(",")] if flags.names else None
    changes = edit_features.add_feature(dataset, flags.feature, values, names, flags.dtype)
    feature = changes.added[flags.feature].feature
    file = flags.file and Path(flags.file).name
    decisions = {"feature": flags.feature, "sql": flags.sql, "file": file, "column": flags.column}
    return {**decisions, "dtype": feature["dtype"], "shape": list(feature["shape"])}, changes


def _listed(flags: Namespace) -> str | None:
    if flags.listed is not None and flags.episodes is not None:
        raise UsageError("the episodes are named twice: give them once, as 3,5,7-9")
    return (
        flags.episodes if flags.listed is None else flags.listed.strip().removeprefix("[").removesuffix("]")
    )


def _choose(flags: Namespace, dataset: Dataset) -> list[int]:
    from curation.choose import choose_episodes

    return choose_episodes(dataset, _listed(flags), flags.where)


def _trimmed(flags: Namespace, dataset: Dataset) -> tuple[list[Any], dict[str, Any], list[str]]:
    from curation import trim

    parts = list(zip(flags.episode, flags.frames))
    if len(flags.episode) != len(flags.frames):
        raise UsageError(
            f"{len(flags.episode)} --episode and {len(flags.frames)} --frames: give each episode its frames"
        )
    if flags.spans is not None:
        parts += trim.read_parts(Path(flags.spans))
    if flags.idle == bool(parts):
        raise UsageError(
            "say what to cut: either --idle, or --episode=N with --frames=FIRST:LAST, or --spans=FILE"
        )
    named = _listed(flags) is not None or flags.where is not None
    if parts:
        if named:
            raise UsageError(
                "EPISODES and --where choose what --idle looks at: --frames names its episode by --episode"
            )
        spans = trim.named_parts(dataset, parts)
        decisions: dict[str, Any] = {"frames": [[episode, text] for episode, text in parts]}
        still: list[int] = []
    else:
        chosen = _choose(flags, dataset) if named else None
        spans, still = trim.without_idle_ends(dataset, flags.margin_s, chosen)
        decisions = {"idle": True, "margin_s": flags.margin_s, "episodes": chosen}
    if all(span.whole for span in spans):
        raise UsageError(f"no episode of {dataset.root} has a frame to cut away: nothing is written")
    notes = [f"no motion at all, left whole: {episode_list(still)}"] if still else []
    return spans, decisions, notes


def _say(flags: Namespace, edit: Edit, datasets: Sequence[Dataset], notes: list[str]) -> None:
    first, spans = datasets[0], edit.spans
    everything = sum(d.num_episodes for d in datasets)
    kept = edit.taken(first)
    dropped = sorted(set(range(first.num_episodes)) - set(kept))
    if flags.json:
        result: dict[str, Any] = {"verb": edit.verb, "output": str(edit.output), "written": not flags.dry_run}
        if len(datasets) == 1:
            result |= {"kept": kept, "dropped": dropped}
        result["sets"] = {
            name: {
                "episodes": len(of),
                "frames": sum(len(s) for s in of),
                "cut": [[s.episode, s.from_frame, s.to_frame] for s in of if not s.whole],
            }
            for name, of in edit.sets.items()
        }
        print_json({**result, "notes": notes})
        return
    would = "would be " if flags.dry_run else ""
    if edit.verb in ("drop", "keep"):
        done = "would drop" if flags.dry_run else "dropped"
        text = f"{done} {len(dropped)} of {everything} episodes ({episode_list(dropped)}), {len(kept)} kept"
    elif edit.verb == "split":
        sizes = ", ".join(f"{name} {len(of)}" for name, of in edit.sets.items())
        text = f"{counted(everything)} {would}split: {sizes}"
    elif edit.verb == "merge":
        text = f"{len(datasets)} datasets {would}merged: {counted(everything)}"
    else:
        gone = sum(d.num_frames for d in datasets) - sum(len(s) for s in spans)
        cut = sorted({s.episode for s in spans if not s.whole})
        parts = [f"{counted(len(dropped))} dropped"] if dropped else []
        parts += [f"{counted(len(cut))} cut ({episode_list(cut)})"] if cut else []
        parts += [f"{gone} frames gone"] if gone else []
        text = f"{edit.verb}: {counted(len(spans))} {would}written" + "".join(f", {part}" for part in parts)
    print("\n".join([f"{text}: {edit.output}", *notes]))
