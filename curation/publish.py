"""Publish a dataset: what would change on the Hub is known first; then an exact mirror, its tags, and a proof.

The mirror is one commit on top of what was there: earlier versions stay, and can be trained on by their commit or tag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import DataError, HubError, UsageError
from curation.card import CARD_MARK, DEFAULT_LICENSE, PICTURES, dataset_card

if TYPE_CHECKING:
    from collector.hub.mirror import MirrorPlan, PushResult
    from curation.diff import Difference

FORMAT_TAG = "v3.0"
"""lerobot opens a dataset by name only where this tag is."""

_SAMPLE_FILES, _SAMPLE_BYTES = 5, 256 * 2**20


@dataclass(frozen=True)
class Publication:
    """What is to be published.

    Attributes:
        dataset: The dataset.
        plan: What becomes of which file.
        versions: Tags to set beside `v3.0`.
        before: The dataset that is there now; None where there is none that can be read.
        difference: How this one (B) differs from it (A); None where the tables are the same or cannot be matched.
        strange: Why what is there now is no version of this dataset; "" where it is one, or nothing of it would go.
    """

    dataset: Dataset
    plan: MirrorPlan
    versions: tuple[str, ...]
    before: Dataset | None
    difference: Difference | None
    strange: str = ""

    @property
    def vanishing(self) -> list[int]:
        """Episodes of the dataset that is there now, by its numbers, which the next version lacks."""
        return self.difference.only_a if self.difference else []


@dataclass(frozen=True)
class Proof:
    """What was seen of a published dataset: files listed with our hashes, and those pulled back and compared."""

    n_listed: int
    n_pulled: int
    n_bytes: int


def prepare(
    dataset: Dataset, repo_id: str, license_id: str = DEFAULT_LICENSE, versions: Sequence[str] = ()
) -> Publication:
    """Compare a dataset with what is published under a name; nothing is changed.

    Flights still in the journal stay at home. A README.md of the dataset's own is left as it is; one that
    demodeck once made is made anew.

    Args:
        dataset: The dataset.
        repo_id: NAMESPACE/NAME on the Hub.
        license_id: License for the card.
        versions: Git tags to set beside `v3.0`: names of this version, which never move.

    Raises:
        UsageError: If one of the names stands for another version already.
        DataError: If the dataset cannot be read.
        HubError: If the Hub refuses or cannot be reached.
    """
    from collector.hub.mirror import plan_mirror
    from curation.remote import missing_videos

    if missing := missing_videos(dataset):
        raise DataError(
            f"{missing[0]} is not on this machine, and an exact mirror would take it away from the Hub: fetch the "
            "videos first (demodeck score NAME --video)"
        )
    files, ignore = {}, [".journal/*"]
    if _ours(dataset.root / "README.md"):
        pictures = card_pictures(dataset)
        card = dataset_card(dataset, repo_id, license_id, pictures=list(pictures), versions=versions)
        files, ignore = {"README.md": card.encode(), **pictures}, [*ignore, f"{PICTURES}/*"]
    plan = plan_mirror(dataset.root, repo_id, files=files, ignore=ignore)
    names = tuple(name for name in versions if name != FORMAT_TAG)
    before, difference, strange = None, None, ""
    if plan.commit is not None:
        _check_versions(plan, names)
        before, difference, strange = _compare(dataset, plan)
    return Publication(dataset, plan, names, before, difference, strange)


def card_pictures(dataset: Dataset) -> dict[str, bytes]:
    """Return the card's pictures by their path in the repository."""
    from curation.pictures import contact_sheet, plots

    found = {f"{PICTURES}/{name}": content for name, content in plots(dataset).items()}
    sheet = contact_sheet(dataset)
    return {f"{PICTURES}/episodes.jpg": sheet, **found} if sheet else found


def publish(publication: Publication, private: bool | None = None, message: str | None = None) -> PushResult:
    """Push what was prepared, unless somebody else pushed since; the tags move last.

    Args:
        publication: What `prepare` returned.
        private: Hide or show the repository; None leaves it as it is.
        message: First line of the commit message.

    Returns:
        Address, commit and counts.

    Raises:
        HubError: If the Hub refuses or cannot be reached, or somebody else pushed.
    """
    from collector.hub.connection import connect, hub_errors
    from collector.hub.mirror import push_plan, set_tag

    dataset = publication.dataset
    message = message or f"Publish {dataset.num_episodes} episodes, {dataset.num_frames} frames"
    done = push_plan(publication.plan, message=message, tag=FORMAT_TAG, private=private)
    with hub_errors(f"dataset {done.repo_id}"), connect() as api:
        for name in publication.versions:
            set_tag(api, done.repo_id, "dataset", name, done.commit)
    return done


def verify(publication: Publication, done: PushResult) -> Proof:
    """Hold what is published against what was pushed: every file by its listed hash, some pulled back byte for byte.

    Raises:
        HubError: If something differs, or the Hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    from collector.hub.client import remote_files
    from collector.hub.connection import connect, hub_errors, without_bars
    from collector.hub.mirror import same_content

    contents = publication.plan.contents
    with hub_errors(f"dataset {done.repo_id}"), connect() as api:
        there = remote_files(api, done.repo_id, "dataset", done.commit)
        differing = [p for p, c in contents.items() if p not in there or not same_content(c, there[p])]
        sample = _sample({path: file.size for path, file in there.items() if path in contents}, done.commit)
        with TemporaryDirectory() as folder, without_bars():
            for path in sample:
                pulled = hf_hub_download(
                    done.repo_id,
                    path,
                    repo_type="dataset",
                    revision=done.commit,
                    endpoint=api.endpoint,
                    local_dir=folder,
                )
                if _digest(Path(pulled)) != _digest(contents[path]):
                    differing.append(path)
    if differing:
        raise HubError(
            f"dataset {done.repo_id} at commit {done.commit[:12]} does not hold what was pushed: {differing[0]}"
            f"{f' and {len(differing) - 1} more' if len(differing) > 1 else ''} differ (was a file written to "
            "meanwhile?): run the same command again"
        )
    return Proof(len(contents), len(sample), sum(there[path].size for path in sample))


def _ours(readme: Path) -> bool:
    return not readme.exists() or CARD_MARK in readme.read_text(encoding="utf-8", errors="replace")


def _check_versions(plan: MirrorPlan, names: Sequence[str]) -> None:
    from collector.hub.connection import connect, hub_errors

    with hub_errors(f"dataset {plan.repo_id}"), connect() as api:
        tags = {
            ref.name: ref.target_commit for ref in api.list_repo_refs(plan.repo_id, repo_type="dataset").tags
        }
    for name in names:
        if name in tags and (plan.differs or tags[name] != plan.commit):
            raise UsageError(
                f"the version '{name}' of {plan.repo_id} is published already (commit {tags[name][:12]}), and a "
                "published version never changes: choose another name"
            )


def _compare(dataset: Dataset, plan: MirrorPlan) -> tuple[Dataset | None, Difference | None, str]:
    """Return the dataset at the plan's commit, how ours differs, and why it is another thing, where it is.

    Its tables are fetched only where they differ.
    """
    from collector.hub.client import pull
    from collector.hub.connection import without_bars
    from curation.diff import compare
    from curation.remote import COLUMNS

    if not any(
        path.startswith(("data/", "meta/", "curation/"))
        for path in [*plan.added, *plan.changed, *plan.deleted]
    ):
        return None, None, ""
    taken = bool(plan.deleted or plan.changed)
    with without_bars():
        root = pull(plan.repo_id, revision=plan.commit, allow_patterns=COLUMNS)
    try:
        before = Dataset.open(root)
    except DataError:
        return None, None, "no LeRobot v3.0 dataset that can be read" if taken else ""
    try:
        return before, compare(before, dataset), ""
    except (DataError, UsageError):
        return None, None, "a dataset of other columns" if taken else ""


def _sample(sizes: dict[str, int], seed: str) -> list[str]:
    """Return some files, `meta/info.json` among them, drawn by the commit, of not too many bytes together."""
    drawn = np.random.default_rng(int(seed[:8], 16)).permutation(sorted(sizes)).tolist()
    chosen: list[str] = []
    for path in ["meta/info.json", *drawn]:
        room = _SAMPLE_BYTES - sum(sizes[p] for p in chosen)
        if path in sizes and path not in chosen and sizes[path] <= room and len(chosen) < _SAMPLE_FILES:
            chosen.append(path)
    return chosen


def _digest(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
