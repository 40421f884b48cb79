"""The curators' commands: label, score, query, edit, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.errors import UsageError
from curation.arguments import REMOTE, print_json, verb_parser
from curation.show import ProgressLine

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset
    from curation.ranking import Ranking


def main_label(args: list[str]) -> int:
    """`demodeck label`: say what is thought of episodes; see `curation.label_cli`."""
    from curation.label_cli import run

    return run(args)


def main_review(args: list[str]) -> int:
    """`demodeck review`: look through a dataset and decide; see `curation.review_cli`."""
    from curation.lean import arrow_without_pandas

    arrow_without_pandas()
    from curation.review_cli import run

    return run(args)


def main_agreement(args: list[str]) -> int:
    """`demodeck agreement`: say how far people agree; see `curation.agreement_cli`."""
    from curation.agreement_cli import run

    return run(args)


def main_score(args: list[str]) -> int:
    """`demodeck score`: run the checks, store scores and findings, print what was found."""
    from curation.engines import ENGINES, Engine
    from curation.verdicts import DROPS, drop_accused

    parser = verb_parser(
        "score", "Run the checks over every episode and store what they found beside the dataset."
    )
    parser.add_argument("dataset", metavar="DATASET", help=REMOTE)
    parser.add_argument(
        "--video",
        action="store_true",
        help="decode the cameras too: unreadable, dark, blurred, frozen, moved, exchanged, late, with lost pictures",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: cores, where it pays)")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="measure everything again; else what was measured before is taken from curation/.cache, by content",
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="who measures (daft: the extra 'scale')"
    )
    parser.add_argument(
        "--engine.address",
        dest="address",
        default="",
        metavar="ADDRESS",
        help="of a Ray cluster for daft (ray://HOST:10001), whose machines have demodeck, and see the dataset's "
        "folder where --video is asked for; 'local' starts one here",
    )
    parser.add_argument(
        "--explain", metavar="EPISODE", help="show every score of one episode with its limits"
    )
    parser.add_argument(
        "--rank",
        action="store_true",
        help="also the soft scores that order a review (smoothness, path length, coverage, mutual information, "
        "end consistency); they drop nothing",
    )
    parser.add_argument(
        "--reward",
        metavar="REWARD",
        help="also what each episode is worth by a learnt reward, as one more soft score, 'reward': the folder that "
        "'demodeck train --irl.type=...' wrote, or owner/name on the Hub",
    )
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="also how far each episode's actions are from what a policy would have done, as one more soft score, "
        "'disagreement': the file that 'demodeck export' wrote, of a policy best trained on other flights",
    )
    dropping = parser.add_mutually_exclusive_group()
    dropping.add_argument(
        "--drop",
        choices=DROPS,
        help="verdict 'drop' for episodes with faults, or with anything that was found ('warnings'), and without a "
        "verdict by a person; 'label --undo --by check:NAME' takes back what one check dropped",
    )
    dropping.add_argument(
        "--drop-faults", action="store_const", const="faults", dest="drop", help="the same as --drop=faults"
    )
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    if flags.jobs is not None and flags.jobs < 1:
        raise UsageError(f"--jobs is {flags.jobs}: it must be at least 1")
    if flags.address and flags.engine != "daft":
        raise UsageError(f"--engine.address is '{flags.address}': only --engine=daft has one")
    from curation.remote import open_by_name

    engine = Engine(flags.engine, flags.address)
    dataset = open_by_name(flags.dataset, flags.video)
    rankings = _rankings(flags.rank, flags.reward, flags.policy, dataset)
    from collector.dataset.labels import Labels
    from curation.choose import parse_episodes
    from curation.lint import lint
    from curation.report import dropped_lines, explanation, rank_table, result_as_json, summary
    from curation.run import rank_dataset, score_dataset
    from curation.store import store

    asked = parse_episodes(flags.explain, dataset.num_episodes) if flags.explain is not None else []
    structure = lint(dataset)
    scoring = score_dataset(dataset, flags.video, ProgressLine(), flags.jobs, flags.fresh, engine)
    ranks = rank_dataset(dataset, rankings) if rankings else None
    store(dataset.root, scoring, flags.video, ranks)
    dropped = drop_accused(Labels(dataset.root), scoring, DROPS[flags.drop]) if flags.drop else None
    if flags.json:
        print_json(result_as_json(dataset, scoring, dropped, asked, structure, ranks))
        return 0
    if asked:
        for episode in asked:
            print(explanation(scoring, episode))
    else:
        print(summary(dataset, scoring, structure))
    if ranks is not None:
        print(rank_table(scoring, ranks, rankings))
    if dropped is not None:
        print(dropped_lines(scoring, dropped))
    return 0


def _rankings(usual: bool, reward: str | None, policy: str | None, dataset: Dataset) -> list[Ranking]:
    """Return the soft scores that are asked for."""
    from curation.ranking import RANKINGS

    rankings = list(RANKINGS) if usual else []
    if reward is not None:
        from curation.learnt import check_fits, open_reward, ranking_by

        learnt = open_reward(reward)
        check_fits(learnt, dataset)
        rankings.append(ranking_by(learnt))
    if policy is not None:
        from pathlib import Path

        from curation.disagreement import FilePolicy, check_policy_fits, ranking_by_policy

        asked = FilePolicy(Path(policy))
        check_policy_fits(asked, dataset)
        rankings.append(ranking_by_policy(asked, dataset.tasks))
    return rankings


def main_query(args: list[str]) -> int:
    """`demodeck query`: list episodes by SQL, or answer a SELECT; see `curation.query_cli`."""
    from curation.lean import arrow_without_pandas

    arrow_without_pandas()
    from curation.query_cli import run

    return run(args)


def main_edit(args: list[str]) -> int:
    """`demodeck edit`: make new datasets of others; see `curation.edit_cli`."""
    from curation.edit_cli import run

    return run(args)


def main_report(args: list[str]) -> int:
    """`demodeck report`: write a dataset as one page of HTML; see `curation.page_cli`."""
    from curation.page_cli import run

    return run(args)


def main_log(args: list[str]) -> int:
    """`demodeck log`: list the versions of a published dataset; see `curation.versions_cli`."""
    from curation.versions_cli import run_log

    return run_log(args)


def main_diff(args: list[str]) -> int:
    """`demodeck diff`: compare two datasets or versions; see `curation.versions_cli`."""
    from curation.versions_cli import run_diff

    return run_diff(args)


def main_publish(args: list[str]) -> int:
    """`demodeck publish`: push an exact mirror with its card and tags; see `curation.publish_cli`."""
    from curation.publish_cli import run

    return run(args)
