"""The cockpit: one screen from which a pilot flies a whole session."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.events import Key
from textual.screen import Screen
from textual.widgets import RichLog

from collector.session.actions import Action, with_keys
from collector.session.process import Processes
from collector.session.sounds.speaker import Speaker
from collector.session.state import Event, State
from collector.session.words import Said
from collector.tui.band import Band
from collector.tui.cues import cue_of
from collector.tui.draw.camera import CameraPane
from collector.tui.draw.joints import PlotPane
from collector.tui.draw.keynames import textual_key
from collector.tui.draw.still import still
from collector.tui.draw.themes import THEMES
from collector.tui.film import Film
from collector.tui.keyline import Keys
from collector.tui.panels import LoopPanel, Panel, RigPanel, TakePanel, TaskLine, VerdictLine
from collector.tui.pump import Pump
from collector.tui.screens import HelpScreen, MessagesScreen, SummaryScreen
from collector.tui.snapshot import Poller, Snapshot
from collector.tui.summary import summary_lines

_DRAWS_HZ = 20.0
_PLOTS_EVERY = 4  # draws: the joints are drawn at 5 Hz
_SAID_KEPT = 2000  # lines
_WARN_LEFT_S = 5.0  # before a time is over
_OWN = [
    ("e", "enlarge", "enlarge", "Enlarge a camera, the next one, or show all again"),
    ("v", "replay", "replay", "Show the last take again"),
    ("i", "picture", "picture", "Show a camera's picture as it is (kitty or sixel terminals)"),
    ("slash", "messages", "messages", "Show everything that was said, and search in it"),
    ("question_mark", "help", "help", "Show all keys"),
]
_KEY_NAMES = {"slash": "/", "question_mark": "?"}


class CockpitApp(App[None]):
    """Shows snapshots of a session, and passes on what the person asks for.

    Args:
        processes: The session.
        pump: Hears what the session tells.
        speaker: Answers events by sound; None: silently.
        poller: Sees the session; by default, one of its account.
    """

    CSS_PATH = Path(__file__).parent / "cockpit.tcss"
    TITLE = "demodeck"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (24, "-tall"), (36, "-high")]
    BINDINGS = [Binding(key, action, title, show=False, id=action) for key, action, title, _ in _OWN]

    def __init__(
        self, processes: Processes, pump: Pump, speaker: Speaker | None = None, poller: Poller | None = None
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self._processes, self._pump, self._speaker = processes, pump, speaker
        self._poller = poller or Poller(processes.account)
        self._actions: tuple[Action, ...] = with_keys(processes.account.config.get("keys", {}))
        taken = {textual_key(key) for action in self._actions for key in action.keys}
        halt = next(action for action in self._actions if action.event is Event.HALT)
        self._stop_keys = {textual_key(key) for key in halt.keys}
        self._own = [own for own in _OWN if own[0] not in taken]
        self._said: deque[str] = deque(maxlen=_SAID_KEPT)
        self._digits = ""
        self._draws = 0
        self._film = Film()
        self._filmed_s = 0.0  # when the take began that the film is of
        self._replay_from_s: float | None = None
        self._enlarged: str | None = None
        self._warned: tuple[Any, ...] = ()
        self._over = False  # whether the session has ended

    def compose(self) -> ComposeResult:
        with Vertical(id="cockpit"):
            yield Band()
            yield TaskLine(id="task")
            yield VerdictLine(id="verdict")
            with Horizontal(id="body"):
                yield Container(id="cameras")
                with Vertical(id="side"):
                    yield RigPanel(id="rig")
                    yield TakePanel(id="take")
                    yield Container(id="joints")
                    yield LoopPanel(id="loop")
            yield CameraPane("last take", id="film")
            yield RichLog(id="messages", wrap=True, min_width=0, auto_scroll=True, max_lines=200)
            yield Keys(self._actions, [(_KEY_NAMES.get(key, key), title) for key, _, title, _ in self._own])

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        for action in self._actions:
            for key in action.keys:
                self._bindings.key_to_bindings.pop(
                    textual_key(key), None
                )  # --keys may want one of the screen's own
                if key == "escape":
                    continue  # it closes what lies over the cockpit, and pressed once more must not end the session
                asks = f"ask('{action.name}')"
                self._bindings._add_binding(Binding(textual_key(key), asks, action.title, show=False))
        self.query_one(RichLog).can_focus = False
        self.set_interval(1 / _DRAWS_HZ, self.look)
        self.look()

    # What the session tells

    def look(self) -> None:
        """Hear what the session told, and draw what there is to see."""
        self._pump.beat()
        if self._over or not self.is_running:  # its widgets go before its timer does
            return
        while not self._pump.heard.empty():
            message = self._pump.heard.get()
            if message is None:
                self._ended()
                return
            self._hear(message)
        self.show(self._poller.look())

    def _hear(self, message: dict[str, Any]) -> None:
        account = self._processes.account
        for said in self._processes.take_in(message):
            self._say(said)
        if message["kind"] == "error":
            self._say(Said(message["text"], alarm=True))
        if message.get("again"):
            return  # what was before is shown, and makes no noise
        if message["kind"] == "feed":
            self.notify(
                "Flying by keys needs --display=log: this screen takes the keys for itself",
                severity="warning",
            )
        if (cue := cue_of(message, account)) is not None:
            self._play(*cue)

    def _play(self, event: str, words: str = "") -> None:
        if (
            self._speaker is not None
            and not self._speaker.play(event, words)
            and event in ("halt", "gone", "fail")
        ):
            self.bell()

    def _say(self, said: Said) -> None:
        for line in said.text.splitlines():
            self._said.append(line)
            self.query_one(RichLog).write(f"! {line}" if said.alarm else line)

    def _ended(self) -> None:
        account = self._processes.account
        self._over = True
        self._poller.close()
        self.show(self._poller.look())
        if self._processes.stopped_by is not None or account.error() or account.closed is None:
            self.exit()
        else:
            self.push_screen(SummaryScreen(summary_lines(account)))

    # What is drawn

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        screen = self.screen_stack[0]
        screen.query_one(Band).show(snapshot)
        for panel in screen.query(Panel).results(Panel):
            panel.show(snapshot)
        screen.query_one(Keys).show(snapshot.state, snapshot.wanted is not None)
        screen.set_class(bool(snapshot.joints) and not snapshot.cameras, "-no-cameras")
        screen.set_class(not snapshot.begun and snapshot.state is State.PAUSED, "-checking")
        self._show_cameras(screen, snapshot)
        if self._draws % _PLOTS_EVERY == 0:
            self._show_joints(screen, snapshot)
        self._keep_film(screen, snapshot)
        self._warn(snapshot)
        self._draws += 1

    def _show_cameras(self, screen: Screen[Any], snapshot: Snapshot) -> None:
        room = screen.query_one("#cameras")
        panes = {pane.name: pane for pane in room.query(CameraPane)}
        if set(panes) != {camera.name for camera in snapshot.cameras}:
            room.remove_children()
            room.mount(*(CameraPane(camera.name) for camera in snapshot.cameras))
            room.set_class(len(snapshot.cameras) == 1, "-one")
            return
        if self._replay_from_s is not None:
            self._show_replay(panes, snapshot)
            return
        for camera in snapshot.cameras:
            pane = panes[camera.name]
            pane.warning = camera.warning
            if pane.display:
                pane.show(camera.picture, camera.age_s, camera.fps)

    def _show_replay(self, panes: dict[str | None, CameraPane], snapshot: Snapshot) -> None:
        assert self._replay_from_s is not None
        at_s = snapshot.now_s - self._replay_from_s
        if at_s > self._film.seconds + 1 or snapshot.state is State.RECORDING:
            self._replay_from_s = None
            return
        for camera, picture in self._film.at(at_s).items():
            if camera in panes:
                panes[
                    camera
                ].warning = f"REPLAY {min(at_s, self._film.seconds):.1f} of {self._film.seconds:.1f} s"
                panes[camera].show(picture)

    def _show_joints(self, screen: Screen[Any], snapshot: Snapshot) -> None:
        room = screen.query_one("#joints")
        if snapshot.joints and not room.children:
            room.mount(PlotPane([name.removesuffix(".pos") for name in snapshot.joints]))
            return
        rows = snapshot.rows
        if rows is None or not room.children:
            return
        clipped = ~((rows.asked == rows.sent) | (rows.asked != rows.asked))
        pane = room.query_one(PlotPane)
        if pane.size.area:
            pane.show(rows.time_s, rows.asked, rows.sent, rows.measured, clipped, snapshot.limits or {})

    def _keep_film(self, screen: Screen[Any], snapshot: Snapshot) -> None:
        strip = screen.query_one("#film", CameraPane)
        if snapshot.state is State.RECORDING and snapshot.elapsed_s is not None:
            if snapshot.take.began_s != self._filmed_s:
                self._film, self._filmed_s = Film(), snapshot.take.began_s
                strip.set_class(False, "-shown")
            self._film.add(snapshot.elapsed_s, {camera.name: camera.picture for camera in snapshot.cameras})
            return
        if self._film.times_s and snapshot.last is not None and not strip.has_class("-shown"):
            strip.set_class(True, "-shown")
            self.call_after_refresh(self._show_strip)

    def _show_strip(self) -> None:
        strip = self.screen_stack[0].query_one("#film", CameraPane)
        camera = self._enlarged or next(iter(self._film.pictures), None)
        if camera is None or camera not in self._film.pictures or not strip.size.area:
            return
        height, width = self._film.pictures[camera][0].shape[:2]
        cells = max(1, round(2 * (strip.size.height - 1) * width / height))
        picture = self._film.strip(camera, max(1, strip.size.width // cells))
        if picture is not None:
            strip.show(picture)

    def _warn(self, snapshot: Snapshot) -> None:
        """Let it be heard when a time is nearly over."""
        account = self._processes.account
        left_s, what, which = None, "", None
        if snapshot.state is State.RECORDING and snapshot.take.limit_s and snapshot.elapsed_s is not None:
            left_s, what, which = (
                snapshot.take.limit_s - snapshot.elapsed_s,
                "time_nearly_over",
                snapshot.take.began_s,
            )
        elif account.reset_until_s is not None:
            left_s, what, which = account.reset_until_s - snapshot.now_s, "reset_due", account.reset_until_s
        if left_s is not None and 0 < left_s < _WARN_LEFT_S and self._warned != (what, which):
            self._warned = what, which
            self._play(what)

    # What the person asks for

    async def on_event(self, event: events.Event) -> None:
        """Take the emergency stop's keys before anything else does.

        Even a binding with priority leaves a key like Space to the text that is being typed.
        """
        if isinstance(event, Key) and not event.is_forwarded and event.key in self._stop_keys:
            self.action_ask(Event.HALT.value)
        else:
            await super().on_event(event)

    def on_key(self, event: Key) -> None:
        if event.character and event.character.isdigit():
            self._digits += event.character
        else:
            self.call_next(self._forget_digits)  # when this key has been followed

    def _forget_digits(self) -> None:
        self._digits = ""

    def action_ask(self, name: str) -> None:
        """Ask the session for an event."""
        digits, self._digits = self._digits, ""
        action = next(action for action in self._actions if action.name == name)
        self._replay_from_s = None
        self._processes.command(action.event, int(digits) if digits and action.numbered else None)

    async def action_quit(self) -> None:
        """End the session, with everything saved; after its end, close the screen."""
        if self._over:
            self.exit()
        else:
            self._processes.command(Event.STOP)

    def action_leave(self) -> None:
        """Close the screen after the session's end."""
        self.exit()

    def action_enlarge(self) -> None:
        """Enlarge the next camera, or show all again."""
        panes = list(self.screen_stack[0].query("#cameras CameraPane").results(CameraPane))
        names = [pane.name for pane in panes]
        following = names.index(self._enlarged) + 1 if self._enlarged in names else 0
        self._enlarged = names[following] if following < len(names) else None
        screen = self.screen_stack[0]
        screen.set_class(self._enlarged is not None, "-enlarged")
        screen.query_one("#cameras").set_class(self._enlarged is not None or len(panes) == 1, "-one")
        for pane in panes:
            pane.display = self._enlarged in (None, pane.name)

    def action_replay(self) -> None:
        """Show the last take again."""
        if not self._film.times_s or self._processes.account.state is State.RECORDING:
            self.notify("No take with pictures to show again", severity="warning")
            return
        self._replay_from_s = self._poller.look().now_s

    def action_picture(self) -> None:
        """Show a camera's picture as it is, until a key is pressed."""
        seen = [camera for camera in self._poller.look().cameras if camera.picture is not None]
        chosen = next((camera for camera in seen if camera.name == self._enlarged), seen[0] if seen else None)
        drawn = (
            still(chosen.picture, os.environ) if chosen is not None and chosen.picture is not None else None
        )
        if drawn is None:
            self.notify(
                "This terminal shows no pictures: kitty, WezTerm, foot, or xterm with sixel do",
                severity="warning",
            )
            return
        with self._pump.excused(), self.suspend():
            sys.stdout.write("\x1b[2J\x1b[H")
            sys.stdout.flush()
            sys.stdout.buffer.write(drawn)
            input(f"\n{chosen.name if chosen else ''}: Enter goes back")

    def action_messages(self) -> None:
        """Show everything that was said."""
        self.push_screen(MessagesScreen(list(self._said)))

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(
            HelpScreen(self._actions, [(_KEY_NAMES.get(key, key), help) for key, _, _, help in self._own])
        )

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Offer every action in the palette, too."""
        yield from super().get_system_commands(screen)
        for action in self._actions:
            yield SystemCommand(action.title, action.help, lambda name=action.name: self.action_ask(name))
        for _, name, title, help_ in _OWN:
            yield SystemCommand(title, help_, getattr(self, f"action_{name}"))


def run_cockpit(processes: Processes) -> None:
    """Show a session in the cockpit until its processes have ended."""
    config = processes.account.config
    speaker = Speaker(earcons=config.get("sounds", True), voice=config.get("voice", False))
    pump = Pump(processes)
    pump.start()
    try:
        CockpitApp(processes, pump, speaker).run()
    finally:
        pump.screen_closed()
        speaker.close()
        while processes.pipes:  # the screen fell, and the session goes on to its end
            processes.command(Event.LOST)
            time.sleep(0.5)
