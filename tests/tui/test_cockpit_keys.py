"""Whatever a person presses reaches the session, wherever on the screen it is pressed; above all the emergency stop."""

import pytest
from cockpit_rig import FLYING, NOW_S, RECORDING, cockpit, run, settle, snapshot, until
from textual.command import CommandPalette
from textual.widgets import Input

from collector.session.actions import ACTIONS
from collector.session.state import Event, State
from collector.tui.screens import HelpScreen, MessagesScreen, SummaryScreen

PAUSED = snapshot(State.PAUSED)
NAMES = {"+": "plus", "-": "minus", "/": "slash", ".": "full_stop", ",": "comma"}  # of Textual's Pilot
SAVED = {
    "kind": "saved", "episode": 0, "frames": 30, "bytes": 9, "success": None, "missed_ticks": 0, "interrupted": False,
    "reason": "end", "camera_faults": 0, "told_s": NOW_S,
}  # fmt: skip


async def press(pilot, *keys):
    await pilot.press(*(NAMES.get(key, key) for key in keys))
    await pilot.pause()


def asked_by(pressed, **flags):
    """Return what the session is asked for when these keys are pressed, one after the other."""
    app = cockpit(PAUSED, **flags)

    async def test(pilot):
        await press(pilot, *pressed)

    run(test, app)
    return app._processes.asked


def test_every_key_of_every_action_reaches_the_session():
    wanted = [(action.event, key) for action in ACTIONS for key in action.keys if key != "escape"]
    assert asked_by([key for _, key in wanted]) == [(event, None) for event, _ in wanted]


def test_other_keys_take_the_place_of_the_usual_ones():
    # `e` and `?` are the screen's own, which give way.
    keys = {"halt": ["x", "space"], "end": "g", "succeed": ",", "miss": "/", "pause": "e", "stop": "?"}
    pressed = ["x", "space", "g", ",", "/", "e", "question_mark"]
    events = [Event.HALT, Event.HALT, Event.END, Event.SUCCEED, Event.MISS, Event.PAUSE, Event.STOP]
    assert asked_by(pressed, keys=keys) == [(event, None) for event in events]
    assert asked_by(["right", "n", "plus", "minus", "p", "q"], keys=keys) == []
    assert asked_by(["p"]) == [(Event.PAUSE, None)]  # and only there


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ("5u", [(Event.TAKE_BACK, 5)]),
        ("12b", [(Event.BRING_BACK, 12)]),
        ("5uu", [(Event.TAKE_BACK, 5), (Event.TAKE_BACK, None)]),
        ("5zu", [(Event.TAKE_BACK, None)]),  # another key lies between
        ("5z7u", [(Event.TAKE_BACK, 7)]),
        ("5pu", [(Event.PAUSE, None), (Event.TAKE_BACK, None)]),
        (["5", "escape", "u"], [(Event.TAKE_BACK, None)]),
        (["5", "space", "u"], [(Event.HALT, None), (Event.TAKE_BACK, None)]),
        (["5", "question_mark", "escape", "u"], [(Event.TAKE_BACK, None)]),
    ],
)
def test_digits_name_an_episode_until_another_key_is_pressed(keys, asked):
    assert asked_by(list(keys)) == asked


@pytest.mark.parametrize(
    ("opened_by", "screen"),
    [("question_mark", HelpScreen), ("slash", MessagesScreen), ("ctrl+p", CommandPalette)],
)
def test_the_emergency_stop_works_under_whatever_lies_over_the_cockpit(opened_by, screen):
    app = cockpit(RECORDING)

    async def test(pilot):
        await press(pilot, opened_by)
        await until(pilot, lambda: isinstance(app.screen, screen))
        await press(pilot, "a", "space")
        assert app._processes.asked == [(Event.HALT, None)]
        await press(pilot, "f13")
        assert app._processes.asked == [(Event.HALT, None)] * 2
        await press(pilot, "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await press(pilot, "escape", "escape")
        assert app._processes.asked == [(Event.HALT, None)] * 2
        assert app.is_running

    run(test, app)


def test_in_the_summary_too_and_then_it_is_left_by_one_key():
    app = cockpit(
        PAUSED, FLYING, SAVED, {"kind": "done", "episodes": 1, "taken_back": 0, "kept_in": None}, None
    )

    async def test(pilot):
        await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
        await press(pilot, "space")
        assert app._processes.asked == [(Event.HALT, None)]
        assert app.is_running
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)

    run(test, app)
    assert app._processes.asked == [(Event.HALT, None)]


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_leaving_asks_the_session_to_end_and_waits_for_it(key):
    app = cockpit(RECORDING)

    async def test(pilot):
        await press(pilot, key)
        assert app._processes.asked == [(Event.STOP, None)]
        assert app.is_running

    run(test, app)


def test_after_the_end_there_is_nothing_more_to_ask():
    app = cockpit(
        PAUSED, FLYING, SAVED, {"kind": "done", "episodes": 1, "taken_back": 0, "kept_in": None}, None
    )

    async def test(pilot):
        await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
        await press(pilot, "ctrl+q")
        await until(pilot, lambda: not app.is_running)

    run(test, app)


@pytest.mark.parametrize("ending", [None, "error", "signal"])
def test_a_session_that_did_not_end_well_leaves_the_screen_at_once(ending):
    app = cockpit(RECORDING, FLYING)

    async def test(pilot):
        app._processes.stopped_by = 15 if ending == "signal" else None
        if ending == "error":
            app._pump.heard.put({"kind": "error", "text": "the robot is gone", "exit_code": 1, "at": 0.0})
        app._pump.heard.put(None)
        app.look()
        await until(pilot, lambda: not app.is_running)

    run(test, app)


def test_the_palette_lists_every_action():
    app = cockpit(PAUSED)

    async def test(pilot):
        listed = {command.title: command for command in app.get_system_commands(app.screen)}
        for action in ACTIONS:
            assert listed[action.title].help == action.help
            listed[action.title].callback()
        assert app._processes.asked == [(action.event, None) for action in ACTIONS]
        assert {"enlarge", "replay", "picture", "messages", "help"} <= set(listed)
        await press(pilot, "ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await press(pilot, *"pract")
        await pilot.pause()
        options = app.screen.query_one("CommandList")
        await until(pilot, lambda: options.option_count > 0)
        await press(pilot, "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await until(pilot, lambda: app._processes.asked[len(ACTIONS) :] == [(Event.PRACTISE, None)])

    run(test, app)


def test_a_camera_is_enlarged_the_next_one_and_all_again():
    app = cockpit(RECORDING)

    async def test(pilot):
        def shown():
            return [pane.name for pane in app.query("#cameras CameraPane") if pane.display]

        assert shown() == ["front", "wrist"]
        for names in (["front"], ["wrist"], ["front", "wrist"]):
            await press(pilot, "e")
            assert shown() == names

    run(test, app)


def test_a_take_is_shown_again_only_when_there_is_one_and_none_is_flown():
    app = cockpit(PAUSED)

    async def test(pilot):
        await press(pilot, "v")
        assert app._replay_from_s is None  # nothing was flown yet
        app._poller.snapshot = RECORDING
        await settle(pilot)
        app._processes.account.state = State.RECORDING
        await press(pilot, "v")
        assert app._replay_from_s is None
        app._processes.account.state, app._poller.snapshot = State.PAUSED, PAUSED
        await press(pilot, "v")
        assert app._replay_from_s == NOW_S
        await press(pilot, "p")
        assert app._replay_from_s is None

    run(test, app)


def test_what_was_said_is_searched():
    app = cockpit(PAUSED, FLYING, {"kind": "refused", "event": "discard", "why": "no flight is running"})

    async def test(pilot):
        await settle(pilot)
        await press(pilot, "slash")
        await until(pilot, lambda: isinstance(app.screen, MessagesScreen))
        log = app.screen.query_one("RichLog")
        await until(pilot, lambda: len(log.lines) == 2)
        await press(pilot, *"REFUSED")
        await until(pilot, lambda: len(log.lines) == 1)
        assert "no flight is running" in log.lines[0].text
        assert app.screen.query_one(Input).value == "REFUSED"
        assert app._processes.asked == []

    run(test, app)
