"""Small flights with known content, for the dataset's tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset import schema
from collector.dataset.journal import JournalWriter
from collector.dataset.writer import DatasetWriter

FPS = 15
SIZES = {"front": (64, 80), "wrist": (64, 64)}
STATE = ["pan.pos", "lift.pos", "gripper.pos"]
FEATURES = schema.features_for(STATE, STATE, SIZES, ["cube_x_m", "cube_y_m"], outcome=True)
# What plain lerobot can be asked to hold as well.
PLAIN = schema.features_for(STATE, STATE, {"front": SIZES["front"]})
H264 = {"vcodec": "h264", "crf": 18}


@dataclass
class Flight:
    """What was flown: columns (n_frames, ...) and pictures (n_frames, height, width, 3) by name."""

    columns: dict[str, np.ndarray]
    images: dict[str, np.ndarray]
    header: dict[str, Any]
    end: dict[str, Any]

    def __len__(self) -> int:
        return len(self.columns["action"])


def picture(height: int, width: int, k: int, seed: int) -> np.ndarray:
    """Return a smooth scene with a disc that moves with k, so that each frame tells which it is."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([90 + 60 * np.sin(x / 17 + seed), 110 + 50 * np.cos(y / 13), 60 + x + 0 * y], -1)
    cx, cy = 10 + (3 * k) % (width - 20), height / 2 + 12 * np.sin(seed + k / 3)
    base[(x - cx) ** 2 + (y - cy) ** 2 < 60] = (220, 40 + 8 * (k % 20), 30)
    return np.clip(base, 0, 255).astype(np.uint8)


def fly(seed: int, n: int = 12, features: schema.Features = FEATURES, task: str = "pick") -> Flight:
    """Return a flight of n ticks."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for name, feature in features.items():
        if feature["dtype"] == "video":
            continue
        shape = (n,) if feature["shape"] == (1,) else (n, *feature["shape"])
        if feature["dtype"] == "bool":
            columns[name] = rng.random(shape) < 0.3
        else:
            columns[name] = rng.normal(size=shape).astype(feature["dtype"])
    images = {
        name: np.array([picture(*f["shape"][:2], k, seed) for k in range(n)])
        for name, f in features.items()
        if f["dtype"] == "video"
    }
    header = {
        "task": task,
        "flight_id": f"flight{seed}",
        "seed": seed,
        "pilot": "scripted",
        "started_at": "2026-01-02T03:04:05.678+00:00",
    }
    return Flight(columns, images, header, {"success": seed % 2 == 0, "missed_ticks": seed})


def write_journal(
    root: Path,
    flight: Flight,
    *,
    features: schema.Features = FEATURES,
    encoder: Any = H264,
    close: bool = True,
) -> Path:
    """Record a flight into the dataset's journal; return its folder."""
    folder = root / ".journal" / flight.header["flight_id"]
    journal = JournalWriter(folder, flight.header, features, FPS, encoder)
    for k in range(len(flight)):
        journal.add(
            {name: values[k] for name, values in flight.columns.items()},
            {name: values[k] for name, values in flight.images.items()},
        )
    if close:
        journal.close(flight.end)
    else:
        journal.flush()
    return folder


def record(
    root: Path, flights: list[Flight], features: schema.Features = FEATURES, encoder: Any = H264
) -> None:
    """Make a dataset of flights, one file an episode."""
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="sim_so101")
    for flight in flights:
        writer.save(write_journal(root, flight, features=features, encoder=encoder))
    writer.close()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two pictures [dB]."""
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def files_of(root: Path) -> set[str]:
    """Return all files of a dataset by relative path, the journal's too."""
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
