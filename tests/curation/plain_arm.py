"""Write synthetic flights as a plain v3.0 set without pictures, in one go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from synthetic_arm import FPS

from collector.dataset import schema, tables


def write(root: Path, flights: Sequence[dict[str, np.ndarray]], names: list[str]) -> Path:
    """Write state and action of flights; returns the folder."""
    features = schema.normalised({"observation.state": schema.vector(names), "action": schema.vector(names)})
    lengths = [len(f["action"]) for f in flights]
    ends = np.cumsum(lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    columns = {
        "timestamp": (frame / FPS).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.repeat(np.arange(len(flights)), lengths),
        "index": np.arange(len(frame)),
        "task_index": np.zeros(len(frame), np.int64),
    }
    data = {name: pa.array(values) for name, values in columns.items()}
    for name in ("observation.state", "action"):
        values = np.concatenate([f[name] for f in flights]).astype(np.float32)
        data[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    rows = {
        "episode_index": list(range(len(flights))),
        "tasks": [["Move the cube"]] * len(flights),
        "length": lengths,
        "data/chunk_index": [0] * len(flights),
        "data/file_index": [0] * len(flights),
        "dataset_from_index": (ends - lengths).tolist(),
        "dataset_to_index": ends.tolist(),
    }
    for folder in ("data/chunk-000", "meta/episodes/chunk-000"):
        (root / folder).mkdir(parents=True)
    pq.write_table(pa.table(data), root / schema.DATA_PATH.format(chunk_index=0, file_index=0))
    pq.write_table(pa.table(rows), root / schema.EPISODES_PATH.format(chunk_index=0, file_index=0))
    (root / tables.TASKS).write_bytes(tables.tasks_file(["Move the cube"]))
    info = {
        "codebase_version": schema.CODEBASE_VERSION,
        "robot_type": "synthetic_arm",
        "total_episodes": len(flights),
        "total_frames": len(frame),
        "total_tasks": 1,
        "chunks_size": schema.CHUNK_SIZE,
        "fps": FPS,
        "splits": {"train": f"0:{len(flights)}"},
        "data_path": schema.DATA_PATH,
        "video_path": None,
        "features": features,
    }
    (root / tables.INFO).write_text(json.dumps(tables.info_to_json(info)))
    return root
