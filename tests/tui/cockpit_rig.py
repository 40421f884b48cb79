"""A cockpit without a session: what it shows is injected, what it asks for is noted."""

import asyncio
import queue
from dataclasses import replace
from unittest.mock import patch

import numpy as np

import collector.tui.app
from collector.session.account import Account, TakeNow
from collector.session.state import State
from collector.session.view import Rows
from collector.session.words import Words
from collector.tui.app import CockpitApp
from collector.tui.headline import headline
from collector.tui.snapshot import CameraSeen, Loop, Snapshot

NOW_S = 1000.0
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
FLYING = {
    "kind": "flying", "root": "datasets/cubes", "episodes": 0, "wanted": 50, "lock_step": False, "fps": 30,
    "told_s": NOW_S - 600,
}  # fmt: skip
TASK = "Put the red cube into the box"


class FakeProcesses:
    """The session as the screen knows it: an account, words for messages, and what was asked for."""

    def __init__(self, keys=None):
        self.account = Account(config={"kind": "config", "display": "cockpit", "keys": keys or {}})
        self.pipes, self.stopped_by, self.asked = [], None, []
        self._words = Words(self.account)

    def command(self, event, episode=None):
        self.asked.append((event, episode))

    def take_in(self, message):
        self.account.take_in(message)
        return self._words.of(message)


class FakePump:
    """Holds what the session is to tell."""

    def __init__(self, *messages):
        self.heard, self.beats = queue.SimpleQueue(), 0
        for message in messages:
            self.heard.put(message)

    def beat(self):
        self.beats += 1


class FixedPoller:
    """Sees what it is told to see."""

    def __init__(self, snapshot):
        self.snapshot = snapshot

    def look(self):
        return self.snapshot

    def close(self):
        pass


def cockpit(snapshot, *messages, keys=None):
    """Return an app that shows a snapshot, and has heard these messages."""
    return CockpitApp(FakeProcesses(keys), FakePump(*messages), poller=FixedPoller(snapshot))


def run(test, app, size=(80, 24)):
    """Run `test(pilot)`, a coroutine, in the app."""

    async def main():
        # It draws when it is told to, and then alone.
        with patch.object(collector.tui.app, "_DRAWS_HZ", 0.001):
            async with app.run_test(size=size) as pilot:
                await settle(pilot)
                await test(pilot)

    asyncio.run(main())


async def settle(pilot):
    """Let the app draw everything that it draws now and then, too."""
    for _ in range(5):
        if pilot.app.is_running:
            pilot.app.look()
        await pilot.pause(0)
    await pilot.pause()
    # A busy machine passes for an idle app. Textual draws by timers of a sixtieth of a second, and a round of the loop
    # serves all that are due, however late it comes.
    shown = None
    while pilot.app.is_running and shown != (shown := text_of(pilot.app)):
        await asyncio.sleep(0.02)


async def until(pilot, holds, looks=5000):
    """Wait until `holds()`."""
    for _ in range(looks):
        if holds():
            return
        if pilot.app.is_running:
            pilot.app.look()
        await pilot.pause(0.02)
    raise AssertionError("it never came to hold")


def text_of(app):
    """Return what is on the screen, a line a row, without blanks at the right."""
    strips = app.screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips)


def picture(shift=0):
    """Return a test picture, uint8, (48, 64, 3)."""
    y, x = np.mgrid[:48, :64]
    return np.stack([(x * 4 + shift) % 256, y * 5, (x + y + shift) % 256], axis=2).astype(np.uint8)


def rows(n=300, fps=30.0, now_s=NOW_S):
    """Return ticks of the last seconds, up to now."""
    time_s = now_s - np.arange(n)[::-1] / fps
    phase = (time_s - now_s)[:, None] + np.arange(len(JOINTS))
    asked = 30 * np.sin(phase).astype(np.float32)
    sent = np.minimum(asked, 28)
    return Rows(
        time_s, np.full(n, 0.2, "f4"), asked, sent, asked - 1, np.full(n, 0.004, "f4"),
        np.full((n, 2), 0.02, "f4"), np.ones(n, "u4"),
    )  # fmt: skip


CAMERAS = (
    CameraSeen("front", 300, picture(), 0.021, 30.0),
    CameraSeen("wrist", 300, picture(90), 0.034, 29.5),
)
STILL = tuple(replace(camera, age_s=None, fps=None) for camera in CAMERAS)


def snapshot(state, enough=False, reset_s=None, errors=(), flying=FLYING, closed=None, **facts):
    """Return a snapshot in a state, with its headline; `facts` are those of `Snapshot`."""
    account = Account(
        state=state,
        flying=flying,
        enough=enough,
        errors=list(errors),
        closed=closed,
        reset_until_s=None if reset_s is None else NOW_S + reset_s,
    )
    shown = {
        "config": {"display": "cockpit"},
        "take": TakeNow(4, 3, TASK, 60.0, NOW_S - 12.4),
        "wanted": flying.get("wanted"),
        "kept": 3,
        "failed": 1,
        "discarded": 2,
        "cameras": STILL,
        "rows": rows(),
        "joints": tuple(f"{joint}.pos" for joint in JOINTS),
        "limits": {"shoulder_pan": (-100.0, 28.0)},
        "backlog": {"flights": 1, "pictures": 12, "limit": 8},
        "disk_minutes": 1234.0,
        "motors": {"motor": "elbow_flex", "celsius": 41.0, "limit": 65.0},
        "begun": True,
    } | facts
    return Snapshot(NOW_S, headline(account, NOW_S), state, flying=flying, **shown)


LOOP = Loop(29.98, 0.31, 0, 4.0)
RECORDING = snapshot(State.RECORDING, elapsed_s=12.4, cameras=CAMERAS, loop=LOOP)
