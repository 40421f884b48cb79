"""The player as a widget: what is shown where the cursor stands, and the keys that move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message

from collector.dataset.reader import Dataset
from curation.tui.player.spans import Span


class Player(Vertical, can_focus=True):
    """Plays the episodes of a dataset.

    Everything slow (files, decoding) happens in threads of its own: no method waits for them.

    Args:
        dataset: What the episodes are of.

    Attributes:
        mark_in: First frame that a trim would keep; None without. It is drawn.
        mark_out: The frame after the last one that a trim would keep, excluded as in the label `trim`; None without.
    """

    BINDINGS = [
        Binding("space", "play", "play", show=False, id="player.play", tooltip="Play, or pause"),
        Binding("left", "step(-1)", "back", show=False, id="player.back", tooltip="A frame back"),
        Binding("right", "step(1)", "on", show=False, id="player.on", tooltip="A frame on"),
        Binding("shift+left", "step(-10)", "10 back", show=False, id="player.back_10", tooltip="Ten frames back"),
        Binding("shift+right", "step(10)", "10 on", show=False, id="player.on_10", tooltip="Ten frames on"),
        Binding("home", "first", "first", show=False, id="player.first", tooltip="To the first frame"),
        Binding("end", "last", "last", show=False, id="player.last", tooltip="To the last frame"),
        Binding("right_square_bracket", "span(1)", "next span", show=False, id="player.next_span",
                tooltip="To the next marked span"),
        Binding("left_square_bracket", "span(-1)", "previous span", show=False, id="player.previous_span",
                tooltip="To the previous marked span"),
        Binding("minus", "speed(-1)", "slower", show=False, id="player.slower", tooltip="Play slower"),
        Binding("plus,equals_sign", "speed(1)", "faster", show=False, id="player.faster", tooltip="Play faster"),
        Binding("l", "loop", "loop", show=False, id="player.loop",
                tooltip="Play the present span again and again, or no longer"),
        Binding("e", "enlarge", "enlarge", show=False, id="player.enlarge",
                tooltip="Enlarge a camera, the next one, or show all again"),
        Binding("v", "plots", "plots", show=False, id="player.plots", tooltip="Plot the next vector"),
        Binding("b", "beside", "beside", show=False, id="player.beside",
                tooltip="Show another episode beside this one, or no longer"),
        Binding("i", "still", "picture", show=False, id="player.still",
                tooltip="Show a camera's picture as it is (kitty or sixel terminals)"),
        Binding("o", "elsewhere", "open", show=False, id="player.elsewhere",
                tooltip="Open this moment in rerun or the system's video player"),
    ]  # fmt: skip

    @dataclass
    class Moved(Message):
        """The cursor moved to a frame."""

        frame: int

    @dataclass
    class Failed(Message):
        """Something cannot be shown, in words; what else there is goes on."""

        words: str

    def __init__(self, dataset: Dataset, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.dataset = dataset
        self.mark_in: int | None = None
        self.mark_out: int | None = None

    @property
    def frame(self) -> int:
        """The frame that the cursor stands on."""
        return 0

    @property
    def length(self) -> int:
        """Frames of the episode; 0 before one is shown."""
        return 0

    def show(self, episode: int, spans: Sequence[Span] = (), at: int = 0, beside: int | None = None) -> None:
        """Load an episode, paused at a frame; returns at once.

        Args:
            episode: Which.
            spans: Stretches to mark.
            at: The frame to stand on.
            beside: The episode that `b` shows beside it (see `curation.nearest_good`); None without.

        Raises:
            UsageError: If there is no such episode.
        """

    def prefetch(self, episode: int) -> None:
        """Decode the first pictures of an episode that is likely to be shown next; returns at once."""

    def close(self) -> None:
        """End the threads; nothing is shown afterwards."""

    def action_play(self) -> None: ...
    def action_step(self, frames: int) -> None: ...
    def action_first(self) -> None: ...
    def action_last(self) -> None: ...
    def action_span(self, step: int) -> None: ...
    def action_speed(self, step: int) -> None: ...
    def action_loop(self) -> None: ...
    def action_enlarge(self) -> None: ...
    def action_plots(self) -> None: ...
    def action_beside(self) -> None: ...
    def action_still(self) -> Any: ...
    def action_elsewhere(self) -> None: ...
