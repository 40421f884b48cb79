"""Every screen of the cockpit, in every size, looks as it did when somebody last read it through."""

import difflib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cockpit_rig import (
    CAMERAS,
    FLYING,
    LOOP,
    NOW_S,
    RECORDING,
    TASK,
    cockpit,
    picture,
    run,
    settle,
    snapshot,
    text_of,
    until,
)

import collector.tui.summary
from collector.session.account import TakeNow
from collector.session.state import State
from collector.tui.screens import SummaryScreen
from collector.tui.snapshot import Loop

GOLDEN = Path(__file__).parents[1] / "golden" / "cockpit"
WRITE = "write"  # DEMODECK_GOLDEN=write
SIZES = [(40, 10), (80, 24), (160, 48)]
RIG = (
    {"what": "robot calibration", "ok": True, "needed": False, "seen": "12 days old"},
    {"what": "robot", "ok": True, "needed": True, "seen": "6 motors, 29 to 34 °C, 11.9 V"},
    {
        "what": "teleoperator pose",
        "ok": False,
        "needed": False,
        "seen": "stands 42 off the robot in shoulder_lift: the robot will go there slowly",
    },
    {"what": "camera front", "ok": True, "needed": True, "seen": "64x48 at 30.0 fps"},
    {
        "what": "camera wrist",
        "ok": False,
        "needed": True,
        "seen": "12.1 fps, 30 are asked for: check its cable",
    },
    {"what": "disk", "ok": True, "needed": True, "seen": "512.4 GB free in /data"},
)
SAVED = {
    "kind": "saved", "episode": 3, "frames": 372, "bytes": 1_000_000, "success": True, "missed_ticks": 0,
    "clipped_ticks": 31, "interrupted": False, "reason": "succeed", "camera_faults": 0, "told_s": NOW_S,
}  # fmt: skip
FLOWN = {
    "kind": "flown", "ticks": 372, "late_ms": {"p50": 0.1, "p99": 0.31, "max": 1.4}, "lost": 0, "asked_again": 0,
    "clipped": {"speed": 31}, "discard": False, "success": True, "missed_ticks": 0, "clipped_ticks": 31,
    "interrupted": False, "reason": "succeed", "camera_faults": None, "told_s": NOW_S,
}  # fmt: skip
BAD = [
    {"kind": kind, "mark": mark, "words": words, "from_s": 2.0, "to_s": 3.8}
    for kind, mark, words in [
        ("camera", "bad", "camera 'wrist' showed the same picture for 1.8 s"),
        ("leap", "look", "elbow_flex leaps by 31 % of its range at 4.2 s"),
        ("idle_tail", "look", "idle for the last 3.1 s of 12.4 s (2 s is allowed)"),
    ]
]
CLOSED = {"kind": "done", "episodes": 4, "taken_back": 1, "kept_in": "datasets/cubes/.taken_back"}
AFTER = {"last": SAVED, "last_success": True}
# A few pictures of the take before, which stand in a strip below the cameras.
FILM = [
    replace(
        RECORDING,
        elapsed_s=float(seconds),
        cameras=tuple(replace(camera, picture=picture(20 * seconds)) for camera in CAMERAS),
    )
    for seconds in range(6)
]

# Of each screen: the snapshots that were there one after the other, and what was told.
SCREENS = {
    "starting": (
        [
            snapshot(
                State.READY, flying={}, take=TakeNow(), cameras=(), rows=None, joints=(), limits={}, kept=0,
                failed=0, discarded=0, motors=None, disk_minutes=None, begun=False,
            )
        ],
        [],
    ),
    "rig_check": (
        [
            snapshot(
                State.PAUSED, take=TakeNow(), rig=RIG, rows=None, kept=0, failed=0, discarded=0,
                disk_minutes=None, begun=False,
            )
        ],
        [FLYING, {"kind": "paused", "by_itself": False}],
    ),
    "recording": ([RECORDING], [FLYING]),
    "recording_troubled": (
        [
            snapshot(
                State.RECORDING,
                elapsed_s=57.0,
                cameras=(
                    replace(CAMERAS[0], warning="frozen 1.8 s", age_s=1.82, fps=0.0),
                    replace(CAMERAS[1], warning="dark"),
                ),
                loop=Loop(27.4, 9.81, 17, 140.0),
                clutched=True,
                disk_minutes=11.0,
                backlog={"flights": 8, "pictures": 4321, "limit": 8},
                motors={"motor": "elbow_flex", "celsius": 61.0, "limit": 65.0},
            )
        ],
        [FLYING, {"kind": "clutch", "held": True}],
    ),
    "paused_good": (
        [*FILM, snapshot(State.PAUSED, **AFTER, verdict={"episode": 3, "mark": "good", "reasons": []})],
        [FLYING, FLOWN, SAVED, {"kind": "paused", "by_itself": False}],
    ),
    "paused_bad": (
        [*FILM, snapshot(State.PAUSED, **AFTER, verdict={"episode": 3, "mark": "bad", "reasons": BAD})],
        [FLYING, FLOWN, {"kind": "verdict", "episode": 3, "mark": "bad", "reasons": BAD}, SAVED],
    ),
    "reset": (
        [*FILM, snapshot(State.READY, **AFTER, reset_s=7.0, loop=LOOP, cameras=CAMERAS)],
        [FLYING, FLOWN, SAVED],
    ),
    "practice": (
        [snapshot(State.PRACTISING, elapsed_s=83.0, cameras=CAMERAS, loop=LOOP)],
        [FLYING, {"kind": "practice"}],
    ),
    "halted": (
        [*FILM, snapshot(State.HALTED, **AFTER)],
        [FLYING, FLOWN, {"kind": "halted", "by_itself": False}],
    ),
    "device_gone": (
        [snapshot(State.WAITING, **AFTER)],
        [
            FLYING,
            {"kind": "gone", "what": "robot", "why": "robot 'so101' does not answer at /dev/ttyACM0", "seconds": 300.0},
        ],
    ),
    "saving": ([snapshot(State.STOPPING, **AFTER)], [FLYING, SAVED]),
    "complete": (
        [snapshot(State.PAUSED, **AFTER, enough=True, kept=50, taken_back=2, cut=1)],
        [FLYING, SAVED, {"kind": "enough", "told_s": NOW_S}],
    ),
    "fault": (
        [snapshot(State.FAULT, **AFTER, errors=[{"text": "the robot is gone", "exit_code": 1, "at": 0.0}])],
        [FLYING, {"kind": "refused", "event": "end", "why": "the session has failed; the flight is kept"}],
    ),
    "teleop": (
        [
            snapshot(
                State.RECORDING,
                flying={"kind": "teleop", "fps": 30, "seconds": None},
                take=TakeNow(1, 0, "", None, NOW_S),
                elapsed_s=605.0,
                kept=0,
                failed=0,
                discarded=0,
                cameras=CAMERAS,
                loop=LOOP,
                disk_minutes=None,
            )
        ],
        [{"kind": "teleop", "fps": 30, "seconds": None, "told_s": NOW_S}],
    ),
    "no_cameras": ([snapshot(State.RECORDING, elapsed_s=12.4, cameras=(), loop=LOOP)], [FLYING]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """A terminal of 24-bit colours, whatever runs the tests."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


def compare(name, size, text):
    """Compare a screen with the one that somebody has read through."""
    file = GOLDEN / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("DEMODECK_GOLDEN") == WRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    known = file.read_text() if file.exists() else ""
    lines = (known.splitlines(), text.splitlines())
    changes = "\n".join(difflib.unified_diff(*lines, str(file), "the screen now", lineterm=""))
    assert text == known, (
        f"{changes}\nif it shall look so: DEMODECK_GOLDEN={WRITE} .venv/bin/python -m pytest {__file__}"
    )


async def play(pilot, snapshots, told):
    """Let the app see snapshots one after the other, and hear what was told."""
    app = pilot.app
    for one in snapshots:
        app._poller.snapshot = one
        await settle(pilot)
    for message in told:
        app._pump.heard.put(message)
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen(name, size):
    async def test(pilot):
        await play(pilot, *SCREENS[name])
        compare(name, size, text_of(pilot.app))

    run(test, cockpit(SCREENS[name][0][0]), size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("name", "key"), [("help", "question_mark"), ("messages", "slash"), ("enlarged", "e"), ("replay", "v")]
)
def test_what_a_key_shows(name, key, size):
    async def test(pilot):
        await play(pilot, *SCREENS["paused_bad"])
        await pilot.press(key)
        await settle(pilot)
        compare(name, size, text_of(pilot.app))

    run(test, cockpit(SCREENS["paused_bad"][0][0]), size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_summary(size, monkeypatch):
    monkeypatch.setattr(collector.tui.summary, "time", SimpleNamespace(monotonic=lambda: NOW_S + 150))

    async def test(pilot):
        app = pilot.app
        await play(pilot, *SCREENS["paused_bad"])
        for message in [
            {**SAVED, "episode": 4, "success": False, "missed_ticks": 2, "camera_faults": 1},
            {"kind": "verdict", "episode": 4, "mark": "good", "reasons": []},
            {**SAVED, "episode": 5, "interrupted": True, "success": None},
            {**SAVED, "episode": 6},
            {"kind": "take_back", "episode": 6, "kept": 2},
            {**FLOWN, "discard": True},
            CLOSED,
            None,
        ]:
            app._pump.heard.put(message)
        await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
        await settle(pilot)
        compare("summary", size, text_of(app))

    run(test, cockpit(SCREENS["paused_bad"][0][0]), size)


@pytest.mark.parametrize("size", [(300, 80), (20, 5), (1, 1)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_size_breaks_it(size):
    async def test(pilot):
        for snapshots, told in SCREENS.values():
            pilot.app._poller.snapshot = snapshots[-1]
            for message in told:
                pilot.app._pump.heard.put(message)
            for _ in range(2):
                pilot.app.look()
                await pilot.pause(0)
        for key in ("question_mark", "escape", "slash", "escape", "e", "v"):
            await pilot.press(key)
            await settle(pilot)

    run(test, cockpit(RECORDING), size)


def test_a_terminal_that_changes_its_size_is_drawn_anew():
    async def test(pilot):
        await play(pilot, *SCREENS["recording"])
        for size in [(160, 48), (40, 10), (80, 24)]:
            await pilot.resize_terminal(*size)
            await settle(pilot)
        compare("recording", (80, 24), text_of(pilot.app))

    run(test, cockpit(RECORDING), (80, 24))


def test_what_is_asked_for_in_the_task_stays_as_it_was_written():
    snapshot_ = replace(RECORDING, take=TakeNow(1, 0, "[red]cube[/red] $what", None, 0.0))

    async def test(pilot):
        await settle(pilot)
        assert "[red]cube[/red] $what" in text_of(pilot.app)
        assert TASK not in text_of(pilot.app)

    run(test, cockpit(snapshot_))
