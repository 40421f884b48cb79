"""Record synthetic flights with a small camera, through the project's own journal and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from synthetic_arm import FPS, NAMES

N_EPISODES = 14
FAULTY = {3: "spike", 7: "stall", 11: "tremor"}
CAMERA = "observation.images.front"


def pictures(n_frames: int, episode: int) -> np.ndarray:
    """Return a bright square that moves over a grey ground, uint8, (n_frames, 32, 48, 3)."""
    images = np.full((n_frames, 32, 48, 3), 90, np.uint8)
    for t in range(n_frames):
        x = (2 * t + 5 * episode) % 40
        images[t, 10:18, x : x + 8] = (220, 200 - 5 * episode, 40)
    return images


def record(root: Path, flights: list[dict[str, np.ndarray]], resume: bool = False) -> Path:
    """Record flights with one small camera through the project's own journal and writer."""
    from collector.dataset.journal import JournalWriter
    from collector.dataset.schema import scalar, vector, video
    from collector.dataset.writer import DatasetWriter

    features = {
        "observation.state": vector(NAMES),
        "action": vector(NAMES),
        CAMERA: video(32, 48),
        "clock.tick": scalar("float64"),
        "clock.observation": scalar("float64"),
        "clock.front": scalar("float64"),
        "next.success": scalar("bool"),
    }
    if resume:
        writer = DatasetWriter.open(root)
    else:
        writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="synthetic_arm")
    for episode, columns in enumerate(flights):
        folder = root / ".journal" / f"flight-{episode}"
        header = {"task": f"Move the cube, way {episode % 2}", "seed": 100 + episode, "pilot": "scripted"}
        encoder = {"vcodec": "h264", "preset": "ultrafast", "crf": 30, "g": 10}
        journal = JournalWriter(folder, header, features, FPS, encoder)
        images = pictures(len(columns["action"]), episode)
        for t in range(len(images)):
            journal.add({name: values[t] for name, values in columns.items()}, {CAMERA: images[t]})
        journal.close({"success": bool(columns["next.success"][-1]), "seed": 100 + episode})
        writer.save(folder)
    writer.close()
    return root
