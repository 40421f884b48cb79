"""Fly a set with two cameras: clean flights, oddly lit ones, and such with a faulty camera; record it as we do."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from collector.dataset.journal import JournalWriter
from collector.dataset.schema import vector, video
from collector.dataset.writer import DatasetWriter
from collector.robots.sim_so101.joints import ACTION_KEYS
from curation_bench.flying import FPS, Flown, Sky, fly
from curation_bench.picture_faults import (
    LIGHTS,
    MOUNT,
    OPTICAL,
    PICTURE_KINDS,
    blurred,
    exchanged,
    lit,
    order_of,
    sensed,
    turned,
)
from curation_bench.pilots import PICK, PUSH

CAMERAS = ("front", "wrist")
WIDTH, HEIGHT = 96, 72
FIRST_SEED = {"dev": 2_000_000, "test": 6_000_000}
STYLES = ("planned_pause", "slow", "recovery")
PUSHES = 0.35


def fly_pictures(first_seed: int, n_clean: int, n_unusual: int, per_cell: int) -> Iterator[Flown]:
    """Yield flights with pictures in random order: clean, unusual of each kind, and per kind and size of a fault.

    Which camera is at fault is drawn. The same seed, the same flights.
    """
    rng = np.random.default_rng(first_seed)
    plan: list[tuple[str, str, int]] = [("", "", 0)] * n_clean
    plan += [(unusual, "", 0) for unusual in (*LIGHTS, *STYLES) for _ in range(n_unusual)]
    plan += [("", kind, level) for kind in PICTURE_KINDS for level in (1, 2, 3, 4) for _ in range(per_cell)]
    sky = Sky(CAMERAS, WIDTH, HEIGHT)
    mounts = sky.robot._model.cam_quat.copy()
    seed = first_seed
    for i in rng.permutation(len(plan)):
        unusual, fault, level = plan[int(i)]
        style = unusual if unusual in STYLES else None
        while True:
            seed += 1
            task = PUSH if not style and rng.random() < PUSHES else PICK
            flown = fly(sky, seed, task, style)
            if flown.success:
                break
        camera = CAMERAS[int(rng.integers(2))]
        of_fault = np.random.default_rng([seed, 0xCA])
        span: tuple[int, int] | None = None
        size = PICTURE_KINDS[fault].sizes[level - 1] if fault else 0.0
        if fault in MOUNT:
            n = len(flown.state)
            first = 0 if fault == "moved" else int(of_fault.integers(round(0.3 * n), round(0.7 * n)))
            flown = fly(sky, seed, task, style, turned(camera, size, first, of_fault))
            sky.robot._model.cam_quat[:] = mounts
            span = (first, n)
        flown = replace(flown, pictures=_seen(flown, camera, fault, size, unusual, of_fault))
        if fault in OPTICAL:
            span = (0, len(flown.state))
        elif fault == "exchanged":
            flown = exchanged(flown, size, of_fault)
            span = flown.span
        elif fault and fault not in MOUNT:
            order, span = order_of(flown, fault, size, of_fault)
            flown.pictures[camera] = flown.pictures[camera][order]
        yield replace(flown, style=unusual or flown.style, fault=fault, level=level, span=span)


def _seen(
    flown: Flown, camera: str, fault: str, size: float, unusual: str, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return what the sensors make of the flight: the room's light, the lens, noise."""
    result = {}
    light = np.random.default_rng([flown.seed, 0x11])
    for name, pictures in flown.pictures.items():
        seen: np.ndarray = pictures.astype(np.float32)
        if name == camera and fault == "blurred":
            seen = blurred(pictures, size)
        elif name == camera and fault == "dark":
            seen = seen * np.float32(size)
        result[name] = sensed(lit(seen, unusual, light), rng)
    return result


def record_pictures(root: Path, flights: Iterator[Flown], say: Callable[[int], None]) -> list[Flown]:
    """Record flights through the project's own journal and writer; returns them without their pictures."""
    features = {
        "observation.state": vector(ACTION_KEYS),
        "action": vector(ACTION_KEYS),
        **{f"observation.images.{camera}": video(HEIGHT, WIDTH) for camera in CAMERAS},
    }
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="sim_so101")
    known = []
    for number, flown in enumerate(flights):
        folder = root / ".journal" / f"flight-{number}"
        journal = JournalWriter(folder, {"task": flown.task}, features, FPS, {"vcodec": "h264", "crf": 23})
        for t in range(len(flown.state)):
            row = {
                "observation.state": flown.state[t].astype(np.float32),
                "action": flown.action[t].astype(np.float32),
            }
            journal.add(row, {f"observation.images.{c}": flown.pictures[c][t] for c in CAMERAS})
        journal.close({})
        writer.save(folder)
        known.append(replace(flown, pictures={}))
        say(len(known))
    writer.close()
    return known


def cached_pictures(
    cache: Path, name: str, number: int, sizes: tuple[int, int, int], say: Callable[[int], None]
) -> tuple[Path, list[Flown]]:
    """Return the folder and the flights of a set of the seeds `name`, flown now or before."""
    root = cache / f"pictures-{name}-{number}-{'-'.join(map(str, sizes))}"
    truth = root.with_suffix(".pickle")
    if not truth.exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        first_seed = FIRST_SEED[name] + 100_000 * number
        flights = record_pictures(root, fly_pictures(first_seed, *sizes), say)
        truth.write_bytes(pickle.dumps(flights))
    return root, pickle.loads(truth.read_bytes())
