"""Decodes one camera of one episode ahead of the cursor, in a thread of its own; nobody ever waits for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from collector.dataset.reader import Dataset
from collector.errors import DemodeckError
from collector.tui.draw.halfblocks import fitting
from curation.tui.player.reel import Reel
from curation.tui.player.source import Source, open_source

AHEAD = 60  # frames, or steps at a speed that leaves frames out
_LATE_EVERY_S = 0.15  # who cannot keep up shows at least so often what it has
_USUAL_GAP = 16  # frames between keyframes, before two were seen
_REASON = 160  # characters of a library's message


class Decoder(threading.Thread):
    """Fills a reel with the pictures that are wanted, and those that will be.

    A jump back, or further on than to the next keyframe, begins at the keyframe before it; what is decoded on the way
    is kept, so that steps back through long stretches without keyframes cost nothing more.

    Args:
        dataset, episode, camera: What to decode.
        limit: The most bytes of decoded pictures.
        ahead: How many frames to decode ahead of what is wanted.

    Attributes:
        reel: The pictures.
        failed: Why there are none at all, in words; None while there is hope.
        missing: Frames without a picture, and why.
    """

    def __init__(self, dataset: Dataset, episode: int, camera: str, limit: int, ahead: int = AHEAD) -> None:
        super().__init__(name=f"decoder {camera} {episode}", daemon=True)
        self.dataset, self.episode, self.camera = dataset, episode, camera
        self.reel = Reel(limit)
        self.failed: str | None = None
        self.missing: dict[int, str] = {}
        self.ahead = ahead
        self._length = int(dataset.lengths([episode])[0])
        self._changed = threading.Condition()
        self._want, self._step, self._playing, self._over = 0, 1, False, False
        self._cells: tuple[int, int] | None = None
        self._run: Iterator[tuple[int, Any]] | None = None
        self._at: int | None = None  # the frame that the run gives next, once it gave one
        self._gap, self._keyframe = 0, -1
        self._kept_s = 0.0

    # What the screen calls; none of it waits

    def want(self, frame: int, cells: tuple[int, int], step: int = 1, playing: bool = False) -> None:
        """Say what is shown now.

        Args:
            frame: The frame under the cursor.
            cells: The pane's (columns, rows); pictures of another size are let go.
            step: Frames from one that is drawn to the next, at this speed.
            playing: Whether the cursor is about to move on by itself.
        """
        wanted = frame, cells, step, playing
        if wanted == (self._want, self._cells, self._step, self._playing):
            return
        # Held for a few assignments only: the thread never decodes with it.
        with self._changed:
            if cells != self._cells:
                self.reel.clear()
            self._want, self._cells, self._step, self._playing = wanted
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after the frame that it is at."""
        with self._changed:
            self._over = True
            self._changed.notify()

    # The thread

    def run(self) -> None:
        """Decode until stopped."""
        try:
            source = open_source(self.dataset, self.episode, self.camera)
        except Exception as error:
            self.failed = _words(error)
            return
        with contextlib.closing(source):
            while (job := self._next()) is not None:
                self._decode(source, *job)
            self._run = None
        self.reel.clear()

    def _next(self) -> tuple[int, tuple[int, int]] | None:
        """Return the next frame to decode and its pane's size, when there is one; None when stopped."""
        with self._changed:
            while not self._over:
                if self._cells is not None:
                    for frame in self._due():
                        if frame not in self.reel and frame not in self.missing:
                            return frame, self._cells
                self._changed.wait()
        return None

    def _due(self) -> range:
        """Return the frames that should be at hand, the most urgent first.

        Those of a step are the same wherever the cursor stands in it.
        """
        ahead = min(self.ahead, max(1, self.reel.room() // 2))
        first = self._want - self._want % self._step
        return range(first, min(self._length, first + ahead * self._step), self._step)

    def _decode(self, source: Source, wanted: int, cells: tuple[int, int]) -> None:
        """Decode a frame on the way to one that is wanted, or that one."""
        if self._run is None or (
            self._at is not None
            and (wanted < self._at or wanted - self._at > max(self._gap, 0 if self._gap else _USUAL_GAP))
        ):
            self._run, self._at, self._keyframe = source.run(wanted), None, -1
        try:
            index, frame = next(self._run)
            self._learn(index, wanted, bool(frame.key_frame))
            if index > wanted:
                self.missing[wanted] = "the video has no picture here: restore the file"
            if self._worth(index, wanted):
                picture = source.picture(frame, _shrunk(source.size(frame), cells))
                with self._changed:
                    if cells == self._cells:  # else the pane has another size by now
                        self.reel.add(index, picture, self._want)
                self._kept_s = time.monotonic()
        except StopIteration:
            self._run = None
            self.missing[wanted] = "the video ends before this, or is damaged here: restore the file"
        except Exception as error:
            self._run = None
            self.missing[wanted] = _words(error)

    def _learn(self, index: int, wanted: int, keyframe: bool) -> None:
        """Note how far keyframes are from each other."""
        if self._at is None:  # the run began at the last keyframe before
            self._gap = max(self._gap, wanted - index)
        elif keyframe and self._keyframe >= 0:
            self._gap = max(self._gap, index - self._keyframe)
        if keyframe:
            self._keyframe = index
        self._at = index + 1

    def _worth(self, index: int, wanted: int) -> bool:
        """Say whether a frame's picture is kept."""
        if index < 0:
            return False
        if not self._playing or index >= wanted:
            return True
        # It is on the way to what is shown now: each picture kept makes that one later.
        return time.monotonic() - self._kept_s > _LATE_EVERY_S


def _shrunk(size: tuple[int, int], cells: tuple[int, int]) -> tuple[int, int] | None:
    """Return the height and width [px] of a picture of a size in a pane's cells; None where it is no larger."""
    columns, rows = fitting(*size, *cells)
    if 2 * rows >= size[0] or columns >= size[1] or not columns:
        return None
    return 2 * rows, columns


def _words(error: Exception) -> str:
    if isinstance(error, DemodeckError):
        return str(error)
    return f"it cannot be decoded ({' '.join(str(error).split())[:_REASON]}): restore the file"
