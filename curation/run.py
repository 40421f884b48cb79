"""Score a dataset on disk: read, measure in parallel where it pays, judge; what was measured before is not again.

Everything that is measured goes to the cache at once (see `curation.cache`), so that an interrupted scoring goes on
where it stood. What is usual in the set is taken from episodes whose choice hardly changes when some are added
(`scores.reference_choice`); the limits are computed anew each time, from the measures of all episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import shown
from curation.cache import Cache, checks_version, digest
from curation.checks.base import Check, Episode
from curation.checks.reference import Reference
from curation.checks.registry import CHECKS
from curation.engines import LOCAL, Engine, cores, each
from curation.frames import Block, Frames
from curation.measures import Measures, packed, unpacked
from curation.ranking import RANKINGS, Ranking, rank
from curation.remembered import reference_arrays, reference_from
from curation.scores import Scoring, judge_all, measure_block, reference_choice, reference_of
from curation.video_pass import Pictures, pictures_of

Progress = Callable[[str, int, int], None]

FRAMES_WORTH_A_POOL = 200_000
"""Below this, starting processes costs more than the checks (about 80,000 frames a second on one core)."""


def score_dataset(
    dataset: Dataset,
    video: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
    fresh: bool = False,
    engine: Engine = LOCAL,
) -> Scoring:
    """Run all checks over a dataset.

    Args:
        dataset: The dataset.
        video: Decode the cameras too.
        progress: Called with the phase's name, episodes done, and their number.
        jobs: Processes; by default as many as cores where the work is worth it, else none.
        fresh: Measure everything again, whatever was measured before.
        engine: Who measures.

    Raises:
        DataError: If the dataset cannot be read.
        UsageError: If the engine is not installed.
        DemodeckError: If a process was killed.
    """
    say: Progress = progress or (lambda phase, done, total: None)
    cache = Cache(dataset.root)
    if fresh:
        cache.clear()
    frames = Frames(dataset)
    episodes, lengths = list(range(dataset.num_episodes)), [int(n) for n in frames.lengths]
    checks = [c for c in CHECKS if video or not c.video]
    keys = frames.keys(cache)
    pictures = Pictures({}, [""] * len(episodes))
    if video:
        pictures = pictures_of(dataset, cache, jobs or cores(), say, engine)
        keys = [digest([a.encode(), b.encode()]) for a, b in zip(keys, pictures.keys)]
    reference = _reference(frames, pictures, keys, cache, video)
    measures = _measured(frames, pictures, keys, cache, reference, checks, jobs, say, engine)
    return judge_all(episodes, lengths, measures, reference, checks, first_tasks(dataset))


def rank_dataset(dataset: Dataset, rankings: Sequence[Ranking] = RANKINGS) -> dict[str, np.ndarray]:
    """Return the soft scores of all episodes by name, (n_episodes,) each; see `curation.ranking`.

    Raises:
        DataError: If the dataset cannot be read.
    """
    episodes = read_episodes(dataset, range(dataset.num_episodes))
    return rank(episodes, reference_for(dataset, episodes), rankings)


def _reference(
    frames: Frames, pictures: Pictures, keys: Sequence[str], cache: Cache, video: bool
) -> Reference:
    """Return the set's reference, as it was kept or computed now from the episodes that stand for all."""
    dataset = frames.dataset
    chosen = reference_choice(frames.lengths)
    names = [_names(dataset, "observation.state"), _names(dataset, "action")]
    key = digest([checks_version().encode(), repr(names).encode(), *(keys[e].encode() for e in chosen)])
    kind = "reference-video" if video else "reference"
    for known, arrays in cache.parts(kind):
        if known == [key]:
            try:
                return reference_from(arrays)
            except ValueError:
                pass
    blocks = (pictures.added_to(block) for block in frames.blocks(chosen))
    reference = reference_of([episode for block in blocks for episode in block], *names)
    cache.replace(kind, [key], reference_arrays(reference))
    return reference


def _measured(
    frames: Frames,
    pictures: Pictures,
    keys: Sequence[str],
    cache: Cache,
    reference: Reference,
    checks: Sequence[Check],
    jobs: int | None,
    say: Progress,
    engine: Engine,
) -> dict[str, Measures]:
    """Return the measures of all episodes by check, of which only those are measured that are not known."""
    names = [check.name for check in checks]
    kind = "measures-video-" if any(check.video for check in checks) else "measures-columns-"
    settings = digest(
        [checks_version().encode(), repr(names).encode(), *reference_arrays(reference).values()]
    )
    group = kind + settings
    rows: dict[str, int] = {}
    parts: list[dict[str, Measures]] = []

    def take(part_keys: list[str], part: dict[str, Measures]) -> None:
        begin = len(rows_of)
        rows_of.extend(part_keys)
        parts.append(part)
        rows.update({key: begin + i for i, key in enumerate(part_keys)})

    rows_of: list[str] = []
    n_parts = 0
    for part_keys, arrays in cache.parts(group):
        n_parts += 1
        try:
            part = unpacked(arrays)
        except ValueError:
            continue
        if list(part) == names and all(len(m) == len(part_keys) for m in part.values()):
            take(part_keys, part)
    missing = [e for e, key in enumerate(keys) if key not in rows]
    total, done = len(keys), len(keys) - len(missing)
    if missing:
        say("checks", done, total)
    if jobs is None:
        worth = engine != LOCAL or sum(frames.lengths[missing]) > FRAMES_WORTH_A_POOL
        jobs = cores() if worth else 1
    sent: dict[int, list[int]] = {}

    def work() -> Iterator[tuple[Block, Reference, list[str]]]:
        for number, block in enumerate(frames.blocks(missing)):
            sent[number] = block.episodes
            yield pictures.added_to(block), reference, names

    for number, arrays in each(_measure, work(), jobs, engine):
        part_keys = [keys[e] for e in sent.pop(number)]
        cache.add(group, part_keys, arrays)
        take(part_keys, unpacked(arrays))
        done += len(part_keys)
        say("checks", done, total)
    joined = {name: Measures.joined([part[name] for part in parts]) for name in names}
    order = np.array([rows[key] for key in keys])
    if (
        len(parts) > 1
        or n_parts != len(parts)
        or len(rows_of) != len(keys)
        or (order != np.arange(len(keys))).any()
    ):
        joined = {name: m.taken(order) for name, m in joined.items()}
        cache.replace(group, list(keys), packed(joined))
    cache.sweep(kind, group)
    return joined


def _measure(work: tuple[Block, Reference, list[str]]) -> dict[str, np.ndarray]:
    block, reference, names = work
    return packed(measure_block(block, reference, [c for c in CHECKS if c.name in names]))


def first_tasks(dataset: Dataset) -> np.ndarray:
    """Return the number of each episode's first task in the episode table; 0 where it names none, (n_episodes,)."""
    if "tasks" not in dataset.episodes.column_names:
        return np.zeros(dataset.num_episodes, int)
    numbers: dict[str, int] = {}
    words = [str((names or [""])[0]) for names in dataset.episodes["tasks"].to_pylist()]
    return np.array([numbers.setdefault(word, len(numbers)) for word in words])


def read_episodes(dataset: Dataset, indices: Sequence[int]) -> list[Episode]:
    """Read episodes with all their numeric columns, in ascending order.

    Raises:
        DataError: If the dataset cannot be read.
    """
    found = [episode for block in Frames(dataset).blocks(indices) for episode in block]
    return sorted(found, key=lambda episode: episode.index)


def reference_for(dataset: Dataset, episodes: Sequence[Episode]) -> Reference:
    """Return what is usual in a dataset, from its episodes."""
    return reference_of(episodes, _names(dataset, "observation.state"), _names(dataset, "action"))


def _names(dataset: Dataset, column: str) -> list[str]:
    names = (dataset.features.get(column) or {}).get("names")
    if isinstance(names, dict):  # older lerobot: {"motors": [...]}
        names = [name for group in names.values() for name in group or []]
    return [shown(name, 40) for name in names or []]
