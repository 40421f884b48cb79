"""`demodeck label`: its flags, and what it says."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.errors import UsageError
from curation.arguments import DATASET, EPISODES, WHERE, author_name, open_dataset, print_json, verb_parser
from curation.show import cell, counted, episode_list, table

_WAYS = "--history, --undo, --redo, --show, --conflicts or --merge"


def run(args: list[str]) -> int:
    """Do what `demodeck label ARGS` says; return the exit code."""
    flags = _parser().parse_args(args)
    from curation.choose import choose_episodes

    ways = (flags.history, flags.undo, flags.redo, flags.show, flags.conflicts, flags.merge is not None)
    if sum(ways) > 1 or any(ways) == _says_something(flags):
        raise UsageError(
            "say what to do: one or more of --verdict/--success/--rating/--weight/--tag/--untag/--segment/--unsegment/"
            f"--note/--trim/--task, or one of {_WAYS}"
        )
    dataset = open_dataset(flags.dataset)
    labels = Labels(dataset.root)
    named = flags.episodes is not None or flags.where is not None
    if named and (flags.undo or flags.redo or flags.merge is not None):
        raise UsageError("--undo, --redo and --merge are about whatever was said: name no episodes")
    chosen = choose_episodes(dataset, flags.episodes, flags.where) if named or not any(ways) else None
    if flags.merge is not None:
        code = _merge(flags, dataset, labels)
    elif flags.undo or flags.redo:
        code = _take_back(flags, labels)
    elif flags.history:
        code = _history(flags, labels, chosen)
    elif flags.show:
        code = _show(flags, labels, chosen)
    elif flags.conflicts:
        code = _conflicts(flags, labels, chosen)
    else:
        assert chosen is not None
        code = _set(flags, dataset, labels, chosen)
    for field, count in labels.unknown().items():
        print(
            f"note: {count} entries of a newer demodeck ('{cell(field)}') are kept, but not understood",
            file=sys.stderr,
        )
    return code


def _parser() -> ArgumentParser:
    parser = verb_parser(
        "label",
        "Say what is thought of episodes; every word is kept with its author and time, and can be taken back.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET)
    parser.add_argument("episodes", metavar="EPISODES", nargs="?", help=EPISODES)
    parser.add_argument("--where", metavar="SQL", help=WHERE)
    parser.add_argument("--verdict", choices=["keep", "drop", "none"], help="'none' takes the verdict back")
    parser.add_argument(
        "--success", choices=["true", "false", "none"], help="'none': what was recorded holds"
    )
    parser.add_argument("--rating", choices=[*"12345", "none"], help="1 (poor) to 5 (a model of its kind)")
    parser.add_argument(
        "--weight", metavar="W", help="how much it counts in training (usual: 1); 'none': as usual"
    )
    parser.add_argument(
        "--tag", metavar="A,B", action="append", default=[], help="add tags, leaving the others"
    )
    parser.add_argument(
        "--untag", metavar="A,B", action="append", default=[], help="take tags away; 'all': every one"
    )
    parser.add_argument(
        "--segment", metavar="FIRST:LAST=TEXT", action="append", default=[],
        help="say in a sentence what is done in frames FIRST to LAST (excluded); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--unsegment",
        metavar="FIRST:LAST",
        action="append",
        default=[],
        help="take it away; 'all': every one",
    )
    parser.add_argument("--note", metavar="TEXT")
    parser.add_argument(
        "--trim", metavar="FIRST:LAST", help="frames that 'edit apply' shall leave; 'none': all"
    )
    parser.add_argument(
        "--task", metavar="TEXT", help="words that 'edit apply' shall give it; '': those it has"
    )
    parser.add_argument("--settle", action="store_true", help="this ends a conflict: see --conflicts")
    parser.add_argument(
        "--author", metavar="NAME", help="who decides (default: $DEMODECK_AUTHOR, else $USER)"
    )
    parser.add_argument("--show", action="store_true", help="show the present labels")
    parser.add_argument(
        "--by", metavar="AUTHOR", help="with --show, --history, --undo, --redo: only what AUTHOR said"
    )
    parser.add_argument("--history", action="store_true", help="show every entry, oldest first")
    parser.add_argument("--undo", action="store_true", help="take back the last entry")
    parser.add_argument("--redo", action="store_true", help="take back the last --undo")
    parser.add_argument("--conflicts", action="store_true", help="list where two people decided differently")
    parser.add_argument(
        "--merge",
        metavar="OTHER",
        help="take over what others said: a copy of the dataset, or its labels.jsonl",
    )
    parser.add_argument("--json", action="store_true")
    return parser


def _says_something(flags: Namespace) -> bool:
    lists = flags.tag or flags.untag or flags.segment or flags.unsegment
    names = ("verdict", "success", "rating", "weight", "note", "trim", "task")
    return bool(lists) or any(getattr(flags, name) is not None for name in names)


def _set(flags: Namespace, dataset: Dataset, labels: Labels, chosen: list[int]) -> int:
    from curation.label_values import check_frames, values_of

    author = author_name(flags.author)
    values = values_of(flags)
    check_frames(dataset, chosen, values)
    for field, value in values.items():
        labels.set(chosen, field, value, author, flags.settle)
    if flags.json:
        print_json({"episodes": chosen, "set": values, "author": author})
    else:
        said = ", ".join(f"{field} {_words(value)}" for field, value in values.items())
        print(f"{counted(len(chosen))} ({episode_list(chosen)}): {said} (by {author})")
    return 0


def _words(value: Any) -> str:
    if not isinstance(value, dict):
        return f"= {cell(value) or 'none'}"
    parts = [f"+ {_element(one)}" for one in value.get("add", [])]
    return ", ".join([*parts, *(f"- {_element(one)}" for one in value.get("remove", []))])


def _element(one: Any) -> str:
    if isinstance(one, dict):
        return f"{one.get('from_frame')}:{one.get('to_frame')} {cell(one.get('text'))}"
    return ":".join(map(str, one)) if isinstance(one, (list, tuple)) else cell(one)


def _value_cell(value: Any) -> Any:
    if isinstance(value, dict):
        return _words(value)
    if isinstance(value, list):
        return ", ".join(map(_element, value)) if any(isinstance(v, dict) for v in value) else value
    return value


def _take_back(flags: Namespace, labels: Labels) -> int:
    author = author_name(flags.author)
    lines = (labels.undo if flags.undo else labels.redo)(author, flags.by)
    if flags.json:
        print_json({"undone" if flags.undo else "redone": lines})
    else:
        first = lines[0]
        about = episode_list([line["episode"] for line in lines])
        done = "taken back" if flags.undo else "holds again"
        print(f"{done}: {first['field']} {_words(first['value'])} by {first['author']} on {about}")
    return 0


def _history(flags: Namespace, labels: Labels, chosen: list[int] | None) -> int:
    from curation.verdicts import HISTORY, history_rows

    rows = [row for row in history_rows(labels, chosen) if flags.by in (None, row[1])]
    if flags.json:
        print_json([dict(zip(HISTORY, row)) for row in rows])
    else:
        shown = [tuple(map(_value_cell, row)) for row in rows]
        print(table(HISTORY, shown) if rows else "no labels yet")
    return 0


def _show(flags: Namespace, labels: Labels, chosen: list[int] | None) -> int:
    current = labels.current(flags.by)
    rows = [
        (episode, field, value)
        for episode, fields in current.items()
        if chosen is None or episode in set(chosen)
        for field, value in fields.items()
    ]
    if flags.json:
        print_json([{"episode": e, "field": f, "value": v} for e, f, v in rows])
    else:
        shown = [tuple(map(_value_cell, row)) for row in rows]
        print(table(("episode", "field", "value"), shown) if rows else "no labels yet")
    return 0


def _conflicts(flags: Namespace, labels: Labels, chosen: list[int] | None) -> int:
    found = [c for c in labels.conflicts() if chosen is None or c.episode in chosen]
    if flags.json:
        from dataclasses import asdict

        print_json([asdict(conflict) for conflict in found])
    else:
        print("\n".join(map(_conflict_line, found)) or "no two people decided differently")
    return 0


def _conflict_line(conflict: Any) -> str:
    about = f"{conflict.field} {_element(conflict.element)}".strip()
    said = "; ".join(f"{author}: {_element(value) or 'none'}" for author, value, _ in conflict.said)
    return f"episode {conflict.episode}, {about}: {said} (the last holds)"


def _merge(flags: Namespace, dataset: Dataset, labels: Labels) -> int:
    from curation.merging import merge_labels

    merged = merge_labels(dataset, Path(flags.merge))
    conflicts = labels.conflicts()
    if flags.json:
        from dataclasses import asdict

        print_json(
            {"taken_over": merged.n_new, "selections": merged.n_selections, "left_out": merged.n_left_out}
            | {"conflicts": [asdict(conflict) for conflict in conflicts]}
        )
        return 0
    who = ", ".join(f"{author} {n}" for author, n in merged.by_author.items())
    print(f"{merged.n_new} entries taken over" + (f" ({who})" if who else ""))
    if merged.n_selections:
        print(f"{merged.n_selections} saved selections taken over")
    if merged.n_left_out:
        print(
            f"{merged.n_left_out} entries are about episodes that this dataset lacks: they stay where they are"
        )
    if conflicts:
        print(f"{len(conflicts)} conflicts, each word is kept; --settle with a new label ends one:")
        print("\n".join(map(_conflict_line, conflicts)))
    return 0
