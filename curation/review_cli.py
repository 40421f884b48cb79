"""`demodeck review`: its flags, the list for machines, and the room."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from curation.arguments import REMOTE, WHERE, author_name, print_json, verb_parser
from curation.show import counted, table

if TYPE_CHECKING:
    from curation.ledger import Decision
    from curation.room import Room

_ADVANCE = ("verdict", "success", "rating", "none")


def run(args: list[str]) -> int:
    """Do what `demodeck review ARGS` says; return the exit code."""
    flags = _parser().parse_args(args)
    if flags.blind and flags.adjudicate:
        raise UsageError("--blind hides what others said, --adjudicate shows it: one at a time")
    if flags.draw < 1:
        raise UsageError(f"--draw is {flags.draw}: it must be at least 1")
    keys = _keys(flags.keys)
    listed = flags.list or flags.json
    if not listed and not all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("the review room needs a terminal: --list or --json prints its list without one")
    room = _room(flags)
    if flags.json:
        print_json({"dataset": str(room.dataset.root), **room.as_json()})
    elif flags.list:
        _print(room)
    else:
        return _show(flags, room, keys)
    return 0


def _parser() -> ArgumentParser:
    parser = verb_parser(
        "review",
        "Look through a dataset in the terminal: what most needs eyes comes first, a key decides, and all that is "
        "decided is saved at once. '?' shows all keys and the commands that do the same.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=REMOTE)
    parser.add_argument(
        "--where", metavar="SQL", default="", help=f"begin with these: {WHERE}, or @selection"
    )
    parser.add_argument(
        "--author", metavar="NAME", help="who decides (default: $DEMODECK_AUTHOR, else $USER)"
    )
    parser.add_argument(
        "--blind", action="store_true",
        help="a drawn sample of what one other person judged, whose labels are hidden until you judged it too; "
        "saved as @second, and gone on with until it is judged",
    )  # fmt: skip
    parser.add_argument("--draw", type=int, default=30, metavar="N", help="so many for --blind (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument(
        "--field", choices=_ADVANCE[:3], default="verdict", help="the label that --blind is about (verdict)"
    )
    parser.add_argument(
        "--adjudicate", action="store_true", help="only where people differ; every decision there settles it"
    )
    parser.add_argument(
        "--advance",
        choices=_ADVANCE,
        help="the label after which the next episode is shown (verdict; with --blind its --field)",
    )
    parser.add_argument(
        "--keys", default="{}", metavar="'{drop: d}'", help="other keys, by the names that '?' shows"
    )
    parser.add_argument("--list", action="store_true", help="print the list in its order, with reasons")
    parser.add_argument("--json", action="store_true", help="the same for machines, with labels and counts")
    return parser


def _keys(text: str) -> dict[str, str | list[str]]:
    """Return what `--keys` says, before anything is read."""
    import yaml

    try:
        keys = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        keys = None
    one = (str, int)
    if not isinstance(keys, dict) or not all(
        isinstance(k, str)
        and (isinstance(v, one) or (isinstance(v, list) and all(isinstance(x, one) for x in v)))
        for k, v in keys.items()
    ):
        raise UsageError(f"--keys is '{text}': write names and keys, like '{{drop: d, keep: [k, enter]}}'")
    return {k: [str(x) for x in v] if isinstance(v, list) else str(v) for k, v in keys.items()}


def _room(flags: Namespace) -> Room:
    from curation.remote import open_by_name
    from curation.room import Room

    author = author_name(flags.author)
    dataset = open_by_name(flags.dataset)
    blind = None
    if flags.blind:
        from curation.blind import sample

        blind = sample(dataset, flags.field, flags.draw, flags.seed, author)
    room = Room(dataset, author, flags.where, blind, flags.field)
    if flags.adjudicate:
        room.disputed_only = True
        room.sort()
    return room


def _print(room: Room) -> None:
    rows: list[tuple[Any, ...]] = [
        (row["episode_index"], row["need"], row["verdict"], row["success"], row["rating"], row["reason"])
        for row in room.as_json()["queue"]
    ]
    if rows:
        print(table(("episode", "need", "verdict", "success", "rating", "reason"), rows))
    if not room.evidence.scored:
        print(f"note: never scored: run 'demodeck score {room.dataset.root} --rank'", file=sys.stderr)
    print(f"{len(rows)} of {counted(len(room.standing))}", file=sys.stderr)


def _show(flags: Namespace, room: Room, keys: dict[str, str | list[str]]) -> int:
    from curation.ledger import check_writable
    from curation.query import never_scored
    from curation.remote import is_fetched
    from curation.tui.app import ReviewApp, run_room

    why_not, notice = "", ""
    try:
        check_writable(room.dataset.root)
    except UsageError as error:
        why_not = notice = str(error)
    if not why_not and is_fetched(room.dataset.root):
        notice = f"labels are kept in {room.labels.path}"
    elif not why_not and not room.evidence.scored:
        notice = "never scored: R runs the checks, and puts what most needs eyes first"
    elif not why_not and (new := never_scored(room.dataset)):
        notice = f"{counted(new)} not scored yet: R runs the checks"
    advance = flags.advance or (flags.field if flags.blind else "verdict")
    app = ReviewApp(room, keys, "" if advance == "none" else advance, why_not, notice)
    left = run_room(app)
    if app.return_code:
        return app.return_code
    if left:
        _print_lost(left)
        return 6
    print(f"{room.dataset.root}: {_closing(room)}")
    return 0


def _closing(room: Room) -> str:
    if room.blind is not None:
        waiting = sum(map(room.standing.hidden, room.blind))
        return f"{len(room.blind) - waiting} of {len(room.blind)} judged blind by {room.author}"
    counts = room.counts()
    return f"{counts.kept} kept, {counts.dropped} dropped, {counts.unseen} of {counts.episodes} unseen by {room.author}"


def _print_lost(left: Any) -> None:
    decisions: list[Decision] = list(left)
    print(f"{len(decisions)} decisions could not be saved:", file=sys.stderr)
    for one in decisions:
        about = ",".join(map(str, one.episodes))
        print(f"  {about} {one.field} {one.value!r}", file=sys.stderr)
