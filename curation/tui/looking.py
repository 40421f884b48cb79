"""Which episode the player shows, what is marked in it, and what stands beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from collector.errors import DemodeckError, UsageError, explained
from curation.remote import fetch_videos, is_fetched, missing_videos
from curation.tui.panel import spans_of

if TYPE_CHECKING:
    from curation.tui.app import ReviewApp

SETTLE_S = 0.08
"""The cursor rests so long on a row before its episode is loaded: whoever runs past it does not want it."""


class Looking:
    """Shows episodes of the room in its player.

    Attributes:
        shown: The episode that was shown last.
    """

    def __init__(self, app: ReviewApp) -> None:
        self._app = app
        self.shown: int | None = None
        self._pending: Any = None
        self._paths: Any = None  # where flights lie beside each other, once somebody asked

    def soon(self, episode: int | None) -> None:
        """Show an episode if the cursor rests there."""
        self._wait_no_more()
        self._pending = self._app.set_timer(SETTLE_S, partial(self.now, episode))

    def _wait_no_more(self) -> None:
        if self._pending is not None:
            self._pending.stop()
            self._pending = None

    def now(self, episode: int | None, at: int = 0) -> None:
        """Show an episode, and begin to load the one that is likely to follow."""
        self._wait_no_more()
        app, room = self._app, self._app.room
        if not app.there:
            return
        self.shown = episode
        if episode is None or episode != app.queue.episode:
            return
        if missing_videos(room.dataset, [episode]) and is_fetched(room.dataset.root):
            app.say(f"fetching the videos of episode {episode} ...")
            app.run_worker(partial(self._fetch, episode), thread=True, group="fetch", exclusive=True)
            return
        player = app.player
        player.mark_in, player.mark_out = room.standing.value(episode, "trim") or (None, None)
        player.show(episode, spans_of(room, episode), at, self._near(episode))
        row = room.next_waiting(app.queue.cursor)
        following = episode if row is None else int(room.rows[row])
        if following != episode and not missing_videos(room.dataset, [following]):
            player.prefetch(following)

    def again(self) -> None:
        """Show the present episode as it is by now, at the same frame."""
        self.now(self._app.queue.episode, self._app.player.frame)

    def forget(self) -> None:
        """Forget all: the dataset is another one."""
        self.shown, self._paths = None, None

    def _fetch(self, episode: int) -> None:
        app = self._app
        try:
            fetch_videos(app.room.dataset, [episode])
        except (DemodeckError, OSError) as error:
            app.call_from_thread(app.say, str(explained(error) or error), True)
            return
        app.call_from_thread(app.say, f"episode {episode}")
        app.call_from_thread(self.now, episode)

    # The nearest good episode

    async def beside(self, action: str) -> None:
        """Show the nearest good episode beside this one, or no longer; the first time, it is looked for.

        Raises:
            UsageError: If the list is empty.
        """
        app = self._app
        app.current()
        if self._paths is None:
            app.say("looking which flights are alike ...")
            app.run_worker(partial(self._find, action), thread=True, group="paths", exclusive=True)
        else:
            await app.run_action(action, default_namespace=app.player)

    def _find(self, action: str) -> None:
        from curation.nearest_good import Paths

        app = self._app
        try:
            self._paths = Paths.of(app.room.dataset)
        except (DemodeckError, OSError) as error:
            app.call_from_thread(app.say, str(explained(error) or error), True)
            return
        app.call_from_thread(self._show_near, action)

    def _show_near(self, action: str) -> None:
        app = self._app
        if (episode := app.queue.episode) is None:
            return
        near = self._near(episode)
        self.again()
        if near is None:
            app.say("no good episode is comparable", alarm=True)
            return
        app.say(f"beside it: episode {near}, the nearest good one")
        app.call_later(app.run_action, action, app.player)

    def _near(self, episode: int) -> int | None:
        return None if self._paths is None else self._paths.nearest(episode, self._app.room.good())

    # Marks

    def do_mark_in(self) -> None:
        """Put the mark `in` at the player's frame."""
        self._app.player.mark_in = self._app.player.frame
        self._say_marks()

    def do_mark_out(self) -> None:
        """Put the mark `out` behind the player's frame."""
        self._app.player.mark_out = self._app.player.frame + 1
        self._say_marks()

    def _say_marks(self) -> None:
        first, last = self._marks()
        self._app.player.refresh()
        self._app.say(f"marks {first}:{last} (c cuts to them, g says what is done there)")

    def marks(self) -> tuple[int, int]:
        """Return the frames between the marks, the last excluded.

        Raises:
            UsageError: If there is nothing between them.
        """
        first, last = self._marks()
        if not first < last:
            raise UsageError(f"the marks are at {first} and {last}: put 'in' (,) before 'out' (.)")
        return first, last

    def _marks(self) -> tuple[int, int]:
        app = self._app
        first, last = app.player.mark_in, app.player.mark_out
        length = int(app.room.standing.lengths[app.current()])
        return (0 if first is None else first), (length if last is None else last)
