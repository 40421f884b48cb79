"""`demodeck eval --videos`: some of the flights once more, before a camera."""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.encode import EncoderSettings, VideoEncoder
from collector.dataset.video import VideoJoiner, VideoReader
from collector.errors import DeviceError
from training.eval_plan import EvalPlan
from training.flights import Flown, fly_seed, in_order

_SETTINGS = EncoderSettings(vcodec="h264", crf=20, g=30)


def film(
    plan: EvalPlan, flights: list[dict[str, Any]], folder: Path, of: str, n: int
) -> list[dict[str, Any]]:
    """Fly some seeds once more with all cameras, side by side, and write a video of each.

    They fly in worker processes as the measured ones did, with as many threads, so that the flights are the same;
    where one is not, that is said.

    Args:
        plan: The evaluation, which has `filmed`.
        flights: The measured flights, in the order flown.
        folder: Where to write `seed_5003_failure.mp4` and the like.
        of: `failures` or `all`.
        n: How many at most, the first ones.

    Returns:
        A video each: `seed`, `file`, `success` (as filmed), `as_measured` (whether the flight was the same).

    Raises:
        DeviceError: If the robot has no picture to show, or robot or pilot fail.
        OSError: If the folder cannot be written.
    """
    assert plan.filmed is not None
    measured = {flight["seed"]: flight for flight in flights if of == "all" or not flight["success"]}
    seeds = list(measured)[:n]
    if not seeds:
        return []
    videos = []
    job = partial(film_seed, plan.filmed, folder)
    with contextlib.closing(in_order(job, seeds, min(plan.workers, len(seeds)))) as filmed:
        for flight in filmed:
            before = measured[flight["seed"]]
            same = _same(before, flight)
            if not same:
                _say_other(before, flight)
            video = {key: flight[key] for key in ("seed", "file", "success")}
            videos.append({**video, "as_measured": same})
    return videos


def film_seed(flown: Flown, folder: Path, seed: int) -> dict[str, Any]:
    """Fly one seed in a worker process and write its video; returns the flight and its `file`."""
    with tempfile.TemporaryDirectory(prefix=".filming_", dir=folder) as beside:
        recorded = Path(beside) / "recorded.mp4"
        film = _Film(recorded, flown.fps)
        try:
            flight = fly_seed(flown, seed, film)
        finally:
            film.close()
        whole = Path(beside) / "whole.mp4"
        _with_index(recorded, whole, flown.fps)
        file = folder / f"seed_{seed}_{'success' if flight['success'] else 'failure'}.mp4"
        whole.replace(file)
    return {**flight, "file": str(file)}


class _Film:
    """A sink that encodes what the cameras see, side by side."""

    def __init__(self, path: Path, fps: int) -> None:
        self._path, self._fps = path, fps
        self._encoder: VideoEncoder | None = None

    def add(self, tick: Any) -> None:
        pictures = [value for value in tick.observation.values() if getattr(value, "ndim", 0) == 3]
        if not pictures:
            raise DeviceError("the robot shows no picture to film: name a camera by --robot.cameras")
        picture = side_by_side(pictures)
        if self._encoder is None:
            height, width, _ = picture.shape
            self._encoder = VideoEncoder(self._path, height, width, self._fps, _SETTINGS)
        self._encoder.add(picture)

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


def side_by_side(pictures: list[np.ndarray]) -> np.ndarray:
    """Return pictures in a row, top-aligned on black.

    Args:
        pictures: RGB, uint8, (height, width, 3) each.

    Returns:
        RGB, uint8, of even height and width, as the video codec needs it.
    """
    height = max(picture.shape[0] for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures)
    row = np.zeros((height + height % 2, width + width % 2, 3), np.uint8)
    left = 0
    for picture in pictures:
        row[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1]
    return row


def _with_index(recorded: Path, whole: Path, fps: int) -> None:
    """Copy a video into a file with its index in front, which every player and browser opens."""
    with VideoReader(recorded, fps) as reader:
        n_frames = sum(1 for _ in reader.packets())
        joiner = VideoJoiner(whole, fps)
        joiner.add(reader, 0.0, n_frames)
        joiner.close()


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether two flights went alike, as far as was noted of them."""
    alike = all(before[key] == now[key] for key in ("success", "reason", "ticks"))
    return alike and all(
        math.isclose(before[key], now[key], rel_tol=1e-6) for key in ("reward", "max_reward")
    )


def _say_other(before: dict[str, Any], now: dict[str, Any]) -> None:
    words = [
        f"{'succeeded' if flight['success'] else 'failed'} "
        f"({flight['reason']}, {flight['ticks']} ticks, best reward {flight['max_reward']:.3f})"
        for flight in (before, now)
    ]
    print(
        f"eval: seed {now['seed']} {words[0]} when it was measured and {words[1]} when it was filmed: "
        "the video shows another flight; robot or pilot do not repeat themselves by seed",
        file=sys.stderr,
    )
