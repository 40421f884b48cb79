"""`demodeck publish`: its flags, what it shows and asks, and what it says."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from curation.arguments import DATASET, open_dataset, print_json, verb_parser
from curation.show import counted, episode_list

if TYPE_CHECKING:
    from collector.hub.mirror import PushResult
    from curation.publish import Proof, Publication

_MOST_FILES = 5


def run(args: list[str]) -> int:
    """Do what `demodeck publish ARGS` says; return the exit code."""
    flags = _parser().parse_args(args)
    dataset = open_dataset(flags.dataset)
    from curation.publish import FORMAT_TAG, prepare, publish, verify

    publication = prepare(dataset, flags.repo_id, flags.license, flags.tag)
    if not flags.json:
        print("\n".join(changes(publication)), flush=True)
    if flags.dry_run:
        if flags.json:
            print_json(_as_json(publication) | {"published": False})
        return 0
    if not flags.yes and not flags.json and sys.stdin.isatty() and sys.stdout.isatty():
        _ask(publication)
    done = publish(publication, flags.private, flags.message)
    proof = verify(publication, done) if flags.verify else None
    tags = [FORMAT_TAG, *publication.versions]
    if flags.json:
        counts = {"added": done.n_added, "deleted": done.n_deleted, "unchanged": done.n_unchanged}
        verified = (
            {"files": proof.n_listed, "pulled": proof.n_pulled, "bytes": proof.n_bytes} if proof else None
        )
        print_json(
            {**_as_json(publication), "published": True, "url": done.url, "commit": done.commit, "tags": tags}
            | {**counts, "verified": verified}
        )
        return 0
    print("\n".join(published(publication, done, proof)))
    return 0


def published(publication: Publication, done: PushResult, proof: Proof | None) -> list[str]:
    """Return what was published and verified, in lines."""
    from curation.publish import FORMAT_TAG

    tags = [FORMAT_TAG, *publication.versions]
    lines = [done.url, f"commit {done.commit[:12]}, tags {', '.join(tags)}"]
    if proof:
        lines.append(
            f"verified: {proof.n_listed} files have the hashes of ours, {proof.n_pulled} of them "
            f"({_bytes(proof.n_bytes)}) were pulled back and are the same"
        )
    if publication.vanishing:
        lines.append(f"the version before stays: {done.repo_id}@{(publication.plan.commit or '')[:12]}")
    return lines


def _ask(publication: Publication) -> None:
    """Ask before somebody's work goes out of sight.

    Raises:
        UsageError: If the answer is not yes.
    """
    if publication.strange:
        question = f"Put this dataset in the place of what {publication.plan.repo_id} holds? [y/N] "
    elif publication.vanishing:
        question = "Publish the version without them? [y/N] "
    else:
        return
    if input(question).strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was published")


def _parser() -> ArgumentParser:
    from curation.card import DEFAULT_LICENSE

    parser = verb_parser(
        "publish",
        "Show what would change on the Hub ($HF_ENDPOINT), push an exact mirror in one commit with its card and the "
        "tag v3.0, and verify it. Versions before stay; on a terminal it asks first where episodes vanish, or what is "
        "there is something else.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET)
    parser.add_argument("--repo-id", metavar="NAMESPACE/NAME", required=True)
    parser.add_argument(
        "--private",
        action=BooleanOptionalAction,
        help="hide or show it (default: as it is; a new one is shown)",
    )
    parser.add_argument(
        "--license", default=DEFAULT_LICENSE, metavar="ID", help=f"for the card ({DEFAULT_LICENSE})"
    )
    parser.add_argument(
        "--tag", action="append", default=[], metavar="NAME", help="name this version; a name never moves"
    )
    parser.add_argument("--message", metavar="TEXT", help="first line of the commit message")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and publish nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--verify",
        action=BooleanOptionalAction,
        default=True,
        help="hold what was published against what was pushed (default)",
    )
    parser.add_argument("--json", action="store_true")
    return parser


def changes(publication: Publication) -> list[str]:
    """Return what would change on the Hub, in lines."""
    plan, dataset = publication.plan, publication.dataset
    if plan.commit is None:
        what = f"{plan.repo_id} is new: {counted(dataset.num_episodes)}, {dataset.num_frames} frames"
        return [what, f"files: {_files('added', plan.added)}"]
    lines = [f"{plan.repo_id} is at commit {plan.commit[:12]}"]
    if publication.strange:
        lines.append(
            f"what is there is {publication.strange}: of its files {len(plan.deleted)} will vanish and "
            f"{len(plan.changed)} be replaced (the commit stays)"
        )
    found, before = publication.difference, publication.before
    if found and before:
        lines[0] += f" with {counted(before.num_episodes)}; here are {counted(dataset.num_episodes)}"
        parts = [("the same", len(found.same)), ("new", len(found.only_b))]
        parts += [("cut or longer", len(found.cut)), ("with other actions", len(found.changed))]
        told = ", ".join(f"{n} {words}" for words, n in parts if n)
        lines += [f"episodes: {told}"] if told else []
        if found.labels:
            lines.append(f"labels: {len(found.labels)} differ on the same episodes")
        if found.only_a:
            lines.append(f"will vanish: {counted(len(found.only_a))} ({episode_list(found.only_a)})")
    if not plan.differs:
        return [*lines, "files: nothing differs"]
    kinds = (("added", plan.added), ("changed", plan.changed), ("deleted", plan.deleted))
    return [*lines, "files: " + "; ".join(_files(kind, files) for kind, files in kinds if files)]


def _files(kind: str, files: Mapping[str, int]) -> str:
    named = list(files)[:_MOST_FILES]
    more = f" and {len(files) - len(named)} more" if len(files) > len(named) else ""
    listed = f": {', '.join(named)}{more}" if kind == "deleted" else ""
    return f"{len(files)} {kind} ({_bytes(sum(files.values()))}){listed}"


def _bytes(n: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} B"


def _as_json(publication: Publication) -> dict[str, Any]:
    from dataclasses import asdict

    plan, found = publication.plan, publication.difference
    return {
        "repo_id": plan.repo_id,
        "before": plan.commit,
        "files": {"added": plan.added, "changed": plan.changed, "deleted": plan.deleted},
        "episodes": None if found is None else asdict(found),
    }
