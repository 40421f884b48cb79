"""`demodeck edit`: its flags, and what it says. A verb makes new datasets of others; none is ever changed in place."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from collector.flags import PlainParser
from curation.arguments import DATASET, EPISODES, WHERE, author_name, open_dataset, print_json, verb_parser
from curation.show import ProgressLine, counted, episode_list

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset
    from curation.edits import Edit

_VERBS = {
    "drop": "leave the named episodes out",
    "keep": "take only the named episodes",
    "trim": "cut frames away at the ends of episodes",
    "split": "share the episodes out to several datasets, FOLDER/<name>",
    "merge": "put the episodes of several datasets into one",
    "apply": "do what the labels say: verdict 'drop', trims, tasks",
    "rename-task": "give a task other words",
    "rename-feature": "give a column or camera another name",
    "remove-feature": "leave columns or cameras out",
    "diff": "say how dataset B differs from A",
}


def _verbs() -> PlainParser:
    parser = verb_parser("edit", "Make new datasets of others, by stream copy; the sources are not touched.")
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="|".join(_VERBS), parser_class=PlainParser
    )
    for verb, about in _VERBS.items():
        one = verbs.add_parser(verb, help=about, description=f"{about[0].upper()}{about[1:]}.")
        _FLAGS.get(verb, _one_dataset)(one)
        if verb != "diff":
            one.add_argument("--output", metavar="FOLDER", required=True, help="folder to make")
            one.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
            one.add_argument(
                "--author", metavar="NAME", help="who decides (default: $DEMODECK_AUTHOR, else $USER)"
            )
        one.add_argument("--json", action="store_true")
    return parser


def _one_dataset(parser: ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help=DATASET)


def _chosen_episodes(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("episodes", metavar="EPISODES", nargs="?", help=EPISODES)
    parser.add_argument("--episodes", metavar="EPISODES", dest="listed", help="the same; also as [3,70]")
    parser.add_argument("--where", metavar="SQL", help=WHERE)


def _trim(parser: ArgumentParser) -> None:
    _chosen_episodes(parser)
    parser.add_argument(
        "--idle",
        action="store_true",
        help="cut off standing still at both ends (all episodes or those named)",
    )
    parser.add_argument(
        "--margin_s", type=float, default=0.2, metavar="S", help="left of it on either side [s] (0.2)"
    )
    parser.add_argument(
        "--episode",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="episode to cut; repeatable, each with its --frames",
    )
    parser.add_argument(
        "--frames",
        action="append",
        default=[],
        metavar="FIRST:LAST",
        help="frames to keep, from 0, the last excluded",
    )
    parser.add_argument("--spans", metavar="FILE", help="file of lines 'EPISODE FIRST:LAST'")


def _split(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("--fractions", metavar="NAME:SHARE,...", help="drawn at random: train:0.8,val:0.2")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing (0)")
    parser.add_argument(
        "--by", metavar="SQL", help="a set for each value of a column or condition of 'demodeck query'"
    )


def _merge(parser: ArgumentParser) -> None:
    parser.add_argument("datasets", metavar="DATASET", nargs="+", help=DATASET)
    parser.add_argument("--common", action="store_true", help="keep only the features that all have alike")
    parser.add_argument("--robot_type", metavar="NAME", help="the new set's, where theirs differ")


def _rename(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")


def _remove(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("features", metavar="FEATURE", nargs="+")


def _diff(parser: ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help=DATASET)
    parser.add_argument("b", metavar="B", help=DATASET)


_FLAGS: dict[str, Callable[[ArgumentParser], None]] = {
    "drop": _chosen_episodes,
    "keep": _chosen_episodes,
    "trim": _trim,
    "split": _split,
    "merge": _merge,
    "rename-task": _rename,
    "rename-feature": _rename,
    "remove-feature": _remove,
    "diff": _diff,
}


def run(args: list[str]) -> int:
    """Do what `demodeck edit ARGS` says; return the exit code."""
    flags = _verbs().parse_args(args)
    if flags.verb == "diff":
        return _show_difference(flags)
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
        if (flags.fractions is None) == (flags.by is None):
            raise UsageError("say how to split: either --fractions=train:0.8,val:0.2 or --by=SQL")
        if flags.by is not None:
            decisions, groups = {"by": flags.by}, split.by_value(first, flags.by)
        else:
            decisions = {"fractions": flags.fractions, "seed": flags.seed}
            groups = split.by_shares(first.num_episodes, split.parse_shares(flags.fractions), flags.seed)
        sets = {name: whole_episodes(first, episodes) for name, episodes in groups.items()}
    elif verb == "merge":
        decisions = {"common": flags.common, "robot_type": flags.robot_type}
        changes = edits.merge_changes(datasets, flags.common, flags.robot_type)
    elif verb == "apply":
        sets = {"": edits.decided(first)}
    elif verb == "remove-feature":
        decisions = {"features": flags.features}
        changes = edits.remove_features(first, flags.features)
    else:
        decisions = {"old": flags.old, "new": flags.new}
        rename = edits.rename_task if verb == "rename-task" else edits.rename_feature
        changes = rename(first, flags.old, flags.new)
    return edits.Edit(verb, sets, output, decisions, changes), notes


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


def _show_difference(flags: Namespace) -> int:
    from dataclasses import asdict

    from curation.diff import compare

    a, b = open_dataset(flags.a), open_dataset(flags.b)
    found = compare(a, b)
    if flags.json:
        print_json({"a": str(a.root), "b": str(b.root), **asdict(found)})
        return 0
    lines = [
        f"A {a.root}: {counted(a.num_episodes)}; B {b.root}: {counted(b.num_episodes)}; the same: {len(found.same)}"
    ]
    for name, numbers in (("A", found.only_a), ("B", found.only_b)):
        lines += [f"only in {name}: {episode_list(numbers)}"] if numbers else []
    for row in found.cut:
        short, whole = ("B", "A") if row["of"] == "a" else ("A", "B")
        frames = f"{row['from_frame']}:{row['to_frame']}"
        lines.append(f"{short} {row[short.lower()]} is {frames} of {whole} {row[row['of']]}")
    lines += [
        f"A {first} and B {second} are one flight with other actions" for first, second in found.changed
    ]
    lines += [f"feature: {text}" for text in found.features]
    lines += [f"task only in A: {task}" for task in found.tasks_only_a]
    lines += [f"task only in B: {task}" for task in found.tasks_only_b]
    print("\n".join(lines))
    return 0
