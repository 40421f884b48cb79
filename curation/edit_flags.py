"""The flags of `demodeck edit`, verb by verb."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from collector.flags import PlainParser
from curation.arguments import DATASET, EPISODES, WHERE, verb_parser

_VERBS = {
    "drop": "leave the named episodes out",
    "keep": "take only the named episodes",
    "trim": "cut frames away at the ends of episodes",
    "split": "share the episodes out to several datasets, FOLDER/<name>",
    "merge": "put the episodes of several datasets into one",
    "apply": "do what the labels say: verdict 'drop', trims, tasks; segments and labels become columns",
    "rename-task": "give a task other words",
    "rename-feature": "give a column or camera another name",
    "remove-feature": "leave columns or cameras out",
    "add-feature": "add a column, from SQL over the frames or from a file",
    "fps": "leave frames out, so that there are fewer a second",
    "diff": "say how dataset B differs from A",
}


def verbs() -> PlainParser:
    """Return the parser of `demodeck edit` with all its verbs."""
    parser = verb_parser("edit", "Make new datasets of others, by stream copy; the sources are not touched.")
    kinds = parser.add_subparsers(
        dest="verb", required=True, metavar="|".join(_VERBS), parser_class=PlainParser
    )
    for verb, about in _VERBS.items():
        one = kinds.add_parser(verb, help=about, description=f"{about[0].upper()}{about[1:]}.")
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
    parser.add_argument(
        "--query",
        metavar="NAME=SQL",
        action="append",
        default=[],
        help="a set of what a condition or @selection chooses; repeatable, no episode twice",
    )


def _merge(parser: ArgumentParser) -> None:
    parser.add_argument("datasets", metavar="DATASET", nargs="+", help=DATASET)
    parser.add_argument("--common", action="store_true", help="keep only the features that all have alike")
    parser.add_argument(
        "--map",
        metavar="OLD:NEW",
        action="append",
        default=[],
        help="take a feature OLD of one set for NEW of the others; repeatable",
    )
    parser.add_argument("--robot_type", metavar="NAME", help="the new set's, where theirs differ")


def _rename(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")


def _remove(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("features", metavar="FEATURE", nargs="+")


def _add(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("feature", metavar="FEATURE", help="the new column's name")
    parser.add_argument(
        "--sql",
        metavar="EXPRESSION",
        help="over the table frames of 'demodeck query': \"action\"[1] - timestamp",
    )
    parser.add_argument("--file", metavar="FILE", help=".npy, .parquet or .csv with a row for each frame")
    parser.add_argument("--column", metavar="NAME", help="of the file, where it has several")
    parser.add_argument(
        "--dtype", metavar="DTYPE", help="float32, float64, int64, bool or string (as the values are)"
    )
    parser.add_argument("--names", metavar="A,B", help="what the entries of a vector are called")


def _fps(parser: ArgumentParser) -> None:
    _one_dataset(parser)
    parser.add_argument("--fps", type=float, required=True, metavar="HZ", help="a whole part of what it is")
    parser.add_argument(
        "--actions",
        choices=["last", "first", "sum"],
        default="last",
        help="of the actions up to the next frame: the last (absolute targets), the first, or their sum (differences)",
    )


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
    "add-feature": _add,
    "fps": _fps,
    "diff": _diff,
}
