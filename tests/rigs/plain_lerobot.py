"""Read data sets with plain lerobot, in one process for many: its imports cost seconds.

`python -m rigs.plain_lerobot` answers each line, `{"root": ...}`, with one line: the episodes, or the error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any


class Reader:
    """A running reader process; several threads may ask it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._one_at_a_time = Lock()

    def read(self, root: Path) -> dict[str, Any]:
        """Return `{"episodes": [{"ticks": [...], "pictures": {camera: [...]}}, ...]}` or `{"error": text}`.

        Every item is read, pictures and all; `pictures` are the capture numbers seen in them.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps({"root": str(root)}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


@contextmanager
def reader(env: dict[str, str]) -> Iterator[Reader]:
    """Start a reader; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rigs.plain_lerobot"],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield Reader(process)
    finally:
        process.kill()
        process.communicate()


def _read(root: str) -> dict[str, Any]:
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    from rigs.fault_rig.motion import ticks_of
    from rigs.fault_rig.pictures import read_number

    dataset = LeRobotDataset("lab/rig", root=root, video_backend="pyav")
    episodes: list[dict[str, Any]] = [
        {"ticks": [], "pictures": {k: [] for k in dataset.meta.camera_keys}}
        for _ in range(dataset.meta.total_episodes)
    ]
    for i in range(len(dataset)):
        item = dataset[i]
        episode = episodes[int(item["episode_index"])]
        episode["ticks"].append(int(ticks_of(item["observation.state"].numpy()[None])[0]))
        for camera, numbers in episode["pictures"].items():
            picture = (255 * item[camera].numpy().transpose(1, 2, 0)).astype(np.uint8)
            numbers.append(read_number(picture))
    return {"episodes": episodes}


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    for line in sys.stdin:
        try:
            answer = _read(json.loads(line)["root"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
