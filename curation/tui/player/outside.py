"""What leaves the screen: a still picture in the terminal's own pixels, or the moment in another program."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from textual.app import SuspendNotSupported

from collector.errors import DemodeckError
from collector.tui.draw.still import protocol_of, still
from curation.elsewhere import open_elsewhere

if TYPE_CHECKING:
    from curation.tui.player.widget import Player

_NO_STILLS = "This terminal shows no pictures: kitty, WezTerm, foot, or xterm with sixel do"


class Outside:
    """Does in a thread what takes long, and tells the player's app."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def still(self, episode: int, cameras: Sequence[str], frame: int) -> None:
        """Show the first of these cameras' picture of a frame as it is."""
        if not cameras:
            self._say("This dataset has no pictures")
        elif protocol_of(os.environ) is None:
            self._say(_NO_STILLS)
        else:
            self._start(self._decode, episode, cameras[0], frame)

    def open(self, episode: int, cameras: Sequence[str], frame: int) -> None:
        """Open a frame in another program."""
        self._start(self._open, episode, cameras[0] if cameras else None, frame)

    def _start(self, work, *args) -> None:  # type: ignore[no-untyped-def]
        threading.Thread(target=work, args=args, name="outside", daemon=True).start()

    def _open(self, episode: int, camera: str | None, frame: int) -> None:
        try:
            words = open_elsewhere(self._player.dataset, episode, frame, camera)
        except DemodeckError as error:
            words = str(error)
        self._tell(self._say, words)

    def _decode(self, episode: int, camera: str, frame: int) -> None:
        try:
            picture = next(self._player.dataset.frames(episode, camera, frame))
        except (DemodeckError, StopIteration) as error:
            self._tell(self._say, str(error) or "There is no picture here")
        else:
            self._tell(self._show, picture, camera)

    def _tell(self, what, *args) -> None:  # type: ignore[no-untyped-def]
        if self._player.is_running:
            self._player.app.call_later(what, *args)

    def _say(self, words: str) -> None:
        self._player.notify(words, markup=False)

    def _show(self, picture: np.ndarray, camera: str) -> None:
        drawn = still(picture, os.environ)
        try:
            with self._player.app.suspend():
                sys.stdout.write("\x1b[2J\x1b[H")
                sys.stdout.flush()
                sys.stdout.buffer.write(drawn or b"")
                input(f"\n{camera}: Enter goes back")
        except SuspendNotSupported:
            self._say(_NO_STILLS)
