"""Where the pictures of an episode lie: a stretch of a video, or pictures in the data file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from collector.dataset import tables
from collector.dataset.reader import Dataset, rows_of
from collector.dataset.video import VideoReader, picture_of
from collector.errors import DataError


class Source(Protocol):
    """Decodes one camera's pictures of one episode."""

    def run(self, first: int) -> Iterator[tuple[int, Any]]:
        """Yield frames, ascending, from one at or before `first` on, each with what `picture` takes."""

    def picture(self, frame: Any, size: tuple[int, int] | None) -> np.ndarray:
        """Return a frame's picture in RGB, uint8, (height, width, 3), shrunk to a size (height, width) [px]."""

    def size(self, frame: Any) -> tuple[int, int]:
        """Return a frame's own height and width [px]."""

    def close(self) -> None:
        """Close the file."""


def open_source(dataset: Dataset, episode: int, camera: str) -> Source:
    """Open the pictures of an episode.

    Raises:
        DataError: If the file is missing, or of no kind that can be read.
    """
    length = int(dataset.lengths([episode])[0])
    if dataset.features[camera]["dtype"] == "image":
        return _Images(dataset, episode, camera, length)
    return _Video(dataset, episode, camera, length)


class _Video:
    def __init__(self, dataset: Dataset, episode: int, camera: str, length: int) -> None:
        path, self._from_s = dataset.video_place(episode, camera)
        self._reader, self._length = VideoReader(path, dataset.fps), length

    def run(self, first: int) -> Iterator[tuple[int, Any]]:
        return self._reader.run(self._from_s, first, self._length)

    def picture(self, frame: Any, size: tuple[int, int] | None) -> np.ndarray:
        return picture_of(frame, size)

    def size(self, frame: Any) -> tuple[int, int]:
        return frame.height, frame.width

    def close(self) -> None:
        self._reader.close()


class _Images:
    """Pictures in the data file; those of the episode are held as they are stored."""

    def __init__(self, dataset: Dataset, episode: int, camera: str, length: int) -> None:
        path = dataset.data_files[episode]
        table = tables.read_parquet(path, [camera, "episode_index"], episodes=[episode])
        rows = rows_of(table["episode_index"].to_numpy(), episode, length, path)
        # `take` copies: a slice would hold all that was read.
        self._images = table[camera].take(list(rows)).to_pylist()
        self._path = path

    def run(self, first: int) -> Iterator[tuple[int, Any]]:
        import av

        for index in range(first, len(self._images)):
            image = self._images[index]
            if not image or not image.get("bytes"):
                raise DataError(f"{self._path} holds no picture in frame {index}: restore the file")
            with av.open(io.BytesIO(image["bytes"])) as container:
                yield index, next(container.decode(video=0))

    def picture(self, frame: Any, size: tuple[int, int] | None) -> np.ndarray:
        return picture_of(frame, size)

    def size(self, frame: Any) -> tuple[int, int]:
        return frame.height, frame.width

    def close(self) -> None:
        self._images = []
