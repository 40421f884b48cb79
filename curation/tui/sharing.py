"""Keys for what is done with others, and for long work: blind reviews, agreement, merging, scoring, publishing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from collector.errors import UsageError
from curation.room import check_blind
from curation.tui import jobs
from curation.tui.screens import TextScreen

if TYPE_CHECKING:
    from curation.tui.app import ReviewApp

DRAWN = 30


class Sharing:
    """Does what others are to see, each by the command's own function, beside the screen."""

    def __init__(self, app: ReviewApp) -> None:
        self._app = app

    def do_blind(self) -> None:
        """Judge a sample without what others said of it, or end that."""
        app, room = self._app, self._app.room
        if room.blind is not None:
            room.go_blind(None)
            app.listing.do_sort()
            app.say("no longer blind: all episodes, and what everybody said")
            return
        app.deciding.writable()
        check_blind(room.dataset, room.condition)
        from curation.blind import sample

        def drawn(episodes: list[int]) -> None:
            room.go_blind(episodes)
            app.listing.do_sort()
            app.say(
                f"{len(episodes)} episodes to judge by {room.field}; what others said is hidden until then"
            )

        app.job(sample, room.dataset, room.field, DRAWN, 0, room.author, then=drawn)

    def do_agreement(self) -> None:
        """Show how far people agree."""
        self._app.job(jobs.agreements, self._app.room.dataset, then=partial(self._read, "Agreement"))

    def _read(self, title: str, lines: list[str]) -> None:
        self._app.push_screen(TextScreen(title, lines))

    def do_merge(self) -> None:
        """Take over what others said."""
        app = self._app
        app.deciding.writable()

        def named(path: str) -> None:
            app.job(jobs.merge, app.room.dataset, path.strip(), then=app.say)

        app.ask("take over the labels of (a copy's folder, or its labels.jsonl)", named)

    def do_score(self) -> None:
        """Run the checks."""
        app = self._app
        app.deciding.writable()
        app.say("scoring ...")

        def scored(words: str) -> None:
            app.say(words)
            app.reread()

        app.job(jobs.score, app.room.dataset, then=scored, progress=True)

    def do_report(self) -> None:
        """Write a page of HTML."""
        app = self._app

        def named(path: str) -> None:
            app.job(jobs.report, app.room.dataset, path.strip(), then=app.say, progress=True)

        app.ask("write the page to", named, f"{app.room.dataset.root.name}.html")

    def do_publish(self) -> None:
        """Show what would change on the Hub, and publish if that is wanted."""
        app = self._app

        def named(target: str) -> None:
            if app.ledger is not None and app.ledger.backlog:
                raise UsageError("not all decisions are on the disk yet: publish when they are")
            app.say(f"comparing with {target.strip()} ...")
            app.job(jobs.plan, app.room.dataset, target, then=self._confirm)

        app.ask("publish as (OWNER/NAME, or OWNER/NAME@VERSION)", named, hint="lab/pick@v1")

    def _confirm(self, publication: Any) -> None:
        from curation.publish_cli import changes

        app = self._app

        def answered(yes: bool | None) -> None:
            if yes:
                app.job(jobs.publish, publication, then=partial(self._read, "Published"), progress=True)
            else:
                app.say("nothing was published")

        app.push_screen(
            TextScreen("What would change", changes(publication), "Publish this? (y / n)"), answered
        )
