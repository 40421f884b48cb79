"""An episode as the player holds it: a decoder a camera, and its vectors, all read in threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from collector.dataset.reader import Dataset
from collector.errors import DemodeckError
from curation.tui.player.decoder import AHEAD, Decoder
from curation.tui.player.vectors import Vector, vectors_of

FIRST_PICTURES = 15  # what is decoded of an episode that is only likely to be shown
_JOIN_S = 0.2


class Clip:
    """One episode.

    Args:
        dataset, episode: What is shown.
        limit: The most bytes of its decoded pictures.
        ahead: Frames to decode ahead.

    Attributes:
        decoders: By camera.
        vectors: What can be plotted; None until it was read.
        failed: Why nothing can be plotted, in words.
    """

    def __init__(self, dataset: Dataset, episode: int, limit: int, ahead: int = AHEAD) -> None:
        self.dataset, self.episode = dataset, episode
        self.length = int(dataset.lengths([episode])[0])
        self.vectors: list[Vector] | None = None
        self.failed = ""
        cameras = dataset.camera_keys
        self.decoders = {
            camera: Decoder(dataset, episode, camera, limit // len(cameras), ahead) for camera in cameras
        }
        self._reading = threading.Thread(target=self._read, name=f"columns {episode}", daemon=True)
        for thread in (*self.decoders.values(), self._reading):
            thread.start()

    def _read(self) -> None:
        try:
            self.vectors = vectors_of(self.dataset, self.episode)
        except DemodeckError as error:
            self.failed = str(error)
        except Exception as error:  # a stranger's file: the pictures may be whole
            self.failed = (
                f"episode {self.episode} cannot be read ({error}): restore it, or pull the dataset again"
            )

    def want(
        self, frame: int, cells: Mapping[str, tuple[int, int]], step: int = 1, playing: bool = False
    ) -> None:
        """Say which frame is shown, and in how many cells each camera's; see `Decoder.want`."""
        for camera, size in cells.items():
            if size[0] > 0 and size[1] > 0:
                self.decoders[camera].want(frame, size, step, playing)

    def limit(self, limit: int, ahead: int) -> None:
        """Hold so many bytes from now on, and decode so far ahead."""
        for decoder in self.decoders.values():
            decoder.reel.resize(limit // len(self.decoders))
            decoder.ahead = ahead

    @property
    def n_bytes(self) -> int:
        """Bytes of all pictures that are held."""
        return sum(decoder.reel.n_bytes for decoder in self.decoders.values())

    def stop(self) -> None:
        """Let go the pictures, and end the threads, each after the frame that it is at; returns at once."""
        for decoder in self.decoders.values():
            decoder.stop()
            decoder.reel.resize(0)

    def join(self) -> None:
        """Wait a moment for threads that were told to stop; who is stuck in a file is left behind."""
        for thread in (*self.decoders.values(), self._reading):
            thread.join(_JOIN_S)
