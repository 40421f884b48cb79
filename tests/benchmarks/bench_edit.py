"""Editing against lerobot-edit-dataset: delete, split and merge, on the same set; and renumbering many episodes.

    python tests/benchmarks/bench_edit.py [--episodes=50] [--frames=200] [--runs=1] [--many=10000]

Prints markdown tables. Both are called as functions, in this process, after their imports: what is measured is the
work. They take turns. Every frame of ours is compared with the source's, lossless, by a hash of the decoded picture;
of lerobot's it is said how many are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from collector.dataset import schema  # noqa: E402
from collector.dataset.journal import JournalWriter  # noqa: E402
from collector.dataset.reader import Dataset  # noqa: E402
from collector.dataset.rewrite import compact, write_sets, write_spans  # noqa: E402
from collector.dataset.spans import whole_episodes  # noqa: E402
from collector.dataset.writer import DatasetWriter  # noqa: E402

FPS = 30
NAMES = [f"joint_{k}.pos" for k in range(6)]


def dropped(source: Dataset) -> list[int]:
    """Return the three episodes that are deleted."""
    return [k * source.num_episodes // 5 for k in (1, 2, 3)]


def record(root: Path, episodes: int, n_frames: int, sizes: dict[str, tuple[int, int]]) -> Dataset:
    """Record episodes of noise under a moving square, with lerobot's default encoder, in files of the usual sizes."""
    features = schema.features_for(NAMES, NAMES, sizes)
    features = {k: f for k, f in features.items() if not k.startswith("clock.")}
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="bench")
    rng = np.random.default_rng(0)
    for episode in range(episodes):
        folder = root / ".journal" / f"flight-{episode}"
        header = {"task": f"task {episode % 2}"}
        journal = JournalWriter(folder, header, features, FPS, {"vcodec": "libsvtav1"}, patient=True)
        for t in range(n_frames):
            columns: dict[str, Any] = {
                name: np.zeros(f["shape"], f["dtype"])
                for name, f in features.items()
                if f["dtype"] != "video"
            }
            columns |= {name: np.float32(rng.normal(size=6)) for name in ("action", "observation.state")}
            images = {
                name: _picture(rng, f["shape"], t) for name, f in features.items() if f["dtype"] == "video"
            }
            journal.add({n: v[0] if v.shape == (1,) else v for n, v in columns.items()}, images)
        journal.close({"success": True})
        writer.save(folder)
    writer.close()
    compact(root)
    return Dataset.open(root)


def _picture(rng: np.random.Generator, shape: tuple[int, ...], t: int) -> np.ndarray:
    image = np.kron(rng.integers(60, 200, (shape[0] // 8, shape[1] // 8, 3)), np.ones((8, 8, 1)))
    at = 3 * t % (shape[1] - 20)
    image[10:30, at : at + 20] = (230, 40, 30)
    return image.astype(np.uint8)


def pictures(dataset: Dataset) -> list[bytes]:
    """Return the hash of each decoded picture, episode by episode, camera by camera."""
    return [
        hashlib.sha256(image.tobytes()).digest()
        for episode in range(dataset.num_episodes)
        for camera in dataset.camera_keys
        for image in dataset.frames(episode, camera)
    ]


def operations(
    source: Dataset, folder: Path
) -> dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]]:
    """Return by name what ours and lerobot's do, each into the folder that it is given."""
    from lerobot.configs.video import RGBEncoderConfig  # noqa: F401 - imported before the clock runs
    from lerobot.datasets import LeRobotDataset
    from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets, split_dataset

    n, gone = source.num_episodes, dropped(source)
    kept = [e for e in range(n) if e not in gone]
    half = {"a": list(range(n // 2)), "b": list(range(n // 2, n))}
    write_sets(folder / "halves", {name: (whole_episodes(source, e), {}) for name, e in half.items()})
    halves = [folder / "halves" / name for name in half]

    def theirs(root: Path) -> Any:
        return LeRobotDataset("bench/set", root=root, video_backend="pyav")

    def merge_ours(to: Path) -> None:
        parts = [Dataset.open(root) for root in halves]
        write_spans(to, [s for d in parts for s in whole_episodes(d, range(d.num_episodes))])

    return {
        f"delete {len(gone)}": (
            lambda to: void(write_spans(to, whole_episodes(Dataset.open(source.root), kept))),
            lambda to: void(delete_episodes(theirs(source.root), gone, output_dir=to, repo_id="bench/x")),
        ),
        "split in two": (
            lambda to: void(write_sets(to, {k: (whole_episodes(source, e), {}) for k, e in half.items()})),
            lambda to: void(split_dataset(theirs(source.root), half, output_dir=to)),
        ),
        "merge two": (
            merge_ours,
            lambda to: void(
                merge_datasets([theirs(root) for root in halves], output_repo_id="bench/x", output_dir=to)
            ),
        ),
    }


def void(_: Any) -> None:
    """Take a result that nobody needs."""


def compare(source: Dataset, folder: Path, runs: int) -> None:
    """Measure ours and lerobot's in turn and print the table."""
    before = pictures(source)
    size = len(before) // source.num_episodes
    of = {e: before[e * size : (e + 1) * size] for e in range(source.num_episodes)}
    rows = []
    for name, both in operations(source, folder).items():
        times: tuple[list[float], list[float]] = ([], [])
        equal = ["", ""]
        kept = [e for e in of if e not in dropped(source)] if name.startswith("delete") else list(of)
        expected = [picture for episode in kept for picture in of[episode]]
        for number in range(runs):
            for side, work in enumerate(both):
                to = folder / "out"
                shutil.rmtree(to, ignore_errors=True)
                began = time.perf_counter()
                work(to)
                times[side].append(time.perf_counter() - began)
                if number == 0:
                    sets = [to] if (to / "meta").exists() else sorted(to.iterdir())
                    got = [picture for root in sets for picture in pictures(Dataset.open(root))]
                    same = sum(a == b for a, b in zip(got, expected))
                    equal[side] = f"{same} of {len(expected)}"
                    if side == 0 and got != expected:
                        raise SystemExit(f"{name}: ours has other pictures than the source")
        ours, lerobot = (statistics.median(values) for values in times)
        rows.append([name, f"{ours:.2f}", f"{lerobot:.2f}", f"{lerobot / ours:.1f}", *equal])
    print("\n| operation | demodeck [s] | lerobot [s] | ratio | equal pictures, ours | lerobot's |")
    print("|---|---|---|---|---|---|")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


def many(folder: Path, counts: list[int]) -> None:
    """Print what it takes to drop one episode of many short ones, which renumbers the others."""
    print("\n| episodes of 10 frames | drop the first [s] |\n|---|---|")
    base = record(folder / "short", 20, 10, {})
    for count in counts:
        whole = whole_episodes(base, range(base.num_episodes))
        root = folder / f"many-{count}"
        grow(base.root, root, count // len(whole))
        source = Dataset.open(root)
        began = time.perf_counter()
        write_spans(folder / f"less-{count}", whole_episodes(source, range(1, source.num_episodes)))
        print(f"| {source.num_episodes} | {time.perf_counter() - began:.2f} |")


def grow(base: Path, root: Path, times: int) -> None:
    """Make a set of another's episodes, many times over."""
    # Opened anew, the same folder is another source: an episode may come from each but once.
    write_spans(root, [s for _ in range(times) for s in whole_episodes(Dataset.open(base), range(20))])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--many", type=int, default=10_000, help="episodes to renumber; 0 leaves that out")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sizes = {"front": (240, 320), "wrist": (240, 320)}
    with tempfile.TemporaryDirectory(prefix="bench-edit-") as name:
        folder = Path(name)
        if args.episodes:
            source = record(folder / "source", args.episodes, args.frames, sizes)
            size = sum(p.stat().st_size for p in source.root.rglob("*.mp4")) / 2**20
            print(
                f"{args.episodes} episodes of {args.frames} frames, 2 cameras of 320x240, AV1, {size:.0f} MB"
            )
            compare(source, folder, args.runs)
        if args.many:
            many(folder, sorted({args.many // 10, args.many}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
