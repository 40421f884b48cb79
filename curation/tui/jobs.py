"""What takes longer than a key: scoring, publishing, merging, reporting. Each is the command's own function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.errors import UsageError
from curation.show import counted

if TYPE_CHECKING:
    from curation.publish import Publication

type Progress = Callable[[str, int, int], None]


def score(dataset: Dataset, progress: Progress) -> str:
    """Run the checks and the soft scores, as `demodeck score --rank` does; return what was found, in a line.

    Raises:
        DataError: If the dataset cannot be read.
        StorageError: If the scores cannot be written.
    """
    from curation.run import rank_dataset, score_dataset
    from curation.store import store

    # Alone: processes cannot be started beside a screen.
    scoring = score_dataset(dataset, False, progress, jobs=1)
    progress("ranks", 0, dataset.num_episodes)
    ranks = rank_dataset(dataset)
    store(dataset.root, scoring, False, ranks)
    return f"scored: {counted(len(scoring.faulty()))} with faults, of {dataset.num_episodes}"


def merge(dataset: Dataset, other: str) -> str:
    """Take over what others said, as `demodeck label --merge` does; return what came, in a line.

    Raises:
        As `merge_labels`.
    """
    from curation.merging import merge_labels

    merged = merge_labels(dataset, Path(other).expanduser())
    who = ", ".join(f"{author} {n}" for author, n in merged.by_author.items())
    conflicts = len(Labels(dataset.root).conflicts())
    left = f"; {merged.n_left_out} about other episodes left out" if merged.n_left_out else ""
    return (
        f"{merged.n_new} entries taken over" + (f" ({who})" if who else "") + f"{left}; {conflicts} disputes"
    )


def agreements(dataset: Dataset) -> list[str]:
    """Return how far people agree on every label that two gave, in lines.

    Raises:
        UsageError: If no two people judged the same episode.
        DataError: If the labels are damaged.
    """
    from curation.agreement import FIELDS, agreement
    from curation.agreement_cli import agreement_lines

    labels, lines, why = Labels(dataset.root), [], None
    for field in FIELDS:
        try:
            found = agreement(labels, field)
        except UsageError as error:
            why = why or error
            continue
        lines += [f"{field}:", *agreement_lines(found, str(dataset.root)), ""]
    if why is not None and not lines:
        raise why
    return lines


def report(dataset: Dataset, output: str, progress: Progress) -> str:
    """Write a page of HTML, as `demodeck report` does; return where, in a line.

    Raises:
        UsageError: If the file is there already.
        DataError: If the dataset cannot be read.
        OSError: If the disk refuses.
    """
    from collector.dataset.durable import write_bytes
    from curation.page import page

    path = Path(output).expanduser()
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"'{output}' is no page: name a file that ends in .html")
    if path.exists() or not path.parent.is_dir():
        raise UsageError(f"{path} is there already, or its folder is not: name another")
    content = page(dataset, dataset.root.name, progress=progress).encode()
    write_bytes(path, content)
    return f"{path}: {len(content) / 1e6:.1f} MB"


def plan(dataset: Dataset, target: str) -> Publication:
    """Return what would change on the Hub, as `demodeck publish --dry-run` shows it.

    Args:
        target: OWNER/NAME, or OWNER/NAME@VERSION to name this version.

    Raises:
        HubError: If the Hub refuses or cannot be reached.
        UsageError, DataError: As `prepare`.
    """
    from curation.publish import prepare

    repo_id, _, version = target.strip().partition("@")
    if repo_id.count("/") != 1 or not all(repo_id.split("/")):
        raise UsageError(f"'{target}' is no name on the Hub: write OWNER/NAME, or OWNER/NAME@VERSION")
    return prepare(dataset, repo_id, versions=[version] if version else [])


def publish(publication: Publication, progress: Progress) -> list[str]:
    """Push what was planned and verify it; return what was done, in lines. Raises as `plan`."""
    from curation.publish import publish as push
    from curation.publish import verify
    from curation.publish_cli import published

    progress("pushing", 0, 2)
    done = push(publication)
    progress("verifying", 1, 2)
    return published(publication, done, verify(publication, done))
