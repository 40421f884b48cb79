"""`demodeck query`: its flags, and what it prints."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.dataset.sealed import is_statement
from collector.errors import UsageError
from curation.arguments import REMOTE, author_name, print_json, verb_parser
from curation.show import counted, table


def run(args: list[str]) -> int:
    """Do what `demodeck query ARGS` says; return the exit code."""
    parser = verb_parser(
        "query",
        "List episodes by an SQL condition over the episode table, labels and scores, for example "
        "\"verdict = 'keep' and success\"; or answer a whole SELECT over the tables episodes, frames, findings, "
        "scores, labels, segments and tasks. Exit code 2 where no episode matches.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=REMOTE)
    parser.add_argument(
        "condition",
        metavar="SQL",
        nargs="?",
        help="condition, @selection or SELECT; without it all are listed",
    )
    parser.add_argument("--columns", metavar="A,B", help="columns to show, for a condition")
    parser.add_argument(
        "--save", metavar="NAME", help="save SQL with the dataset: from then on @NAME stands for it"
    )
    parser.add_argument("--saved", action="store_true", help="list the saved selections")
    parser.add_argument("--forget", metavar="NAME", help="take a saved selection away")
    parser.add_argument("--author", metavar="NAME", help="who saves (default: $DEMODECK_AUTHOR, else $USER)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--csv", action="store_true", help="comma-separated values with a head line")
    flags = parser.parse_args(args)
    if sum([flags.save is not None, flags.saved, flags.forget is not None]) > 1:
        raise UsageError("one at a time: --save, --saved or --forget")
    if flags.json and flags.csv:
        raise UsageError("say how to print: --json or --csv, not both")
    from curation.remote import open_by_name

    dataset = open_by_name(flags.dataset)
    if flags.saved or flags.forget is not None:
        return _selections(flags, dataset)
    from curation.query import never_scored, query_episodes, save_selection

    if flags.save is not None:
        if flags.condition is None:
            raise UsageError('--save needs what to save: demodeck query DATASET "SQL" --save NAME')
        found = save_selection(dataset, flags.save, flags.condition, author_name(flags.author))
        if flags.json:
            print_json({"saved": flags.save, "sql": flags.condition, "episodes": found})
        else:
            print(f"@{flags.save} is saved: it chooses {found} of {counted(dataset.num_episodes)}")
        return 0
    if flags.condition is not None and is_statement(flags.condition):
        from collector.dataset.select import query

        if flags.columns is not None:
            raise UsageError("--columns is for conditions: a SELECT names its columns itself")
        names, rows = query(dataset, flags.condition)
        _print(flags, names, rows)
        print(f"{len(rows)} row{'s' * (len(rows) != 1)}", file=sys.stderr)
        return 0
    columns = (
        [c.strip() for c in flags.columns.split(",") if c.strip()] if flags.columns is not None else None
    )
    names, rows = query_episodes(dataset, flags.condition, columns)
    if missing := never_scored(dataset):
        print(
            f"note: {counted(missing)} not scored yet: run 'demodeck score {flags.dataset}'", file=sys.stderr
        )
    _print(flags, names, rows)
    if not flags.json:
        print(f"{len(rows)} of {counted(dataset.num_episodes)}", file=sys.stderr)
    return 0


def _print(flags: Namespace, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    if flags.json:
        print_json([dict(zip(names, row)) for row in rows])
    elif flags.csv:
        from curation.query import as_csv

        print(as_csv(names, rows), end="")
    elif rows:
        print(table(names, rows))


def _selections(flags: Namespace, dataset: Dataset) -> int:
    selections = Selections(dataset.root)
    if flags.forget is not None:
        selections.save(flags.forget, None, author_name(flags.author))
        if flags.json:
            print_json({"forgotten": flags.forget})
        else:
            print(f"@{flags.forget} is no more (its history stays)")
        return 0
    head = ("name", "sql", "author", "at")
    rows = [(name, *(entry.get(key) for key in head[1:])) for name, entry in selections.all().items()]
    if flags.json or flags.csv or rows:
        _print(flags, list(head), rows)
    else:
        print("no selection is saved yet")
    return 0
