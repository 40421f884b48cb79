"""The curators' commands: label, score, query, edit, publish."""

from __future__ import annotations

import json
import os
import sys
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from collector.flags import PlainParser
from curation.show import ProgressLine, cell, counted, episode_list, table

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset

_DATASET = "folder of a dataset, or its name (looked for in datasets/ and in the LeRobot cache)"
_EPISODES = "episode numbers and ranges: 3,5,7-9"
_WHERE = "SQL condition over the columns that 'demodeck query DATASET' knows"


def _parser(verb: str, about: str) -> PlainParser:
    return PlainParser(prog=f"demodeck {verb}", description=about)


def _open(name: str) -> Dataset:
    from collector.dataset.locate import locate
    from collector.dataset.reader import Dataset

    return Dataset.open(locate(name))


def _print_json(value: Any) -> None:
    print(json.dumps(value, default=str))


def author_name(given: str | None) -> str:
    """Return who labels: the flag, else `DEMODECK_AUTHOR`, else the user's name.

    Raises:
        UsageError: If there is none, or it looks like an automatic author.
    """
    name = given or os.environ.get("DEMODECK_AUTHOR") or os.environ.get("USER") or os.environ.get("LOGNAME")
    if not name or not name.strip():
        import getpass

        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            raise UsageError("who is labelling? give --author NAME or set DEMODECK_AUTHOR") from None
    if name.startswith("check:"):
        raise UsageError(
            f"the author '{name}' is kept for automatic verdicts: choose a name without 'check:'"
        )
    return name.strip()


def main_label(args: list[str]) -> int:
    """`demodeck label`: set verdict, success or note; show the history; take back the last entry."""
    parser = _parser(
        "label", "Set verdict, success or a note on episodes; every change is kept with its author."
    )
    parser.add_argument("dataset", metavar="DATASET", help=_DATASET)
    parser.add_argument("episodes", metavar="EPISODES", nargs="?", help=_EPISODES)
    parser.add_argument("--where", metavar="SQL", help=_WHERE)
    parser.add_argument("--verdict", choices=["keep", "drop", "none"], help="'none' takes the verdict back")
    parser.add_argument(
        "--success", choices=["true", "false", "none"], help="'none': what was recorded holds"
    )
    parser.add_argument("--note", metavar="TEXT")
    parser.add_argument(
        "--author", metavar="NAME", help="who decides (default: $DEMODECK_AUTHOR, else $USER)"
    )
    parser.add_argument("--history", action="store_true", help="show every entry, oldest first")
    parser.add_argument("--undo", action="store_true", help="take back the last entry")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    from curation.choose import choose_episodes
    from curation.verdicts import HISTORY, history_rows

    values = _label_values(flags)
    if sum([bool(values), flags.history, flags.undo]) != 1:
        raise UsageError("say what to do: one of --verdict/--success/--note, --history or --undo")
    dataset = _open(flags.dataset)
    from collector.dataset.labels import Labels

    labels = Labels(dataset.root)
    if flags.undo:
        if flags.episodes is not None or flags.where is not None:
            raise UsageError("--undo takes back the last entry whatever it was: name no episodes")
        undone = labels.undo(author_name(flags.author))
        if flags.json:
            _print_json({"undone": undone})
        else:
            first = undone[0]
            about = episode_list([line["episode"] for line in undone])
            value = cell(first["value"]) or "none"
            print(f"taken back: {first['field']} = {value} by {first['author']} on {about}")
        return 0
    named = flags.episodes is not None or flags.where is not None
    chosen = choose_episodes(dataset, flags.episodes, flags.where) if named or not flags.history else None
    if flags.history:
        rows = history_rows(labels, chosen)
        if flags.json:
            _print_json([dict(zip(HISTORY, row)) for row in rows])
        else:
            print(table(HISTORY, rows) if rows else "no labels yet")
        return 0
    assert chosen is not None
    author = author_name(flags.author)
    for field, value in values.items():
        labels.set(chosen, field, value, author)
    if flags.json:
        _print_json({"episodes": chosen, "set": values, "author": author})
    else:
        said = ", ".join(f"{field} = {cell(value) or 'none'}" for field, value in values.items())
        print(f"{counted(len(chosen))} ({episode_list(chosen)}): {said} (by {author})")
    return 0


def _label_values(flags: Any) -> dict[str, Any]:
    # The verdict last: it is what `--undo` should take back first.
    values: dict[str, Any] = {}
    if flags.note is not None:
        values["note"] = flags.note or None
    if flags.success is not None:
        values["success"] = {"true": True, "false": False, "none": None}[flags.success]
    if flags.verdict is not None:
        values["verdict"] = None if flags.verdict == "none" else flags.verdict
    return values


def main_score(args: list[str]) -> int:
    """`demodeck score`: run the checks, store scores and findings, print what was found."""
    parser = _parser(
        "score", "Run the checks over every episode and store what they found beside the dataset."
    )
    parser.add_argument("dataset", metavar="DATASET", help=_DATASET)
    parser.add_argument("--video", action="store_true", help="decode the cameras too (dark, frozen, blurred)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: cores, where it pays)")
    parser.add_argument(
        "--explain", metavar="EPISODE", help="show every score of one episode with its limits"
    )
    parser.add_argument(
        "--drop-faults",
        action="store_true",
        help="verdict 'drop' for episodes with faults that have no verdict by a person; undo with 'label'",
    )
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    if flags.jobs is not None and flags.jobs < 1:
        raise UsageError(f"--jobs is {flags.jobs}: it must be at least 1")
    dataset = _open(flags.dataset)
    from collector.dataset.labels import Labels
    from curation.choose import parse_episodes
    from curation.report import explanation, result_as_json, summary
    from curation.run import score_dataset, store
    from curation.verdicts import drop_faults

    asked = parse_episodes(flags.explain, dataset.num_episodes) if flags.explain is not None else []
    scoring = score_dataset(dataset, flags.video, ProgressLine(), flags.jobs)
    store(dataset.root, scoring, flags.video)
    dropped = drop_faults(Labels(dataset.root), scoring) if flags.drop_faults else None
    if flags.json:
        _print_json(result_as_json(dataset, scoring, dropped, asked))
        return 0
    if asked:
        for episode in asked:
            print(explanation(scoring, episode))
    else:
        print(summary(dataset, scoring))
    if dropped is not None:
        print(
            f"verdict 'drop' set on {counted(len(dropped))}"
            + (f": {episode_list(sorted(dropped))}" if dropped else "")
            + " (verdicts by people were left alone)"
        )
    return 0


def main_query(args: list[str]) -> int:
    """`demodeck query`: list episodes by SQL."""
    parser = _parser(
        "query",
        "List episodes by an SQL condition over the episode table, labels and scores, for example "
        "\"verdict = 'keep' and success\". Exit code 2 where nothing matches.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=_DATASET)
    parser.add_argument("condition", metavar="SQL", nargs="?", help="condition; without it all are listed")
    parser.add_argument("--columns", metavar="A,B", help="columns to show")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    dataset = _open(flags.dataset)
    from curation.query import never_scored, query_episodes

    columns = (
        [c.strip() for c in flags.columns.split(",") if c.strip()] if flags.columns is not None else None
    )
    names, rows = query_episodes(dataset, flags.condition, columns)
    if missing := never_scored(dataset):
        print(
            f"note: {counted(missing)} not scored yet: run 'demodeck score {flags.dataset}'", file=sys.stderr
        )
    if flags.json:
        _print_json([dict(zip(names, row)) for row in rows])
        return 0
    if rows:
        print(table(names, rows))
    print(f"{len(rows)} of {counted(dataset.num_episodes)}", file=sys.stderr)
    return 0


def main_edit(args: list[str]) -> int:
    """`demodeck edit drop|keep`: make a new dataset of some of the episodes."""
    parser = _parser("edit", "Make a new dataset of some episodes; the source is not touched.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="drop|keep", parser_class=PlainParser)
    for verb, about in (("drop", "leave the named episodes out"), ("keep", "take only the named episodes")):
        one = verbs.add_parser(verb, help=about, description=f"Make a new dataset: {about}.")
        one.add_argument("dataset", metavar="DATASET", help=_DATASET)
        one.add_argument("episodes", metavar="EPISODES", nargs="?", help=_EPISODES)
        one.add_argument("--where", metavar="SQL", help=_WHERE)
        one.add_argument("--output", metavar="FOLDER", required=True, help="folder to make")
        one.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        one.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    dataset = _open(flags.dataset)
    from curation.choose import choose_episodes
    from curation.edits import apply_edit, plan_edit

    chosen = choose_episodes(dataset, flags.episodes, flags.where)
    edit = plan_edit(dataset, flags.verb, chosen, Path(flags.output))
    if not flags.dry_run:
        show = ProgressLine()
        apply_edit(dataset, edit, lambda done, total: show("copy", done, total))
    if flags.json:
        _print_json(
            {
                "kept": edit.kept,
                "dropped": edit.dropped,
                "output": str(edit.output),
                "written": not flags.dry_run,
            }
        )
        return 0
    would = "would drop" if flags.dry_run else "dropped"
    print(
        f"{would} {len(edit.dropped)} of {dataset.num_episodes} episodes ({episode_list(edit.dropped)}), "
        f"{len(edit.kept)} kept: {edit.output}"
    )
    return 0


def main_publish(args: list[str]) -> int:
    """`demodeck publish`: push an exact mirror with its card and the tag v3.0."""
    from curation.card import DEFAULT_LICENSE

    parser = _parser(
        "publish", "Push an exact mirror to the Hub ($HF_ENDPOINT), with its card and the tag v3.0."
    )
    parser.add_argument("dataset", metavar="DATASET", help=_DATASET)
    parser.add_argument("--repo-id", metavar="NAMESPACE/NAME", required=True)
    parser.add_argument(
        "--private",
        action=BooleanOptionalAction,
        help="hide or show it (default: as it is; a new one is shown)",
    )
    parser.add_argument(
        "--license", default=DEFAULT_LICENSE, metavar="ID", help=f"for the card ({DEFAULT_LICENSE})"
    )
    parser.add_argument("--tag", action="append", default=[], metavar="NAME", help="a further git tag")
    parser.add_argument("--message", metavar="TEXT", help="first line of the commit message")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    dataset = _open(flags.dataset)
    from curation.publish import FORMAT_TAG, publish

    tags = [tag for tag in flags.tag if tag != FORMAT_TAG]
    done = publish(dataset, flags.repo_id, flags.private, flags.license, tags, flags.message)
    result = {
        "repo_id": flags.repo_id,
        "url": done.url,
        "commit": done.commit,
        "tags": [FORMAT_TAG, *tags],
        "added": done.n_added,
        "deleted": done.n_deleted,
        "unchanged": done.n_unchanged,
    }
    if flags.json:
        _print_json(result)
    else:
        print(f"{done.url}")
        print(
            f"commit {done.commit[:12]}, tags {', '.join(result['tags'])}: {done.n_added} files added or changed, "
            f"{done.n_deleted} deleted, {done.n_unchanged} unchanged"
        )
    return 0
