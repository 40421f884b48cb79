"""The player as a widget: what is shown where the cursor stands, and the keys that move it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from collector.dataset.reader import Dataset
from curation.tui.player import spans as marked
from curation.tui.player.board import Board
from curation.tui.player.clip import Clip
from curation.tui.player.keys import KEYS
from curation.tui.player.outside import Outside
from curation.tui.player.panes import Pictures
from curation.tui.player.spans import Span
from curation.tui.player.stage import Stage
from curation.tui.player.tally import Tally
from curation.tui.player.transport import Transport, share
from curation.tui.player.wall import Wall, shape_of

_LOOKS_HZ = 60.0
_DRAWN_HZ = 30.0  # at speeds with more frames a second some are left out, evenly


class Player(Vertical, can_focus=True):
    """Plays the episodes of a dataset.

    Everything slow (files, decoding) happens in threads of its own: no method waits for them.

    Args:
        dataset: What the episodes are of.
    """

    DEFAULT_CSS = "Player { width: 1fr; height: 1fr; }"
    BINDINGS = KEYS

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
        self._transport = Transport(1, dataset.fps)
        self._stage = Stage(dataset)
        self._beside: int | None = None
        self._spans: tuple[Span, ...] = ()
        self._mark_in: int | None = None
        self._mark_out: int | None = None
        self._told: set[str] = set()
        self._vectors_shown = self._settled = False
        self._tally = Tally()
        shape = next((shape_of(dataset, camera) for camera in dataset.camera_keys), (3, 4))
        self._wall, self._board = Wall(dataset.camera_keys, shape), Board()
        self._pictures = Pictures(self._wall)
        self._outside = Outside(self)

    def compose(self) -> ComposeResult:
        yield self._wall
        yield self._board

    def on_mount(self) -> None:
        self._wall.display = bool(self._wall.panes)
        # A pane that has another size, or is seen again, needs other pictures.
        self.screen.screen_layout_refresh_signal.subscribe(self, lambda _: self._wake())
        self._looks = self.set_interval(1 / _LOOKS_HZ, self._look, pause=self._clip is None)

    def on_unmount(self) -> None:
        self.close()

    def on_resize(self, event: events.Resize) -> None:
        """Share the room: pictures have most of it, and little room has no plots."""
        height = event.size.height
        if not self._wall.panes:
            self._board.styles.height = "1fr"
        else:
            self._board.styles.height = 1 if height < 6 else 2 if height < 10 else max(4, int(0.4 * height))
        self._wake()

    # What the room calls

    @property
    def frame(self) -> int:
        """The frame that the cursor stands on."""
        return self._transport.frame

    @property
    def length(self) -> int:
        """Frames of the episode; 0 before one is shown."""
        return self._clip.length if self._clip is not None else 0

    @property
    def playing(self) -> bool:
        """Whether time moves the cursor."""
        return self._transport.playing

    @property
    def settled(self) -> bool:
        """Whether everything is shown that is due, or will never be."""
        return self._settled

    @property
    def n_bytes(self) -> int:
        """Bytes of decoded pictures that are held, at most `stage.LIMIT`."""
        return self._stage.n_bytes

    @property
    def mark_in(self) -> int | None:
        """First frame that a trim would keep, drawn as `[`; None without."""
        return self._mark_in

    @mark_in.setter
    def mark_in(self, frame: int | None) -> None:
        self._mark_in = frame
        self._board.mark(self._mark_in, self._mark_out)

    @property
    def mark_out(self) -> int | None:
        """The frame after the last one that a trim would keep, excluded as in the label `trim`, drawn as `]`."""
        return self._mark_out

    @mark_out.setter
    def mark_out(self, frame: int | None) -> None:
        self._mark_out = frame
        self._board.mark(self._mark_in, self._mark_out)

    def show(self, episode: int, spans: Sequence[Span] = (), at: int = 0, beside: int | None = None) -> None:
        """Load an episode, paused at a frame; returns at once.

        Marks of a trim stay as they are: they are the room's to set, before or after. An episode that is shown already
        keeps what was decoded of it.

        Args:
            episode: Which.
            spans: Stretches to mark.
            at: The frame to stand on.
            beside: The episode that `b` shows beside it (see `curation.nearest_good`); None without.

        Raises:
            UsageError: If there is no such episode.
        """
        before = self._clip
        length = self._stage.show(episode).length
        if self._clip is not before:
            self._vectors_shown = False
            self._told.clear()
            self._pictures.forget()
        self._transport = Transport(length, self.dataset.fps, self._transport.speed)
        self._transport.go(at, time.monotonic())
        self._spans = marked.within(spans, length)
        self._beside = beside
        self._tally.clear()
        if not self._vectors_shown:
            self._board.load(length, self._spans)
        else:
            self._board.spans(self._spans)
        self._put_beside(self._wall.both)
        self._wake()
        self.post_message(self.Moved(self.frame))

    def prefetch(self, episode: int) -> None:
        """Decode the first pictures of an episode that is likely to be shown next; returns at once.

        Raises:
            UsageError: If there is no such episode.
        """
        self._stage.prefetch(episode, self._pictures.cells())

    def close(self) -> None:
        """End the threads; nothing is shown afterwards."""
        self._stage.close()

    # What is shown

    @property
    def _clip(self) -> Clip | None:
        return self._stage.clip

    def _put_beside(self, both: bool) -> None:
        """Show the episode beside this one, or none."""
        self._stage.put_beside(self._beside if both else None)
        self._wall.both = self._stage.other is not None
        self._wall.lay_out()

    def _wake(self) -> None:
        """Look again and again, until all is shown that is due."""
        self._settled = False
        if self.is_mounted and self._clip is not None:
            self._looks.resume()

    def _look(self) -> None:
        """Show what is due now, as far as it is there."""
        clip, transport = self._clip, self._transport
        if clip is None:
            self._looks.pause()
            return
        now_s, before = time.monotonic(), transport.frame
        frame = transport.look(now_s)
        step = max(1, round(transport.speed * self.dataset.fps / _DRAWN_HZ)) if transport.playing else 1
        cells = self._pictures.cells()
        clip.want(frame, cells, step, transport.playing)
        exact = self._pictures.show(clip, frame, step, transport.playing)
        if self._stage.other is not None:
            there = share(frame, clip.length, self._stage.other.length)
            other_step = max(1, round(step * self._stage.other.length / clip.length))
            self._stage.other.want(there, cells, other_step, transport.playing)
            exact &= self._pictures.show_beside(self._stage.other, there, other_step, transport.playing)
        self._show_vectors(clip)
        for words in self._pictures.troubles(clip) - self._told:
            self._told.add(words)
            self.post_message(self.Failed(words))
        trouble = ""
        if (transport.playing or frame != before) and self._wall.panes:
            another = frame // step != before // step
            first, last = transport.loop or (0, clip.length)
            self._tally.look(now_s, (frame - before) % (last - first), another, exact)
            trouble = self._tally.words()
        self._board.move(frame, self._head(frame), trouble if transport.playing else "")
        if frame != before:
            self.post_message(self.Moved(frame))
        if not transport.playing and exact and self._vectors_shown:
            self._settled = True
            self._looks.pause()

    def _show_vectors(self, clip: Clip) -> None:
        if self._vectors_shown:
            return
        if clip.vectors is not None:
            self._board.plots(clip.vectors, "no numbers to plot")
        elif clip.failed:
            self._board.plots([], clip.failed)
            self.post_message(self.Failed(clip.failed))
        else:
            return
        self._vectors_shown = True

    def _head(self, frame: int) -> str:
        transport, fps = self._transport, self.dataset.fps
        assert self._clip is not None
        parts = [
            f"{'▶' if transport.playing else '‖'} {transport.speed:g}x",
            f"episode {self._clip.episode}",
            f"frame {frame} of {transport.length}",
            f"{frame / fps:.2f} of {transport.length / fps:.2f} s",
        ]
        if transport.loop is not None:
            parts.append(f"loop {transport.loop[0]}-{transport.loop[1] - 1}")
        if self._stage.other is not None:
            there = share(frame, transport.length, self._stage.other.length)
            parts.append(
                f"beside: episode {self._stage.other.episode}, frame {there} of {self._stage.other.length}"
            )
        if (span := marked.at(self._spans, frame)) is not None:
            number = self._spans.index(span) + 1
            parts.append(f"{number}/{len(self._spans)} {span.severity}: {span.words}")
        elif self._spans:
            parts.append(f"{len(self._spans)} span{'s' * (len(self._spans) > 1)}")
        return "  ".join(parts)

    # Keys

    def _go(self, frame: int) -> None:
        before = self.frame
        self._transport.go(frame, time.monotonic())
        if self.frame != before:
            self._moved()

    def _moved(self) -> None:
        self._tally.clear()
        self._wake()
        self.post_message(self.Moved(self.frame))

    def on_board_pointed(self, event: Board.Pointed) -> None:
        event.stop()
        self._go(event.frame)

    def action_play(self) -> None:
        """Play, or pause."""
        if self._clip is None:
            return
        if self._transport.playing:
            self._transport.pause()
        else:
            self._transport.play(time.monotonic())
        self._tally.clear()
        self._wake()

    def action_step(self, frames: int) -> None:
        """Go so many frames on (or back), and stand there."""
        self._transport.pause()
        self._go(self.frame + frames)
        self._wake()

    def action_first(self) -> None:
        """Go to the first frame."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last frame, and stand there."""
        self._transport.pause()
        self._go(self.length - 1)
        self._wake()

    def action_span(self, step: int) -> None:
        """Go to where the next (1) or the previous (-1) span begins."""
        span = marked.following(self._spans, self.frame, step)
        if span is None:
            self.app.bell()
            return
        if self._transport.loop is not None:
            self._transport.round(span.first, span.last, time.monotonic())
        self._go(span.first)

    def action_speed(self, step: int) -> None:
        """Play faster (1) or slower (-1)."""
        self._transport.faster(step, time.monotonic())
        self._tally.clear()
        self._wake()

    def action_loop(self) -> None:
        """Play the present span again and again, outside of one the trim or all; or no longer."""
        if self._clip is None:
            return
        now_s = time.monotonic()
        if self._transport.loop is not None:
            self._transport.loop = None
        else:
            span = marked.at(self._spans, self.frame)
            first, last = (
                (span.first, span.last) if span else (self._mark_in or 0, self._mark_out or self.length)
            )
            self._transport.round(first, max(first + 1, min(last, self.length)), now_s)
            if not self._transport.playing:
                self._transport.play(now_s)
        self._moved()

    def action_enlarge(self) -> None:
        """Enlarge a camera, the next one, or show all again."""
        cameras: list[str | None] = [None, *self._wall.panes]
        self._wall.enlarged = cameras[(cameras.index(self._wall.enlarged) + 1) % len(cameras)]
        self._wall.lay_out()
        self._wake()

    def action_plots(self) -> None:
        """Plot the next vector, or the next rows of this one."""
        self._board.turn()

    def action_beside(self) -> None:
        """Show the other episode beside this one, or no longer."""
        if not self._wall.both and self._beside is None:
            self.notify("No good episode is known to show beside this one", severity="warning")
            return
        self._put_beside(not self._wall.both)
        self._wake()

    def action_still(self) -> None:
        """Show a camera's picture as it is, until a key is pressed."""
        if self._clip is not None:
            self._transport.pause()
            self._outside.still(self._clip.episode, self._wall.shown(), self.frame)

    def action_elsewhere(self) -> None:
        """Open this moment in rerun, or its video in the system's player."""
        if self._clip is not None:
            self._transport.pause()
            self._outside.open(self._clip.episode, self._wall.shown(), self.frame)
