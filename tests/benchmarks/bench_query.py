"""How long `demodeck query` takes over many episodes: the whole command, start of Python and imports included.

    python tests/benchmarks/bench_query.py [--episodes=100000] [--frames=10] [--runs=5]

Makes a synthetic set (six joints, statistics, 25 checks' scores, findings, labels: three quarters of the episodes in
bulk, 3,000 one by one, by three people), asks it questions, and prints a markdown table of wall and CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).parents[2]
sys.path[1:1] = [str(ROOT)]

from collector.dataset import schema, stats, tables  # noqa: E402
from collector.dataset.durable import write_bytes, write_json  # noqa: E402
from collector.dataset.labels import Labels  # noqa: E402

FPS = 30
NAMES = [f"joint_{k}.pos" for k in range(6)]
QUESTIONS = {
    "a condition on labels and findings": ["verdict = 'keep' and success and faults = 0"],
    "a condition on scores": ["lag_3 > 0.99 and length >= 10"],
    "a saved selection": ["@good and rating >= 4"],
    "tags": ["list_contains(tags, 'slippery')"],
    "SELECT with GROUP BY": ["SELECT verdict, count(*), avg(lag_1) FROM episodes GROUP BY verdict"],
    "a join of findings and episodes": [
        "SELECT f.check, count(*) FROM findings f JOIN episodes e USING (episode_index) WHERE e.success GROUP BY 1"
    ],
    "a sum over all frames": [
        "SELECT episode_index, max(abs(action[1])) m FROM frames GROUP BY 1 ORDER BY m DESC LIMIT 10"
    ],
}
_IMPORTS = (
    "from curation.lean import arrow_without_pandas; arrow_without_pandas(); import numpy, pyarrow.parquet, duckdb; "
    "duckdb.connect()"
)


def make(root: Path, episodes: int, n_frames: int) -> None:
    """Write the synthetic set."""
    rng = np.random.default_rng(0)
    features = schema.normalised({"observation.state": schema.vector(NAMES), "action": schema.vector(NAMES)})
    total = episodes * n_frames
    of = np.repeat(np.arange(episodes), n_frames)
    at = np.tile(np.arange(n_frames), episodes)
    values = {
        "observation.state": rng.normal(size=(total, 6)).astype(np.float32),
        "action": rng.normal(size=(total, 6)).astype(np.float32),
        "timestamp": (at / FPS).astype(np.float32),
        "frame_index": at,
        "episode_index": of,
        "index": np.arange(total),
        "task_index": np.zeros(total, np.int64),
    }
    columns = {name: schema.to_arrow(values[name], feature) for name, feature in features.items()}
    frames = pa.table(columns, schema=schema.data_schema(features))
    write_bytes(root / schema.DATA_PATH.format(chunk_index=0, file_index=0), tables.parquet_bytes(frames))
    ends = np.arange(1, episodes + 1) * n_frames
    table = {
        "episode_index": np.arange(episodes),
        "tasks": pa.array([["pick"]] * episodes),
        "length": np.full(episodes, n_frames),
        "data/chunk_index": np.zeros(episodes, np.int64),
        "data/file_index": np.zeros(episodes, np.int64),
        "dataset_from_index": ends - n_frames,
        "dataset_to_index": ends,
        "success": rng.random(episodes) < 0.7,
        "seed": np.arange(episodes),
        "flight_id": pa.array([f"flight{k}" for k in range(episodes)]),
    }
    for name in ("observation.state", "action"):
        for key in ("min", "max", "mean", "std", *stats.QUANTILES):
            flat = pa.array(rng.normal(size=episodes * 6))
            table[f"stats/{name}/{key}"] = pa.FixedSizeListArray.from_arrays(flat, 6).cast(
                pa.list_(pa.float64())
            )
    write_bytes(
        root / schema.EPISODES_PATH.format(chunk_index=0, file_index=0), tables.parquet_bytes(pa.table(table))
    )
    write_bytes(root / tables.TASKS, tables.tasks_file(["pick"]))
    info = {
        "codebase_version": schema.CODEBASE_VERSION,
        "robot_type": "bench",
        "total_episodes": episodes,
        "total_frames": total,
        "total_tasks": 1,
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{episodes}"},
        "data_path": schema.DATA_PATH,
        "video_path": None,
        "features": features,
    }
    write_json(root / tables.INFO, tables.info_to_json(info))
    checks = [f"lag_{k}" for k in range(25)]
    scores = {
        "episode_index": np.tile(np.arange(episodes), len(checks)),
        "check": pa.array(np.repeat(checks, episodes)),
        "score": rng.random(episodes * len(checks)),
        "state": pa.array(["ok"] * episodes * len(checks)),
    }
    write_bytes(root / "curation" / "scores.parquet", tables.parquet_bytes(pa.table(scores)))
    n = episodes // 5
    found = {
        "episode_index": np.sort(rng.integers(0, episodes, n)),
        "check": pa.array(rng.choice(checks, n)),
        "severity": pa.array(rng.choice(["fault", "warn"], n)),
    }
    write_bytes(root / "curation" / "findings.parquet", tables.parquet_bytes(pa.table(found)))
    labels = Labels(root)
    every = list(range(episodes))
    labels.set(every[: episodes // 2], "verdict", "keep", "ana")
    labels.set(every[episodes // 2 : 3 * episodes // 4], "verdict", "drop", "ben")
    labels.set(every[::10], "rating", 4, "cleo")
    one_by_one = [
        {"author": "cleo", "episodes": [int(e)], "field": "tags", "value": {"add": ["slippery"]}}
        for e in rng.integers(0, episodes, 3000)
    ]
    labels.file.append(one_by_one)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DEMODECK_AUTHOR": "bench"}
    with tempfile.TemporaryDirectory(prefix="bench-query-") as name:
        root = Path(name) / "set"
        make(root, args.episodes, args.frames)

        def ask(*words: str) -> tuple[float, float, str]:
            return measured(str(ROOT / "demodeck.py"), "query", str(root), *words)

        def measured(*words: str) -> tuple[float, float, str]:
            command = [sys.executable, *words]
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode:
                raise SystemExit(done.stderr)
            return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout

        ask("verdict = 'keep' and faults = 0", "--save", "good")
        print(f"{args.episodes} episodes, {args.episodes * args.frames} frames, median of {args.runs}\n")
        print("| question | wall [s] | CPU [s] | rows |\n|---|---|---|---|")
        # What no query can be faster than, on this machine and under its load of the moment.
        bare = [measured("-c", _IMPORTS) for _ in range(args.runs)]
        wall, cpu = (statistics.median(run[k] for run in bare) for k in (0, 1))
        print(f"| (Python's start and the imports alone) | {wall:.2f} | {cpu:.2f} | |", flush=True)
        for about, words in QUESTIONS.items():
            runs = [ask(*words, "--json") for _ in range(args.runs)]
            rows = len(json.loads(runs[0][2]))
            wall, cpu = (statistics.median(run[k] for run in runs) for k in (0, 1))
            print(f"| {about} | {wall:.2f} | {cpu:.2f} | {rows} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
