"""Score a dataset on disk: read, measure in parallel where it pays, judge, and store the result beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import DataError, DemodeckError, StorageError, shown
from curation.checks import structure
from curation.checks.base import Check, Episode, Measure
from curation.checks.reference import Reference
from curation.checks.registry import CHECKS
from curation.scores import ENOUGH_FRAMES, Scoring, judge_all, measure_episode, reference_of
from curation.video_pass import video_series

Progress = Callable[[str, int, int], None]
Video = dict[int, dict[str, dict[str, np.ndarray]]]

FRAMES_WORTH_A_POOL = 200_000
"""Below this, starting processes costs more than the checks (about 50,000 frames a second on one core)."""


def score_dataset(
    dataset: Dataset, video: bool = False, progress: Progress | None = None, jobs: int | None = None
) -> Scoring:
    """Run all checks over a dataset.

    Args:
        dataset: The dataset.
        video: Decode the cameras too.
        progress: Called with the phase's name, episodes done, and their number.
        jobs: Processes; by default as many as cores where the work is worth it, else none.

    Raises:
        DataError: If the dataset cannot be read.
        DemodeckError: If a process was killed.
    """
    _opened.cache_clear()
    say: Progress = progress or (lambda phase, done, total: None)
    episodes = list(range(dataset.num_episodes))
    lengths = [int(n) for n in dataset.lengths()]
    checks = [c for c in CHECKS if video or not c.video]
    if jobs is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        jobs = cores if video or sum(lengths) > FRAMES_WORTH_A_POOL else 1
    with _pool(jobs) as pool:
        series: Video = {}
        if video:
            looks = [(dataset.root, [episode]) for episode in episodes]
            series = {
                e: found for part in _each(pool, _look, looks, "video", say) for e, found in part.items()
            }
        if pool is None:
            everything = read_episodes(dataset, episodes, series)
            reference = reference_for(dataset, everything)
            measures = []
            for episode in everything:
                measures.append(measure_episode(episode, reference, checks))
                episode.memo.clear()
                say("checks", len(measures), len(episodes))
        else:
            thin = max(1, -(-sum(lengths) // ENOUGH_FRAMES))
            reference = reference_for(dataset, read_episodes(dataset, episodes[::thin], series))
            # Each block reads its data files anew: their number must not grow with the dataset's.
            size = -(-len(episodes) // (4 * jobs))
            blocks = [episodes[k : k + size] for k in range(0, len(episodes), size)]
            names = [check.name for check in checks]
            tasks = [
                (dataset.root, b, reference, names, {e: series[e] for e in b if e in series}) for b in blocks
            ]
            measures = [row for part in _each(pool, _measure, tasks, "checks", say) for row in part]
    return judge_all(episodes, lengths, measures, reference, checks, first_tasks(dataset))


def rank_dataset(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the soft scores of all episodes by name, (n_episodes,) each; see `curation.ranking`.

    Raises:
        DataError: If the dataset cannot be read.
    """
    from curation.ranking import rank

    episodes = read_episodes(dataset, list(range(dataset.num_episodes)))
    return rank(episodes, reference_for(dataset, episodes))


def _pool(jobs: int) -> AbstractContextManager[Executor | None]:
    # Spawned, not forked: the parent has Arrow's threads. Ctrl-C is the parent's business alone.
    if jobs < 2:
        return nullcontext(None)
    return ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))


def _each(
    pool: Executor | None, function: Callable, arguments: Sequence[tuple], phase: str, say: Progress
) -> list:
    """Call `function` on each argument tuple, whose second entry is a block of episodes; results in order."""
    results: list = [None] * len(arguments)
    total, done = sum(len(args[1]) for args in arguments), 0
    if pool is None:
        for i, args in enumerate(arguments):
            results[i] = function(*args)
            done += len(args[1])
            say(phase, done, total)
        return results
    futures = {pool.submit(function, *args): i for i, args in enumerate(arguments)}
    try:
        for future in as_completed(futures):
            i = futures[future]
            results[i] = future.result()
            done += len(arguments[i][1])
            say(phase, done, total)
    except BrokenProcessPool as error:
        raise DemodeckError(
            f"a process that read {arguments[0][0]} was killed (too little memory?): try again with --jobs 1"
        ) from error
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return results


def first_tasks(dataset: Dataset) -> np.ndarray:
    """Return the number of each episode's first task in the episode table; 0 where it names none, (n_episodes,)."""
    if "tasks" not in dataset.episodes.column_names:
        return np.zeros(dataset.num_episodes, int)
    numbers: dict[str, int] = {}
    words = [str((names or [""])[0]) for names in dataset.episodes["tasks"].to_pylist()]
    return np.array([numbers.setdefault(word, len(numbers)) for word in words])


def _columns_to_read(dataset: Dataset) -> list[str]:
    left_out = set(schema.DEFAULT_FEATURES) - set(structure.COLUMNS)
    return [name for name in schema.numeric_keys(dataset.features) if name not in left_out]


def read_episodes(dataset: Dataset, indices: Sequence[int], video: Video | None = None) -> list[Episode]:
    """Read episodes with all their numeric columns.

    Raises:
        DataError: If the dataset cannot be read.
    """
    if not indices:
        return []
    columns = dataset.columns(_columns_to_read(dataset), list(indices))
    ends = np.cumsum([int(n) for n in dataset.lengths(list(indices))])
    starts = np.concatenate([[0], ends[:-1]])
    return [
        Episode.of(i, dataset.fps, {k: v[a:b] for k, v in columns.items()}, (video or {}).get(i))
        for i, a, b in zip(indices, starts, ends)
    ]


def reference_for(dataset: Dataset, episodes: Sequence[Episode]) -> Reference:
    """Return what is usual in a dataset, from its episodes."""
    return reference_of(episodes, _names(dataset, "observation.state"), _names(dataset, "action"))


def _names(dataset: Dataset, column: str) -> list[str]:
    names = (dataset.features.get(column) or {}).get("names")
    if isinstance(names, dict):  # older lerobot: {"motors": [...]}
        names = [name for group in names.values() for name in group or []]
    return [shown(name, 40) for name in names or []]


@lru_cache(maxsize=1)
def _opened(root: Path) -> Dataset:
    # Once a process: opening reads the whole episode table.
    return Dataset.open(root)


def _measure(
    root: Path, block: list[int], reference: Reference, names: list[str], video: Video
) -> list[list[Measure]]:
    checks: list[Check] = [c for c in CHECKS if c.name in names]
    return [measure_episode(e, reference, checks) for e in read_episodes(_opened(root), block, video)]


def _look(root: Path, block: list[int]) -> Video:
    dataset = _opened(root)
    return {i: {camera: _series(dataset, i, camera) for camera in dataset.camera_keys} for i in block}


def _series(dataset: Dataset, episode: int, camera: str) -> dict[str, np.ndarray]:
    """Return a camera's series; what cannot be decoded is a finding of the check `video_broken`."""
    try:
        return video_series(dataset.frames(episode, camera))
    except DataError:
        return video_series([]) | {"broken": np.ones(1)}


def store(root: Path, scoring: Scoring, video: bool, ranks: dict[str, np.ndarray] | None = None) -> None:
    """Write `curation/scores.parquet` and `curation/findings.parquet` below `root`, each atomically.

    Scores have one row per episode and check: `episode_index`, `check`, `score` (null where not evaluated),
    `state` ("ok", "warn", "fault", "skipped"; "rank" for a soft score, which accuses nobody) and `note` (why it
    was skipped).

    Raises:
        StorageError: If the disk refuses; earlier scores are then as before.
    """
    import pyarrow as pa

    worst = {(f.episode_index, f.check): f.severity for f in reversed(scoring.findings)}
    rows: dict[str, list] = {"episode_index": [], "check": [], "score": [], "state": [], "note": []}
    for name, scores in scoring.scores.items():
        for episode, score, reason in zip(scoring.episodes, scores, scoring.skipped[name]):
            rows["episode_index"].append(episode)
            rows["check"].append(name)
            rows["score"].append(None if np.isnan(score) else float(score))
            rows["state"].append("skipped" if reason else worst.get((episode, name), "ok"))
            rows["note"].append(reason or None)
    for name, values in (ranks or {}).items():
        for episode, value in zip(scoring.episodes, values):
            known = bool(np.isfinite(value))
            rows["episode_index"].append(episode)
            rows["check"].append(name)
            rows["score"].append(float(value) if known else None)
            rows["state"].append("rank")
            rows["note"].append(None if known else "nothing to measure")
    kinds = pa.schema(
        [
            ("episode_index", pa.int64()),
            ("check", pa.string()),
            ("score", pa.float64()),
            ("state", pa.string()),
            ("note", pa.string()),
        ],
        metadata={"demodeck": json.dumps(_about(scoring, video))},
    )
    _write(pa.table(rows, schema=kinds), root / "curation" / "scores.parquet")
    fields = [
        ("episode_index", pa.int64()),
        ("check", pa.string()),
        ("severity", pa.string()),
        ("from_frame", pa.int64()),
        ("to_frame", pa.int64()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("message", pa.string()),
    ]
    found = {name: [getattr(f, name) for f in scoring.findings] for name, _ in fields}
    _write(pa.table(found, schema=pa.schema(fields)), root / "curation" / "findings.parquet")


def _about(scoring: Scoring, video: bool) -> dict:
    return {
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "episodes": len(scoring.episodes),
        "frames": sum(scoring.lengths),
        "video": video,
    }


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        with temporary.open("wb") as sink:
            pq.write_table(table, sink)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): scores lie beside their dataset, so make "
            "room or copy the dataset to where you may write"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
