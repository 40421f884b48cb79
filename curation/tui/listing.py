"""The list: choosing rows, filtering, disputes, and what comes next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from collector.dataset.saved import Selections
from collector.errors import DemodeckError, UsageError, explained
from curation.completion import names_of
from curation.query import save_selection
from curation.room import check_blind, matching
from curation.show import counted
from curation.tui.filterbar import WordsScreen
from curation.tui.screens import ChooseScreen
from curation.tui.table import QueueTable

if TYPE_CHECKING:
    from curation.tui.app import ReviewApp


class Listing:
    """Does what is asked of the list."""

    def __init__(self, app: ReviewApp) -> None:
        self._app = app

    def do_next(self) -> None:
        """Go to the next episode that waits; at once, without a pause."""
        app = self._app
        row = app.room.next_waiting(app.queue.cursor)
        if row is None:
            app.say(f"{app.said}; no episode of this list waits any more")
        elif row != app.queue.cursor:
            with app.prevent(QueueTable.Moved):
                app.queue.move_to(row)
            app.looking.now(app.queue.episode)
        app.redraw()

    def do_row(self) -> None:
        """Choose the row."""
        self._app.queue.mark()
        self._app.redraw()

    def do_rows(self) -> None:
        """Choose a range of rows."""
        self._app.queue.mark_range()
        self._app.redraw()

    def do_all(self) -> None:
        """Choose all rows."""
        self._app.queue.mark_all()
        self._app.redraw()

    def do_none(self) -> None:
        """Choose no row; if none was, show all episodes."""
        if self._app.queue.marked:
            self._app.queue.mark_none()
            self._app.redraw()
        elif self._app.room.condition:
            self.narrow("")

    def do_sort(self) -> None:
        """Sort anew."""
        self._app.room.sort()
        self.relisted(top=True)

    def do_adjudicate(self) -> None:
        """Show only disputes, or all again."""
        app = self._app
        app.room.disputed_only = not app.room.disputed_only
        self.do_sort()
        if app.room.disputed_only:
            app.say(f"{len(app.room.rows)} in dispute: < and > take a side, any other decision is a third")
        else:
            app.say("all episodes")

    def relisted(self, top: bool = False) -> None:
        """Show a list that was made anew, and the episode that the cursor is on now."""
        app, queue = self._app, self._app.queue
        queue.cursor = 0 if top else queue.cursor
        queue.relist(None if top else app.looking.shown)
        app.redraw()
        if queue.episode != app.looking.shown:
            app.looking.now(queue.episode)

    # Filters

    def do_filter(self) -> None:
        """Filter by SQL."""
        room = self._app.room
        self._app.filter_bar.open(room.condition, names_of(room.dataset, room.standing.tags()))

    def narrow(self, condition: str) -> None:
        """Filter by a condition, beside the screen; a wrong one leaves the list as it was."""
        self._app.run_worker(partial(self._match, condition), thread=True, group="filter", exclusive=True)

    def _match(self, condition: str) -> None:
        app = self._app
        try:
            if app.room.blind is not None:
                check_blind(app.room.dataset, condition)
            chosen = matching(app.room.dataset, condition)
        except (DemodeckError, OSError) as error:
            app.call_from_thread(app.say, str(explained(error) or error), True)
            return
        app.call_from_thread(self._narrowed, condition, chosen)

    def _narrowed(self, condition: str, chosen: np.ndarray) -> None:
        app = self._app
        if len(chosen) != len(app.room.standing):
            self.narrow(condition)  # the dataset grew meanwhile
            return
        app.room.narrow(condition, chosen)
        app.filter_bar.close()
        app.queue.focus()
        self.relisted()
        app.say(counted(int(chosen.sum())) + (f" for which {condition}" if condition else ""))

    def do_words(self) -> None:
        """Filter by plain words."""
        room = self._app.room

        def taken(sql: str | None) -> None:
            if sql is not None:
                self.narrow(sql)

        form = WordsScreen(room.evidence.checks(), room.standing.tags(), room.author)
        self._app.push_screen(form, taken)

    def do_selections(self) -> None:
        """Pick, or forget, a saved selection."""
        app = self._app
        selections = Selections(app.room.dataset.root)
        saved = {
            name: f"@{name}  {entry['sql']}  ({entry.get('author')})"
            for name, entry in selections.all().items()
        }
        if not saved:
            raise UsageError("no selection is saved yet: S saves the filter under a name")

        def forget(name: str) -> bool:
            try:
                app.deciding.writable()
                selections.save(name, None, app.room.author)
            except (DemodeckError, OSError) as error:
                app.say(str(error), alarm=True)
                return False
            app.say(f"@{name} is no more (its history stays)")
            return True

        def chosen(name: str | None) -> None:
            if name is not None:
                self.narrow(f"@{name}")

        app.push_screen(ChooseScreen("saved selections (Enter: show; x: forget)", saved, forget), chosen)

    def do_save(self) -> None:
        """Save the filter under a name."""
        app, condition = self._app, self._app.room.condition
        if not condition:
            raise UsageError("nothing is filtered: / writes a condition, S saves it")
        app.deciding.writable()

        def named(name: str) -> None:
            name = name.strip().removeprefix("@")
            found = save_selection(app.room.dataset, name, condition, app.room.author)
            app.say(f"@{name} is saved: it chooses {counted(found)}")

        app.ask(f"save '{condition}' as", named, hint="good")
