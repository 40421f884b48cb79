"""`demodeck log` and `demodeck diff`: their flags, and what they say."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError, shown
from curation.arguments import print_json, verb_parser
from curation.show import cell, counted, episode_list, table

if TYPE_CHECKING:
    from collector.dataset.reader import Dataset
    from curation.diff import Difference

VERSION = "folder or name of a dataset, or a version of one on the Hub: NAMESPACE/NAME@REVISION (tag, branch, commit)"
_MOST_LABELS = 20


def run_log(args: list[str]) -> int:
    """Do what `demodeck log ARGS` says; return the exit code."""
    parser = verb_parser("log", "List the versions of a dataset on the Hub ($HF_ENDPOINT), newest first.")
    parser.add_argument("repo", metavar="NAMESPACE/NAME[@REVISION]", help="the dataset on the Hub")
    parser.add_argument("-n", "--most", type=int, default=20, metavar="N", help="at most so many (20)")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    if flags.most < 1:
        raise UsageError(f"--most is {flags.most}: it must be at least 1")
    from curation.versions import versions

    repo_id, _, revision = flags.repo.partition("@")
    found = versions(repo_id, revision or None, flags.most)
    if flags.json:
        listed = [{**asdict(v.commit), "episodes": v.episodes, "frames": v.frames} for v in found]
        print_json([{**row, "at": row["at"].isoformat()} for row in listed])
        return 0
    rows = [
        (
            v.commit.commit[:12],
            f"{v.commit.at:%Y-%m-%d %H:%M}",
            ", ".join(v.commit.authors),
            v.episodes,
            v.frames,
            ", ".join(v.commit.tags),
            v.commit.title,
        )
        for v in found
    ]
    print(table(("commit", "when (UTC)", "who", "episodes", "frames", "tags", "what"), rows))
    return 0


def run_diff(args: list[str]) -> int:
    """Do what `demodeck diff ARGS` says; return the exit code."""
    parser = verb_parser(
        "diff",
        "Say what two datasets or versions have in common: episodes are matched by what was done in them.",
    )
    parser.add_argument("a", metavar="A", help=VERSION)
    parser.add_argument("b", metavar="B", help="the other")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    from curation.diff import compare
    from curation.versions import open_version

    a, b = open_version(flags.a), open_version(flags.b)
    found = compare(a, b)
    if flags.json:
        print_json({"a": flags.a, "b": flags.b, **asdict(found)})
    else:
        print("\n".join(difference_lines(found, a, b, flags.a, flags.b)))
    return 0


def difference_lines(found: Difference, a: Dataset, b: Dataset, name_a: str, name_b: str) -> list[str]:
    """Return a difference in words."""
    lines = [
        f"A {shown(name_a, 500)}: {counted(a.num_episodes)}; B {shown(name_b, 500)}: {counted(b.num_episodes)}; "
        f"the same: {len(found.same)}"
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
    lines += [f"task only in A: {cell(task)}" for task in found.tasks_only_a]
    lines += [f"task only in B: {cell(task)}" for task in found.tasks_only_b]
    lines += [_label_line(row) for row in found.labels[:_MOST_LABELS]]
    if len(found.labels) > _MOST_LABELS:
        lines.append(f"and {len(found.labels) - _MOST_LABELS} more labels differ (--json lists all)")
    return lines


def _label_line(row: dict[str, Any]) -> str:
    where = f"episode {row['b']}" if row["a"] == row["b"] else f"A {row['a']}, B {row['b']}"
    return f"{where}: {row['field']} {cell(row['from']) or 'none'} -> {cell(row['to']) or 'none'}"
