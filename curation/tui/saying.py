"""Keys that say something of an episode, with the questions that some of them ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.errors import DemodeckError, UsageError
from curation.tui.screens import TagsScreen

if TYPE_CHECKING:
    from curation.tui.app import ReviewApp


class Saying:
    """Has decided what the keys say, and goes on to the next episode where that is wanted."""

    def __init__(self, app: ReviewApp) -> None:
        self._app = app

    def decide(self, field: str, value: Any) -> None:
        """Set a label of the chosen episodes."""
        app = self._app
        many = bool(app.queue.marked)
        self._done(app.deciding.decide(app.chosen(), field, value), field)
        if many and field == app.advance:
            app.queue.mark_none()
            app.redraw()

    def _done(self, words: str, field: str = "") -> None:
        """Say what was decided, and go on to the next episode where this label does that."""
        app = self._app
        app.say(words)
        settled = app.room.disputed_only and app.queue.episode not in app.room.standing.conflicts
        if (settled or (field and field == app.advance)) and not app.queue.marked:
            app.listing.do_next()
        elif field in ("segments", "trim"):
            app.looking.again()
        app.redraw()

    def do_undo(self) -> None:
        """Take back what was said last."""
        self._app.deciding.take_back("undo")

    def do_redo(self) -> None:
        """Say it again."""
        self._app.deciding.take_back("redo")

    def do_trim(self) -> None:
        """Cut the episode to what lies between the marks."""
        app = self._app
        self._done(app.deciding.decide([app.current()], "trim", list(app.looking.marks())), "trim")

    def do_unsegment(self) -> None:
        """Take away the segment at the player's frame."""
        app = self._app
        self._done(app.deciding.unsegment(app.current(), app.player.frame), "segments")

    def do_carry(self) -> None:
        """Carry the sentences of the episode segmented last to this one."""
        self._done(self._app.deciding.carry(self._app.current()), "segments")

    def do_take_left(self) -> None:
        """Let the first one's word hold."""
        self._done(self._app.deciding.take_side(self._app.current(), 0))

    def do_take_right(self) -> None:
        """Let the second one's word hold."""
        self._done(self._app.deciding.take_side(self._app.current(), 1))

    def do_settle(self) -> None:
        """Let what holds end the dispute."""
        self._done(self._app.deciding.settle(self._app.current()))

    def do_note(self) -> None:
        """Write a note."""
        app, episodes = self._app, self._app.chosen()
        app.deciding.writable()

        def said(text: str) -> None:
            self._done(app.deciding.decide(episodes, "note", text.strip() or None), "note")

        about = f"{len(episodes)} episodes" if len(episodes) > 1 else f"episode {episodes[0]}"
        app.ask(f"note on {about}", said, app.room.standing.mine(episodes[0]).get("note") or "")

    def do_segment(self) -> None:
        """Say in a sentence what is done between the marks."""
        app = self._app
        episode, (first, last) = app.current(), app.looking.marks()
        app.deciding.writable()

        def said(text: str) -> None:
            if not text.strip():
                raise UsageError("a segment needs a sentence, like: reach for the cube")
            segment = {"from_frame": first, "to_frame": last, "text": text.strip()}
            self._done(app.deciding.decide([episode], "segments", {"add": [segment]}), "segments")

        app.ask(f"what is done in frames {first} to {last}?", said, hint="reach for the cube")

    def do_tags(self) -> None:
        """Give tags, or take them away."""
        app, episodes = self._app, self._app.chosen()
        app.deciding.writable()
        standing = app.room.standing

        def toggle(tag: str) -> None:
            try:
                self._done(app.deciding.toggle_tag(episodes, tag), "tags")
            except DemodeckError as error:
                app.say(str(error), alarm=True)

        def is_on(tag: str) -> bool:
            return all(tag in (standing.value(e, "tags") or ()) for e in episodes)

        app.push_screen(TagsScreen(standing.tags(), is_on, toggle))
