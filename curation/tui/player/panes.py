"""Puts what the decoders have into the panes: the right picture, or words for why it is not there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collector.tui.draw.camera import CameraPane
from curation.tui.player.clip import Clip
from curation.tui.player.decoder import Decoder
from curation.tui.player.wall import Wall

_WAITING = "decoding"


class Pictures:
    """What each pane of a wall shows, so that nothing is drawn twice."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._shown: dict[CameraPane, tuple[int, np.ndarray]] = {}

    def forget(self) -> None:
        """What is shown is another episode's."""
        self._shown.clear()

    def cells(self) -> dict[str, tuple[int, int]]:
        """Return the (columns, rows) that the pictures of each camera that is seen have."""
        panes = {camera: self._wall.panes[camera] for camera in self._wall.shown()}
        return {camera: (pane.size.width, pane.size.height - 1) for camera, pane in panes.items()}

    def show(self, clip: Clip, frame: int, step: int, playing: bool) -> bool:
        """Show a frame of an episode; return whether each pane shows it, or says why it never will.

        Args:
            step: At a speed that leaves frames out, how many are one step: any frame of the same step is right.
            playing: Whether a frame that is late is better than none.
        """
        return self._all(clip, self._wall.panes, frame, step, playing)

    def show_beside(self, clip: Clip, frame: int, step: int, playing: bool) -> bool:
        """Show a frame of the other episode; see `show`."""
        return self._all(clip, self._wall.beside, frame, step, playing)

    def _all(self, clip: Clip, panes: Mapping[str, CameraPane], frame: int, step: int, playing: bool) -> bool:
        exact = True
        for camera in self._wall.shown():
            exact &= self._one(clip.decoders[camera], panes[camera], frame, step, playing)
        return exact

    def _one(self, decoder: Decoder, pane: CameraPane, frame: int, step: int, playing: bool) -> bool:
        """Show one camera's picture of a frame; return whether nothing better will come."""
        if not pane.size.area:
            return True  # the room hides the player: it is shown when the pane has a size again
        if decoder.failed is not None:
            self._words(pane, "no video", decoder.failed)
            return True
        first = frame - frame % step
        if first in decoder.missing:
            self._words(pane, "no picture", decoder.missing[first])
            return True
        for at in range(frame, first - 1, -1):
            if (picture := decoder.reel.get(at)) is not None:
                self._picture(pane, at, picture, None)
                return True
        shown = self._shown.get(pane)
        late = (
            decoder.reel.newest(frame, shown[0] + 1 if shown and shown[0] < frame else 0) if playing else None
        )
        if late is not None and (picture := decoder.reel.get(late)) is not None:
            self._picture(pane, late, picture, f"{frame - late} frames late")
        elif shown is None:
            self._words(pane, None, _WAITING)
        elif shown[0] != frame:
            pane.warning = f"{frame - shown[0]} frames late" if playing else f"frame {shown[0]}: decoding"
        return False

    def _picture(self, pane: CameraPane, frame: int, picture: np.ndarray, warning: str | None) -> None:
        pane.warning = warning
        shown = self._shown.get(pane)
        if shown is None or shown[0] != frame or shown[1] is not picture:
            self._shown[pane] = frame, picture
            pane.show(picture)

    def _words(self, pane: CameraPane, warning: str | None, words: str) -> None:
        self._shown.pop(pane, None)
        pane.warning = warning
        pane.blank(words)

    def troubles(self, clip: Clip) -> set[str]:
        """Return what is wrong with an episode's pictures, in words, each once."""
        found = {decoder.failed for decoder in clip.decoders.values() if decoder.failed is not None}
        return found | {
            words for decoder in clip.decoders.values() for words in list(decoder.missing.values())
        }
