"""The data path of `demodeck train` against `LeRobotDataset` with torch's `DataLoader`, in one run.

    python tests/benchmarks/bench_training.py [--dataset FOLDER] [--episodes 40] [--samples 2048] [--json]

Both give the same batches (tests/training hold that): windows of 16 actions, states with 2 observations, and in
the second table the camera's images too. Milliseconds of wall time per sample; a first batch (start of the
workers) is not counted, nor is reading and decoding into the cache, which is printed on its own. The last table
trains the same small policy both ways, for as many steps.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from collector.dataset.reader import Dataset
from training.data import BatchOrder, EpisodeFrames
from training.images import open_images
from training.policies.bc import BcConfig, BcPolicy
from training.source import load_frames

HORIZON, BATCH = 16, 256
STATE, ACTION = "observation.state", "action"


def record(root: Path, episodes: int, length: int, size: int) -> Path:
    """Write a small recorded set with a camera: `episodes` of `length` frames, images `size` squared."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    names = [f"joint_{i}.pos" for i in range(6)]
    features = {key: {"dtype": "float32", "shape": (6,), "names": names} for key in (STATE, ACTION)}
    image = {"dtype": "video", "shape": (size, size, 3), "names": ["height", "width", "channels"]}
    features["observation.images.front"] = image
    dataset = LeRobotDataset.create("bench/filmed", 20, root=root, features=features, use_videos=True)
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (size, 4 * size, 3), dtype=np.uint8)
    for _ in range(episodes):
        path = np.cumsum(rng.normal(size=(length + 1, 6)), axis=0).astype(np.float32)
        for i in range(length):
            picture = np.ascontiguousarray(np.roll(scene, 3 * i, axis=1)[:, :size])
            frame = {STATE: path[i], ACTION: path[i + 1], "observation.images.front": picture, "task": "move"}
            dataset.add_frame(frame)
        dataset.save_episode()
    dataset.finalize()
    return root


def ms_a_sample(batches: Iterable[Any], n_batches: int) -> float:
    """Return the wall time [ms] per sample of `n_batches` batches after a first one."""
    iterator = iter(batches)
    next(iterator)
    started = time.perf_counter()
    for _ in range(n_batches):
        next(iterator)
    return (time.perf_counter() - started) / (n_batches * BATCH) * 1e3


def deltas_of(camera: str | None) -> dict[str, list[int]]:
    seen = [STATE] if camera is None else [STATE, camera]
    return {**{key: [-1, 0] for key in seen}, ACTION: list(range(-1, HORIZON - 1))}


def lerobots(root: Path, camera: str | None, episodes: list[int]) -> Any:
    """Open the dataset by lerobot, with the windows of `deltas_of`."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    fps = Dataset.open(root).fps
    windows = {key: [delta / fps for delta in deltas] for key, deltas in deltas_of(camera).items()}
    theirs = LeRobotDataset("bench/data", root=root, episodes=episodes, delta_timestamps=windows)
    if camera is None and theirs.meta.video_keys:
        # lerobot decodes every camera for every sample; a user of states alone would take them out.
        for key in theirs.meta.video_keys:
            theirs.meta.info.features.pop(key)
    return theirs


def loader(theirs: Any, workers: int) -> Any:
    # A forked worker would inherit locks of the decoder's threads here, and now and then wait for ever.
    more: dict[str, Any] = {"persistent_workers": True, "multiprocessing_context": "spawn"} if workers else {}
    order = torch.Generator().manual_seed(0)
    return torch.utils.data.DataLoader(
        theirs, BATCH, shuffle=True, drop_last=True, num_workers=workers, generator=order, **more
    )


def endless(batches: Any) -> Iterable[Any]:
    while True:
        yield from batches


def ours(frames: EpisodeFrames) -> Iterable[Any]:
    order = BatchOrder(len(frames), BATCH, seed=0)
    for step in range(1 << 30):
        for ahead in range(4 if frames.images else 0):
            frames.prefetch(order.indices(step + ahead))
        yield frames.batch(order.indices(step))


def load(root: Path, camera: str | None, episodes: list[int], cache: str, folder: Path) -> EpisodeFrames:
    dataset = Dataset.open(root)
    columns: dict[str, list[int] | None] = {
        key: deltas for key, deltas in deltas_of(camera).items() if key != camera
    }
    frames = load_frames(dataset, episodes, columns)
    if camera is not None:
        frames.images[camera] = open_images(dataset, camera, episodes, cache, folder)
        frames.deltas[camera] = [-1, 0]
    return frames


def bench_data(name: str, root: Path, camera: str | None, episodes: list[int], samples: int) -> list[dict]:
    """Return a row for each way to get the samples."""
    theirs = lerobots(root, camera, episodes)
    n = max(2, samples // BATCH)
    rows = []
    for workers in (0, 2):
        ms = ms_a_sample(endless(loader(theirs, workers)), n)
        rows.append({"data": name, "path": f"LeRobotDataset, DataLoader, {workers} workers", "ms": ms})
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("memory", "disk", "stream") if camera else ("memory",):
            started = time.perf_counter()
            frames = load(root, camera, episodes, cache, Path(folder))
            ready_s = time.perf_counter() - started
            # Gathering states takes microseconds: over more batches, so that the clock can tell.
            ms = ms_a_sample(ours(frames), n if camera else 100 * n)
            rows.append({"data": name, "path": f"demodeck, {cache}", "ms": ms, "ready_s": ready_s})
    best = min(row["ms"] for row in rows[:2])
    for row in rows:
        row["times"] = best / row["ms"]
    return rows


def bench_training(root: Path, episodes: list[int], steps: int) -> list[dict]:
    """Train the same small policy on states both ways; ours for more steps, since they are short."""

    def policy() -> BcPolicy:
        from lerobot.utils.feature_utils import dataset_to_policy_features

        features = dataset_to_policy_features(Dataset.open(root).features)
        config = BcConfig(device="cpu", hidden_dim=64, n_obs_steps=2, inputs=[STATE])
        config.input_features, config.output_features = {STATE: features[STATE]}, {ACTION: features[ACTION]}
        return BcPolicy(config)

    def ms_a_step(batches: Iterable[Any], n: int) -> float:
        trained = policy()
        optimizer = torch.optim.AdamW(trained.parameters(), 1e-3, fused=True)
        iterator = iter(batches)
        started = 0.0
        for step in range(n + 1):
            if step == 1:
                started = time.perf_counter()
            loss, _ = trained.forward(next(iterator))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (time.perf_counter() - started) / n * 1e3

    frames = load(root, None, episodes, "memory", Path())
    theirs = lerobots(root, None, episodes)
    rows: list[dict] = []
    ways: list[tuple[str, Callable[[], Iterable[Any]], int]] = [
        ("LeRobotDataset, DataLoader, 0 workers", lambda: endless(loader(theirs, 0)), steps),
        ("LeRobotDataset, DataLoader, 2 workers", lambda: endless(loader(theirs, 2)), steps),
        ("demodeck", lambda: ours(frames), 50 * steps),
    ]
    for name, batches, n in ways:
        rows.append({"data": f"training, batches of {BATCH}", "path": name, "ms": ms_a_step(batches(), n)})
    for row in rows:
        row["times"] = min(rows[0]["ms"], rows[1]["ms"]) / row["ms"]
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="a v3.0 folder to measure too, its first camera with it")
    parser.add_argument("--episodes", type=int, default=40, help="episodes of it")
    parser.add_argument("--samples", type=int, default=2048)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sets = [("recorded 96x96", record(Path(folder) / "filmed", 8, 100, 96), list(range(8)))]
        if args.dataset:
            n = min(args.episodes, Dataset.open(args.dataset).num_episodes)
            sets.append((args.dataset.name, args.dataset, list(range(n))))
        for name, root, episodes in sets:
            camera = Dataset.open(root).camera_keys[0]
            rows += bench_data(f"{name}, state", root, None, episodes, args.samples)
            rows += bench_data(f"{name}, images", root, camera, episodes, args.samples // 4)
        rows += bench_training(sets[-1][1], sets[-1][2], args.samples // BATCH)
    if args.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
        return 0
    print("| data | path | ms a sample (training: a step) | times lerobot's best | ready after [s] |")
    print("|---|---|---|---|---|")
    for row in rows:
        ready = f"{row['ready_s']:.1f}" if "ready_s" in row else ""
        print(f"| {row['data']} | {row['path']} | {row['ms']:.4g} | {row['times']:.3g} | {ready} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
