"""Write flights as a plain LeRobot v3.0 dataset in one go: one data file, no clocks, no labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import schema, stats, tables
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.robots.sim_so101.task import PickPlaceTask
from curation_bench.flying import FPS, Flown


def write_plain(
    root: Path,
    flights: Sequence[Flown],
    with_stats: bool = True,
    with_scene: bool = False,
    with_success: bool = False,
) -> None:
    """Write a dataset with `observation.state` and `action` only, unless more is asked for.

    Args:
        root: Folder to make.
        flights: The episodes.
        with_stats: Whether the episode table holds each episode's statistics.
        with_scene: Whether to write `observation.environment_state` too, which policies see and no check reads.
        with_success: Whether the episode table says of each episode whether it succeeded, and its fault.
    """
    specs = {"observation.state": schema.vector(ACTION_KEYS), "action": schema.vector(ACTION_KEYS)}
    if with_scene:
        names = PickPlaceTask.environment_state_names
        specs["observation.environment_state"] = schema.vector(names, privileged=True)
    features = schema.normalised(specs)
    tasks = sorted({f.task for f in flights})
    lengths = np.array([len(f.state) for f in flights])
    frames = np.concatenate([np.arange(n) for n in lengths])
    columns = {
        "observation.state": np.concatenate([f.state for f in flights]).astype(np.float32),
        "action": np.concatenate([f.action for f in flights]).astype(np.float32),
        "timestamp": (frames / FPS).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.repeat(np.arange(len(flights)), lengths),
        "index": np.arange(len(frames)),
        "task_index": np.repeat([tasks.index(f.task) for f in flights], lengths),
    }
    if with_scene:
        columns["observation.environment_state"] = np.concatenate([f.scene for f in flights])
    for folder in ("data/chunk-000", "meta/episodes/chunk-000"):
        (root / folder).mkdir(parents=True)
    arrays = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(v.ravel()), v.shape[1])
        if v.ndim == 2
        else pa.array(v)
        for name, v in columns.items()
    }
    pq.write_table(pa.table(arrays), root / schema.DATA_PATH.format(chunk_index=0, file_index=0))
    ends = np.cumsum(lengths)
    rows: list[dict] = []
    for e, flown in enumerate(flights):
        row = {
            "episode_index": e,
            "tasks": [flown.task],
            "length": int(lengths[e]),
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": int(ends[e] - lengths[e]),
            "dataset_to_index": int(ends[e]),
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        if with_success:
            row |= {"success": flown.success, "flaw": flown.fault}
        if with_stats:
            part = {k: v[row["dataset_from_index"] : row["dataset_to_index"]] for k, v in columns.items()}
            row |= stats.flatten(stats.episode_stats(part, features))
        rows.append(row)
    pq.write_table(
        pa.Table.from_pylist(rows), root / schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
    )
    (root / tables.TASKS).write_bytes(tables.tasks_file(tasks))
    info = {
        "codebase_version": schema.CODEBASE_VERSION,
        "robot_type": "sim_so101",
        "total_episodes": len(flights),
        "total_frames": len(frames),
        "total_tasks": len(tasks),
        "chunks_size": schema.CHUNK_SIZE,
        "data_files_size_in_mb": schema.DATA_FILE_MB,
        "video_files_size_in_mb": schema.VIDEO_FILE_MB,
        "fps": FPS,
        "splits": {"train": f"0:{len(flights)}"},
        "data_path": schema.DATA_PATH,
        "video_path": None,
        "features": features,
    }
    (root / tables.INFO).write_text(json.dumps(tables.info_to_json(info), indent=4))
    whole = {name: stats.column_stats(v) for name, v in columns.items()}
    (root / tables.STATS).write_text(json.dumps(stats.to_json(whole)))
