"""A long session: memory of each process, files, and how long lerobot takes to open the set."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
from rigs.commands import PROJECT, children, environment, running, wait_until

from recorder_bench import table

_OPEN = """
import json, sys, time
from lerobot.datasets.lerobot_dataset import LeRobotDataset
started = time.perf_counter()
dataset = LeRobotDataset("lab/long", root=sys.argv[1], video_backend="pyav")
opened = time.perf_counter()
dataset[len(dataset) - 1]
print(json.dumps([opened - started, time.perf_counter() - opened, len(dataset), dataset.meta.total_episodes]))
"""


def measure(folder: Path, episodes: int, pixels: int) -> None:
    """Print the table."""
    place = folder / "long"
    place.mkdir()
    root = place / "set"
    flags = {
        "robot.type": "sim_so101",
        "robot.realtime": "false",
        "robot.width": pixels,
        "robot.height": pixels,
        "teleop.type": "scripted",
        "dataset.repo_id": "lab/long",
        "dataset.root": root,
        "dataset.num_episodes": episodes,
        "dataset.fps": 15,
        "dataset.push_to_hub": "false",
    }
    command = [sys.executable, str(PROJECT / "demodeck.py"), "record"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    env = environment(place / "home")
    sizes: dict[str, list[tuple[bool, float]]] = {}
    with running(command, place, env) as process:
        started = time.perf_counter()
        wait_until(
            lambda: process.poll() is not None or list(root.glob("data/*/*.parquet")), "the first save"
        )
        pids = children(process) if process.poll() is None else {}
        flying = True  # until a file of each episode is there; merging then leaves fewer
        while process.poll() is None:
            flying = flying and len(list((root / "meta" / "episodes").glob("*/*.parquet"))) < episodes
            for name, pid in pids.items():
                try:
                    size = psutil.Process(pid).memory_info().rss / 1e6
                    sizes.setdefault(name, []).append((flying, size))
                except psutil.Error:
                    continue
            time.sleep(0.5)
        took_s = time.perf_counter() - started
    if process.returncode != 0:
        print(f"\nthe long session failed: {(place / 'stderr').read_text()[-500:]}")
        return
    files = sum(1 for path in root.rglob("*") if path.is_file())
    answer = subprocess.run(
        [sys.executable, "-c", _OPEN, str(root)],
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    open_s, item_s, frames, held = json.loads(answer.stdout.splitlines()[-1])
    table.heading(
        "A long session",
        f"{episodes} flights of `sim_so101` in lock-step with two {pixels} px cameras, {took_s:.0f} s in all: "
        f"{held} episodes, {frames} frames, {files} files. Plain lerobot opens the set in {open_s:.2f} s and reads "
        f"its last item in {item_s:.2f} s. Resident memory [MB], the first tenth after the first save "
        "against the last tenth of the flying, and the most while the files were merged at the end:",
    )
    table.head("process", "at the start", "at the end", "merging")
    for name, seen in sizes.items():
        flown = [size for flying, size in seen if flying]
        merged = [size for flying, size in seen if not flying]
        tenth = max(1, len(flown) // 10)
        table.row(name, max(flown[:tenth]), max(flown[-tenth:]), max(merged, default=max(flown[-tenth:])))
