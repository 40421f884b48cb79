"""Pacing: when each tick began, and whether every row and picture is the one that was flown."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rigs.commands import Take, environment, running
from rigs.fault_rig.motion import ticks_of
from rigs.fault_rig.pictures import read_number

from recorder_bench import table
from recorder_bench.load import beside

BATCH, STREAMING = "lerobot, batch", "lerobot, streaming"
RECORDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "demodeck": ("demodeck", {}),
    BATCH: ("lerobot", {}),
    STREAMING: ("lerobot", {"dataset.streaming_encoding": "true"}),
}
_CAMERAS = {"robot.n_cameras": 2, "robot.width": 640, "robot.height": 480}


def measure(folder: Path, seconds: float, rates: list[int], camera_rate: int, loaded: bool) -> None:
    """Print the table: each rate on every recorder, one after the other, under the same load."""
    beside_it = "a process encoding with libx264, another drawing" if loaded else "nothing else running"
    table.heading(
        "Pacing",
        f"{seconds:g} s a leg, {beside_it}. Lateness is against the schedule t0 + k/fps of the leg's first tick; "
        "jitter is |dt - 1/fps| between ticks. Lost: ticks that the time would have held and the set does not. "
        "Wrong: pictures that are not the ones the arm gave at their row's tick; unreadable: their number did not "
        "survive the encoder; repeated: a capture seen twice in a row.",
    )
    table.head(
        "rate", "cameras", "recorder", "expected", "recorded", "lost", "late p50 [ms]", "p99", "max",
        "jitter p99 [ms]", "pictures wrong", "unreadable", "repeated",
    )  # fmt: skip
    legs = [(fps, 0, name) for fps in rates for name in ("demodeck", BATCH)]
    legs += [(camera_rate, 2, name) for name in RECORDERS]
    for i, (fps, cameras, name) in enumerate(legs):
        place = folder / f"pacing-{i}"
        place.mkdir()
        recorder, flags = RECORDERS[name]
        flags = flags | (_CAMERAS if cameras else {})
        flags |= {"dataset.fps": fps, "dataset.episode_time_s": seconds, "dataset.num_episodes": 1}
        take = Take(recorder, place, flags)
        env = environment(folder / "home")
        if cameras and name == "demodeck":
            _warm_up(folder, flags)
        with (
            beside(place) if loaded else contextlib.nullcontext(),
            running(take.command(), place, env) as process,
        ):
            code = process.wait(timeout=20 * seconds + 300)
        label = name if cameras or recorder == "demodeck" else "lerobot"
        if code != 0:
            last = (place / "stderr").read_text().strip().splitlines()[-1:]
            table.row(
                f"{fps} Hz", cameras, label, round(fps * seconds), f"failed ({code}): {last}", *[""] * 7
            )
            continue
        table.row(f"{fps} Hz", cameras, label + encoders(take.root), *_figures(take, fps, seconds))


def _warm_up(folder: Path, flags: dict[str, Any]) -> None:
    """Let demodeck measure the machine's encoders once, as its first start on an idle machine does."""
    place = folder / "warm-up"
    place.mkdir()
    take = Take("demodeck", place, flags | {"dataset.episode_time_s": 1})
    with running(take.command(), place, environment(folder / "home")) as process:
        process.wait(timeout=120)


def encoders(root: Path) -> str:
    """Return the codecs of a set's videos, in brackets; nothing where it has none."""
    features = json.loads((root / "meta" / "info.json").read_text())["features"].values()
    codecs = {(f.get("info") or {}).get("video.codec", "?") for f in features if f["dtype"] == "video"}
    return f" ({', '.join(sorted(codecs))})" if codecs else ""


def _figures(take: Take, fps: int, seconds: float) -> list[Any]:
    ticks = {entry["tick"]: entry for entry in take.entries() if entry["what"] == "observe"}
    (rows,) = recorded_ticks(take.root)
    flown = [ticks[tick] for tick in range(rows[0], rows[-1] + 1)]
    began_s = np.array([entry["t"] for entry in flown])
    late_ms = 1e3 * (began_s - began_s[0] - np.arange(len(began_s)) / fps)
    jitter_ms = 1e3 * np.abs(np.diff(began_s) - 1 / fps)
    expected = round(fps * seconds)
    wrong, unreadable, repeated = 0, 0, 0
    for i, (_, numbers) in enumerate(sorted(recorded_pictures(take.root).items())):
        given = [ticks[tick]["pictures"][i] for tick in rows]
        wrong += sum(a not in (b, None) for a, b in zip(numbers, given)) + abs(len(numbers) - len(given))
        unreadable += numbers.count(None)
        repeated += sum(a == b is not None for a, b in pairwise(numbers))
    p99 = float(np.quantile(jitter_ms, 0.99))
    return [
        expected,
        len(rows),
        expected - len(rows),
        *table.quantiles(late_ms),
        p99,
        wrong,
        unreadable,
        repeated,
    ]


def recorded_ticks(root: Path) -> list[list[int]]:
    """Return the arm's tick of each row of a data set, by episode."""
    names = ["episode_index", "observation.state"]
    rows = pa.concat_tables([pq.read_table(p, columns=names) for p in sorted(root.glob("data/*/*.parquet"))])
    ticks = ticks_of(np.array(rows["observation.state"].to_pylist()))
    episode = rows["episode_index"].to_numpy()
    return [ticks[episode == i].tolist() for i in range(episode.max() + 1)]


def recorded_pictures(root: Path) -> dict[str, list[int | None]]:
    """Return the capture number of each picture by camera, in the set's order."""
    import av

    numbers: dict[str, list[int | None]] = {}
    for path in sorted(root.glob("videos/*/*/*.mp4")):
        found = numbers.setdefault(path.parts[-3], [])
        with av.open(str(path)) as container:
            found += [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return numbers
