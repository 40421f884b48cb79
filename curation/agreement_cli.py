"""`demodeck agreement`: its flags, and what it says."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from collector.dataset.labels import Labels
from collector.errors import UsageError
from curation.arguments import DATASET, EPISODES, WHERE, author_name, open_dataset, print_json, verb_parser
from curation.show import counted, episode_list, table

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset
    from curation.agreement import Agreement, Kappa


def run(args: list[str]) -> int:
    """Do what `demodeck agreement ARGS` says; return the exit code."""
    from curation.agreement import FIELDS, agreement
    from curation.choose import choose_episodes

    parser = verb_parser(
        "agreement",
        "Say how far the people who labelled a dataset agree beyond chance (Cohen's and Fleiss' kappa with a 95 % "
        "interval), and on which episodes they do not; or draw episodes for a second, blind opinion.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET)
    parser.add_argument("episodes", metavar="EPISODES", nargs="?", help=EPISODES)
    parser.add_argument("--where", metavar="SQL", help=WHERE)
    parser.add_argument("--field", choices=list(FIELDS), default="verdict", help="which label (verdict)")
    parser.add_argument(
        "--draw",
        type=int,
        metavar="N",
        help="draw N episodes that one other person judged, and save them as a selection",
    )
    parser.add_argument("--save", metavar="NAME", default="second", help="its name (second)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument(
        "--author", metavar="NAME", help="who is to judge them (default: $DEMODECK_AUTHOR, else $USER)"
    )
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    dataset = open_dataset(flags.dataset)
    named = flags.episodes is not None or flags.where is not None
    if flags.draw is not None:
        if named:
            raise UsageError("--draw chooses by itself: name no episodes")
        return _draw(flags, dataset)
    chosen = choose_episodes(dataset, flags.episodes, flags.where) if named else None
    found = agreement(Labels(dataset.root), flags.field, chosen)
    if flags.json:
        print_json(asdict(found))
        return 0
    print("\n".join(agreement_lines(found, flags.dataset)))
    return 0


def agreement_lines(found: Agreement, name: str) -> list[str]:
    """Return how far people agree on a label, as a table in lines.

    Args:
        found: What `agreement` returned.
        name: What the dataset is called in the command that settles a dispute.
    """
    rows = [_row(kappa) for kappa in ([found.all] if found.all else []) + list(found.pairs)]
    lines = table(("who", "episodes", "said the same", "kappa", "95 % interval"), rows).splitlines()
    if found.disputed:
        lines.append(
            f"{counted(len(found.disputed))} in dispute over {found.field}: {episode_list(found.disputed)} "
            f"(settle one: demodeck label {name} EPISODE --{found.field} VALUE --settle)"
        )
    return lines


def _row(kappa: Kappa) -> tuple[object, ...]:
    name = "Fleiss" if len(kappa.authors) > 2 else "Cohen"
    value = "undefined" if kappa.kappa is None else f"{kappa.kappa:.2f} ({name})"
    who = " and ".join(kappa.authors) if name == "Cohen" else f"all {len(kappa.authors)}"
    return who, kappa.episodes, f"{100 * kappa.agreed:.0f} %", value, f"{kappa.low:.2f} to {kappa.high:.2f}"


def _draw(flags: Namespace, dataset: Dataset) -> int:
    from curation.blind import draw

    if flags.draw < 1:
        raise UsageError(f"--draw is {flags.draw}: it must be at least 1")
    author = author_name(flags.author)
    episodes = draw(dataset, flags.field, flags.draw, flags.seed, author, flags.save)
    if flags.json:
        print_json({"saved": flags.save, "episodes": episodes, "author": author, "field": flags.field})
        return 0
    fewer = f" (no more than {len(episodes)} wait for one)" if len(episodes) < flags.draw else ""
    print(f"@{flags.save}: {counted(len(episodes))}{fewer} for {author} to judge: {episode_list(episodes)}")
    return 0
