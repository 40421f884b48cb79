"""Images of the chosen episodes: as bytes in memory, in a memory-mapped file, or decoded ahead of the batch.

All three give the same bits: `store[index]` gathers uint8 images, (*index.shape, channels, height, width).
"""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from collector.errors import DataError, UsageError

CACHES = ("auto", "memory", "disk", "stream")
MEMORY_SHARE, DISK_SHARE = 0.5, 0.8  # of what is free, that a cache may take
N_DECODERS = 4  # threads: FFmpeg decodes without holding Python's lock


class ImageStore(Protocol):
    """What a column of images can do."""

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return the images of some frames, uint8, (*index.shape, channels, height, width)."""
        ...


def open_images(dataset: Any, camera: str, episodes: list[int], cache: str, folder: Path) -> ImageStore:
    """Make one camera's images of the chosen episodes ready for training.

    Args:
        dataset: An opened `collector.dataset.reader.Dataset`.
        camera: Column of the images.
        episodes: Chosen episodes; their frames are counted one episode after the other.
        cache: `memory`, `disk` (a file in `folder`), `stream`, or `auto`: the first of them that fits.
        folder: Where the file of `disk` lies; it is made, and taken as it is if it is whole.

    Raises:
        UsageError: If `cache` is none of these.
        DataError: If a video is missing or damaged.
    """
    if cache not in CACHES:
        raise UsageError(f"--image_cache={cache}: choose one of {', '.join(CACHES)}")
    height, width, channels = dataset.features[camera]["shape"]
    shape = (int(dataset.lengths(episodes).sum()), channels, height, width)
    if cache == "auto":
        cache = choose_cache(int(np.prod(shape)), folder)
    if cache == "stream":
        return StreamedImages(dataset, camera, episodes)
    if cache == "memory":
        images = np.empty(shape, np.uint8)
        _decode_all(dataset, camera, episodes, images)
        return torch.from_numpy(images)
    path = folder / f"{camera}.u8"
    if not path.exists() or path.stat().st_size != np.prod(shape):
        folder.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".building")
        images = np.memmap(building, np.uint8, "w+", shape=shape)
        _decode_all(dataset, camera, episodes, images)
        images.flush()
        building.replace(path)
    return torch.from_numpy(np.memmap(path, np.uint8, "r+", shape=shape))


def choose_cache(n_bytes: int, folder: Path) -> str:
    """Return the first of `memory`, `disk` and `stream` that has room for so many bytes."""
    if n_bytes < MEMORY_SHARE * _free_memory():
        return "memory"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return "disk" if n_bytes < DISK_SHARE * shutil.disk_usage(there).free else "stream"


def on_device(store: ImageStore, device: str) -> ImageStore:
    """Return images on a graphics card, where it has room for those in memory or a file; else as they are."""
    if torch.device(device).type != "cuda" or not hasattr(store, "nbytes"):
        return store
    free, _ = torch.cuda.mem_get_info(device)
    return store.to(device) if store.nbytes < MEMORY_SHARE * free else store  # type: ignore[attr-defined]


def _free_memory() -> int:
    """Return the memory [bytes] that can be had without swapping (Linux), or half of all there is."""
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _decode_all(dataset: Any, camera: str, episodes: list[int], images: np.ndarray) -> None:
    """Decode whole episodes into `images`, (n_frames, channels, height, width), several at once."""
    ends = np.cumsum(dataset.lengths(episodes))

    def decode(place: int) -> None:
        frame = int(ends[place - 1]) if place else 0
        for image in dataset.frames(episodes[place], camera):
            images[frame] = image.transpose(2, 0, 1)
            frame += 1
        if frame != ends[place]:
            raise DataError(
                f"{dataset.root}: episode {episodes[place]} lacks images of '{camera}': restore or pull it again"
            )

    with ThreadPoolExecutor(N_DECODERS) as pool:
        list(pool.map(decode, range(len(episodes))))


class StreamedImages:
    """Images decoded when they are asked for, or before: `prefetch` starts on those of a later batch."""

    def __init__(self, dataset: Any, camera: str, episodes: list[int]) -> None:
        """Prepare to decode; arguments as `open_images`'s.

        Raises:
            UsageError: If the camera's images are single files, which have no video to look into.
        """
        if dataset.features[camera]["dtype"] != "video":
            raise UsageError(
                f"--image_cache=stream: '{camera}' is no video, but single images: take --image_cache=disk"
            )
        self._fps = float(dataset.fps)
        self._places = [dataset.video_place(episode, camera) for episode in episodes]
        lengths = dataset.lengths(episodes)
        self._episode = np.repeat(np.arange(len(episodes)), lengths)
        self._first = np.cumsum(lengths) - lengths
        self._own = threading.local()  # each thread's open videos: a decoder is one thread's
        self._pool = ThreadPoolExecutor(N_DECODERS, thread_name_prefix="decode")
        self._ahead: dict[int, Future] = {}

    def prefetch(self, index: Tensor) -> None:
        """Begin to decode some frames."""
        for frame in index.unique().tolist():
            if frame not in self._ahead:
                self._ahead[frame] = self._pool.submit(self._decode, frame)

    def __getitem__(self, index: Tensor) -> Tensor:
        self.prefetch(index)
        frames, place = index.unique(return_inverse=True)
        images = [self._ahead.pop(frame).result() for frame in frames.tolist()]
        return torch.from_numpy(np.stack(images))[place]

    def _decode(self, frame: int) -> np.ndarray:
        """Decode one frame, uint8, (channels, height, width)."""
        from collector.dataset.video import VideoReader

        episode = self._episode[frame]
        path, from_s = self._places[episode]
        readers = self._own.__dict__.setdefault("readers", {})
        if path not in readers:
            for reader in readers.values():
                reader.close()
            readers.clear()  # one open file a thread
            readers[path] = VideoReader(path, self._fps)
        offset_s = (frame - int(self._first[episode])) / self._fps
        image = next(iter(readers[path].frames(from_s + offset_s, 1)))
        # In the order in memory that the other stores have: means over pixels depend on it by a bit.
        return np.ascontiguousarray(image.transpose(2, 0, 1))
