"""What a save costs: until the next take begins, until the set holds the take, and as the set grows."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from statistics import median

import numpy as np
from rigs.commands import Take, environment, running, wait_until
from rigs.fault_rig.log import count_ticks

from recorder_bench import table
from recorder_bench.pacing import RECORDERS, recorded_ticks

FPS = 30


def measure(folder: Path, seconds: float, sizes: list[int]) -> None:
    """Print both tables."""
    table.heading(
        "Saving",
        f"Takes of {seconds:g} s with two 640x480 cameras at {FPS} Hz, each recorder's own encoder settings. Next "
        "take: from the last tick of a take, one period on, to the first tick of the next. Saved: from the same "
        "moment until `meta/info.json` counts the take.",
    )
    table.head("recorder", "next take after [s]", "saved after [s]")
    for i, (name, (recorder, flags)) in enumerate(RECORDERS.items()):
        place = folder / f"saving-{i}"
        place.mkdir()
        flags = flags | {
            "robot.n_cameras": 2,
            "robot.width": 640,
            "robot.height": 480,
            "dataset.fps": FPS,
            "dataset.episode_time_s": seconds,
            "dataset.num_episodes": 2,
        }
        try:
            table.row(name, *_gaps(Take(recorder, place, flags), seconds))
        except (LookupError, ValueError, OSError) as error:
            last_line = (place / "stderr").read_text().strip().splitlines()[-1:]
            table.row(name, f"not measured: {error!r}, {last_line}", "")
    _growth(folder / "growth", sizes)


def _gaps(take: Take, seconds: float) -> tuple[float, float]:
    """Record until the second take has begun; return when that was, and when the first was saved [s]."""
    saved_s, looked_s = 0.0, 0.0

    def second_take_is_on() -> bool:
        nonlocal saved_s, looked_s
        now_s = time.perf_counter()
        if not saved_s and _saved_episodes(take.root):
            saved_s = now_s
        if not saved_s or now_s - looked_s < 0.5:  # reading the log often would slow what is measured
            return False
        looked_s = now_s
        return count_ticks(take.log) > FPS * (seconds + 1)

    with running(take.command(), take.folder, environment(take.folder.parent / "home")) as process:
        wait_until(
            lambda: process.poll() is not None or second_take_is_on(), "the next take", 30 * seconds + 300
        )
        if take.recorder == "demodeck" and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)
    ticks = {entry["tick"]: entry["t"] for entry in take.entries() if entry["what"] == "observe"}
    if take.recorder == "demodeck":
        first, second = recorded_ticks(take.root)[:2]
        last, following = first[-1], second[0]
    else:
        # The killed set cannot be read, but the longest pause is the save.
        last = max((t for t in ticks if t + 1 in ticks), key=lambda tick: ticks[tick + 1] - ticks[tick])
        following = last + 1
    over_s = ticks[last] + 1 / FPS
    return ticks[following] - over_s, saved_s - over_s


def _saved_episodes(root: Path) -> int:
    try:
        return json.loads((root / "meta" / "info.json").read_text())["total_episodes"]
    except (OSError, ValueError):
        return 0


def _growth(root: Path, sizes: list[int]) -> None:
    from rigs.fault_rig.motion import JOINTS, positions
    from rigs.fault_rig.pictures import backgrounds

    from collector.dataset.journal import JournalWriter
    from collector.dataset.schema import features_for
    from collector.dataset.writer import DatasetWriter

    features = features_for(list(JOINTS), list(JOINTS), {"front": (64, 64), "wrist": (64, 64)})
    pictures = backgrounds(64, 64, 0)
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="rig_arm")
    took_ms: list[float] = []
    for flight in range(max(sizes)):
        header = {"task": "wave", "seed": flight, "pilot": "rig_pilot"}
        journal = JournalWriter(root / ".journal" / f"flight-{flight}", header, features, FPS)
        for k in range(FPS):
            values = {
                n: np.zeros(f["shape"], f["dtype"]) for n, f in features.items() if f["dtype"] != "video"
            }
            values["observation.state"] = np.array(list(positions(k).values()), np.float32)
            images = {n: pictures[k % len(pictures)] for n, f in features.items() if f["dtype"] == "video"}
            journal.add(values, images)
        journal.close({"success": None, "missed_ticks": 0, "interrupted": False, "reason": "time"})
        started = time.perf_counter()
        writer.save(journal.folder)
        took_ms.append(1e3 * (time.perf_counter() - started))
    writer.close()
    table.heading(
        "Saving as the set grows",
        "`DatasetWriter.save` of takes of 1 s with two 64 px cameras; median of up to 10 saves up to that size.",
    )
    table.head("episodes in the set", *map(str, sizes))
    table.row("save [ms]", *(median(took_ms[max(0, size - 10) : size]) for size in sizes))
