"""The review room: the list of episodes, a player for the one that is looked at, and a key for every decision."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from collector.dataset.reader import Dataset
from collector.errors import DemodeckError, UsageError, explained
from collector.keymap import shown_key
from collector.tui.draw.keynames import textual_key
from collector.tui.draw.themes import THEMES
from curation import ledger as books
from curation.evidence import Evidence
from curation.room import Room, matching
from curation.standing import Folded, fold
from curation.tui.actions import Action, all_actions
from curation.tui.deciding import Deciding
from curation.tui.filterbar import FilterBar
from curation.tui.lines import CountsLine, Keyline, SaidLine
from curation.tui.listing import Listing
from curation.tui.looking import Looking
from curation.tui.panel import EpisodePanel
from curation.tui.player import Player
from curation.tui.saying import Saying
from curation.tui.screens import AskScreen, HelpScreen
from curation.tui.sharing import Sharing
from curation.tui.table import QueueTable

_CHANGED_AGAIN_S = 2.0
_VIEWS = ("both", "list", "player")


class ReviewApp(App[None]):
    """Shows a room, and passes on what the person decides.

    Args:
        room: What is reviewed.
        keys: Other keys, by the name of the action.
        advance: The label after which it goes on to the next episode by itself; '' for none.
        why_not: Why nothing may be written; '' where it may.
        notice: What is said first.
    """

    CSS_PATH = Path(__file__).parent / "review.tcss"
    TITLE = "demodeck review"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-tall"), (36, "-high")]

    @dataclasses.dataclass
    class Told(Message):
        """The ledger told something."""

        what: books.Told

    @dataclasses.dataclass
    class Reopened(Message):
        """The dataset was read again."""

        dataset: Dataset
        evidence: Evidence
        folded: Folded
        chosen: np.ndarray

    def __init__(
        self,
        room: Room,
        keys: Mapping[str, str | list[str]] | None = None,
        advance: str = "verdict",
        why_not: str = "",
        notice: str = "",
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.room, self.advance, self._notice = room, advance, notice
        self.actions: tuple[Action, ...] = all_actions(keys or {}, Player.BINDINGS)
        self.ledger = None if why_not else books.Ledger(room.labels, room.author, self._hear)
        self.deciding = Deciding(room, self.ledger, why_not)
        self.saying, self.listing = Saying(self), Listing(self)
        self.looking, self.sharing = Looking(self), Sharing(self)
        self._view = "both"

    def compose(self) -> ComposeResult:
        with Vertical(id="room"):
            yield CountsLine(id="counts")
            yield FilterBar(id="filter")
            yield Static(id="condition")
            with Horizontal(id="body"):
                yield QueueTable(self.room, id="queue")
                with Vertical(id="side"):
                    yield self._player()
                    yield EpisodePanel(id="episode")
            yield SaidLine(id="said")
            yield Keyline(self.actions)

    def _player(self) -> Player:
        player = Player(self.room.dataset, id="player")
        player.can_focus = False  # its keys are the room's: nobody has to turn to it first
        return player

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        for action in self.actions:
            for key in action.keys:
                if key != "ctrl+p":  # the palette's own
                    self._bindings._add_binding(
                        Binding(textual_key(key), f"do('{action.name}')", action.title, show=False)
                    )
        if self.ledger is not None:
            self.ledger.start()
        self.queue.focus()
        if self._notice:
            self.say(self._notice)
        self.redraw()
        self.looking.now(self.queue.episode)

    # Its parts; a screen may lie over them

    @property
    def queue(self) -> QueueTable:
        """The list."""
        return self.screen_stack[0].query_one(QueueTable)

    @property
    def player(self) -> Player:
        """The player."""
        return self.screen_stack[0].query_one(Player)

    @property
    def filter_bar(self) -> FilterBar:
        """The line for SQL."""
        return self.screen_stack[0].query_one(FilterBar)

    @property
    def there(self) -> bool:
        """Whether the room's parts are there: they go before the timers do."""
        return bool(self.screen_stack) and bool(self.screen_stack[0].query(QueueTable))

    @property
    def said(self) -> str:
        """What was said last."""
        return self.screen_stack[0].query_one(SaidLine).words

    def say(self, words: str, alarm: bool = False) -> None:
        """Say something in the line for that."""
        self.screen_stack[0].query_one(SaidLine).say(words, alarm)

    def redraw(self) -> None:
        """Show the counts, the list and the episode as they stand."""
        screen, queue = self.screen_stack[0], self.queue
        backlog = self.ledger.backlog if self.ledger is not None else 0
        screen.query_one(CountsLine).show(self.room, len(queue.marked), backlog, self._stuck)
        screen.query_one(EpisodePanel).show(self.room, queue.episode)
        screen.query_one(Keyline).show(self.room.disputed_only)
        screen.set_class(self.room.disputed_only, "-disputes")
        condition = screen.query_one("#condition", Static)
        condition.update(self._condition_line(), layout=False)
        condition.set_class(bool(self.room.condition) or not len(self.room.rows), "-there")
        queue.refresh()

    _stuck = False  # whether the disk refuses

    def _condition_line(self) -> str:
        words = f"filter: {self.room.condition}".replace("[", r"\[") if self.room.condition else ""
        if len(self.room.rows):
            return words
        if self.room.disputed_only:
            return "no two people differ (A: all episodes)"
        return f"{words}: matches no episode (Esc: all)" if words else "no episode is on the list"

    # What the person asks for

    async def action_do(self, name: str) -> None:
        """Do one of the actions."""
        action = next(one for one in self.actions if one.name == name)
        try:
            if name == "beside":
                await self.looking.beside(action.player)
            elif action.player:
                await self.run_action(action.player, default_namespace=self.player)
            elif action.decides is not None:
                self.saying.decide(*action.decides)
            else:
                parts = (self, self.saying, self.listing, self.looking, self.sharing)
                next(getattr(part, f"do_{name}") for part in parts if hasattr(part, f"do_{name}"))()
        except DemodeckError as error:
            self.say(str(error), alarm=True)

    def chosen(self) -> list[int]:
        """Return the episodes that a decision is about: the chosen ones, else the one under the cursor.

        Raises:
            UsageError: If there is none.
        """
        return sorted(self.queue.marked) or [self.current()]

    def current(self) -> int:
        """Return the episode under the cursor.

        Raises:
            UsageError: If the list is empty.
        """
        episode = self.queue.episode
        if episode is None:
            raise UsageError("no episode is on the list: Esc shows all")
        return episode

    def ask(self, question: str, then: Callable[[str], Any], text: str = "", hint: str = "") -> None:
        """Ask for a line of text; nothing happens where none is given.

        Args:
            question: What is asked.
            then: Called with the answer.
            text: What stands there already.
            hint: An example.
        """

        def answered(answer: str | None) -> None:
            if answer is None:
                return
            try:
                then(answer)
            except (DemodeckError, OSError) as error:
                self.say(str(explained(error) or error), alarm=True)

        self.push_screen(AskScreen(question, text, hint), answered)

    def on_queue_table_moved(self, event: QueueTable.Moved) -> None:
        self.redraw()
        self.looking.soon(event.episode)

    def on_filter_bar_asked(self, event: FilterBar.Asked) -> None:
        self.listing.narrow(event.condition)

    def on_filter_bar_left(self) -> None:
        self.filter_bar.close()
        self.queue.focus()

    def do_help(self) -> None:
        """Show all keys."""
        self.push_screen(HelpScreen(self.actions))

    def do_palette(self) -> None:
        """Open the palette, by another key."""
        self.action_command_palette()

    def do_view(self) -> None:
        """Give the room to the list, to the player, or to both."""
        screen = self.screen_stack[0]
        screen.remove_class(f"-{self._view}")
        self._view = _VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)]
        screen.add_class(f"-{self._view}")

    def do_quit(self) -> None:
        """Leave."""
        self.exit()

    # What happens beside the screen

    def _hear(self, what: books.Told) -> None:
        self.post_message(self.Told(what))

    def on_review_app_told(self, event: Told) -> None:
        """Take in what became of decisions, and what others did."""
        if not self.there:
            return
        what = event.what
        if isinstance(what, books.Seen):
            if self.ledger is not None and what.written == self.ledger.asked:
                self.room.take(what.folded)
        elif isinstance(what, books.Changed):
            self.reread()
        elif isinstance(what, books.Refused):
            self._stuck = what.waits
            again = (
                " (tried again until there is room; nothing is lost while this stays open)"
                if what.waits
                else ""
            )
            self.say(what.words + again, alarm=True)
            if not what.waits and what.decision.field not in ("undo", "redo", "look"):
                self.reread()  # what was shown as decided is not
        else:
            self._stuck = False
            if what.entries and what.decision.field in ("undo", "redo"):
                self._taken_back(what)
        self.redraw()

    def _taken_back(self, what: books.Written) -> None:
        entry = what.entries[0]
        about = (
            f"{len(what.entries)} episodes" if len(what.entries) > 1 else f"episode {entry.get('episode')}"
        )
        words = {"undo": "taken back", "redo": "holds again"}[what.decision.field]
        self.say(f"{words}: {entry.get('field')} {entry.get('value')} of {about}")
        at = np.flatnonzero(self.room.rows == entry.get("episode"))
        if len(at):
            self.queue.move_to(int(at[0]))

    @work(thread=True, group="reread", exclusive=True)
    def reread(self) -> None:
        """Read the dataset, its scores and labels again, beside the screen."""
        room = self.room
        try:
            dataset = Dataset.open(room.dataset.root)
            found = (
                dataset,
                Evidence(dataset),
                fold(room.labels, room.author),
                matching(dataset, room.condition),
            )
        except (DemodeckError, OSError) as error:
            self.call_from_thread(self.say, str(explained(error) or error), True)
            time.sleep(_CHANGED_AGAIN_S)  # it may be written to just now
            if self.ledger is not None and self.is_running:
                self.call_from_thread(self.reread)
            return
        self.post_message(self.Reopened(*found))

    async def on_review_app_reopened(self, event: Reopened) -> None:
        """Show the dataset as it is now."""
        before, room = len(self.room.standing), self.room
        first_scores = event.evidence.scored and not room.evidence.scored
        grown = event.dataset.num_episodes != before or event.dataset.features != room.dataset.features
        room.reopen(event.dataset, event.evidence, event.folded, event.chosen)
        if grown:
            self.looking.forget()
            old = self.player
            old.close()
            await old.remove()
            await self.screen_stack[0].query_one("#side").mount(self._player(), before=0)
            self.say(f"the dataset changed: {event.dataset.num_episodes} episodes, {before} before")
        self.listing.relisted(top=first_scores)

    @work(thread=True, group="job", exclusive=True)
    def job(
        self, what: Callable[..., Any], *args: Any, then: Callable[[Any], None], progress: bool = False
    ) -> None:
        """Do something long beside the screen; say how far it is, and hand its result on."""
        told = 0.0

        def show(phase: str, done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > 0.1 or done == total:
                told = time.monotonic()
                self.call_from_thread(self.say, f"{phase}: {done} of {total} ...")

        try:
            result = what(*args, show) if progress else what(*args)
        except Exception as error:
            known = explained(error)
            if known is None:
                raise
            self.call_from_thread(self.say, str(known), True)
            return
        self.call_from_thread(then, result)

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Offer every action in the palette, too."""
        yield from super().get_system_commands(screen)
        for action in self.actions:
            if action.name != "palette":
                keys = ", ".join(map(shown_key, action.keys))
                words = "  ".join(filter(None, (f"key {keys}" if keys else "", action.command)))
                yield SystemCommand(action.help, words, partial(self.action_do, action.name))

    def on_player_failed(self, event: Player.Failed) -> None:
        self.say(event.words, alarm=True)

    def on_unmount(self) -> None:
        for player in self.screen_stack[0].query(Player) if self.screen_stack else ():
            player.close()


def run_room(app: ReviewApp) -> Sequence[books.Decision]:
    """Show a room until the person leaves; return the decisions that could not be written."""
    try:
        app.run()
    finally:
        left = app.ledger.close() if app.ledger is not None else []
    return left
