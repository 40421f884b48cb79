"""What a person causes is answered by a sound, so that the eyes can stay on the robot."""

import pytest
from cockpit_rig import FLYING, RECORDING, cockpit, run, settle

from collector.session.account import Account
from collector.session.sounds.earcons import EARCONS
from collector.session.state import State
from collector.tui.cues import cue_of

FLOWN = {"kind": "flown", "discard": False, "success": None}
REASONS = [{"kind": "leap", "mark": "look", "words": "pan leaps", "from_s": 0.0, "to_s": 0.1}]
CAUSED = {
    "take": ({"kind": "state", "state": "recording"}, "begin"),
    "practice": ({"kind": "state", "state": "practising"}, "begin"),
    "pause": ({"kind": "state", "state": "paused"}, "pause"),
    "halt": ({"kind": "state", "state": "halted"}, "halt"),
    "stop": ({"kind": "state", "state": "stopping"}, "stop"),
    "fault": ({"kind": "state", "state": "fault"}, "fail"),
    "refused": ({"kind": "refused", "event": "end", "why": "no"}, "refused"),
    "end": (FLOWN, "end"),
    "success": ({**FLOWN, "success": True}, "succeed"),
    "failure": ({**FLOWN, "success": False}, "miss"),
    "discard": ({**FLOWN, "discard": True}, "discard"),
    "marked success": ({"kind": "marked", "episode": 1, "success": True}, "succeed"),
    "marked failure": ({"kind": "marked", "episode": 1, "success": False}, "miss"),
    "take back": ({"kind": "take_back", "episode": 1, "kept": 0}, "take_back"),
    "bring back": ({"kind": "bring_back", "episode": 1, "kept": 1}, "bring_back"),
    "clutch": ({"kind": "clutch", "held": True}, "clutch"),
    "take over": ({"kind": "took_over", "person": True}, "take_over"),
    "gone": ({"kind": "gone", "what": "robot", "why": "it does not answer", "seconds": 9}, "gone"),
    "back": ({"kind": "back", "what": "robot"}, "back"),
    "saved": ({"kind": "saved"}, "saved"),
    "camera": ({"kind": "camera", "words": "frozen"}, "camera"),
    "motor": ({"kind": "motor", "words": "hot"}, "camera"),
    "verdict look": ({"kind": "verdict", "mark": "look", "reasons": REASONS}, "verdict_look"),
    "verdict bad": ({"kind": "verdict", "mark": "bad", "reasons": REASONS}, "verdict_bad"),
    "error": ({"kind": "error"}, "fail"),
    "done": ({"kind": "done"}, "finished"),
}


class Loudspeaker:
    """Notes what it is to play."""

    def __init__(self):
        self.played = []

    def play(self, event, words=""):
        self.played.append(event)
        return True


@pytest.mark.parametrize("cause", CAUSED)
def test_what_is_caused_is_heard(cause):
    message, event = CAUSED[cause]
    assert cue_of(message, Account())[0] == event
    assert event in EARCONS


def test_a_good_verdict_and_what_nobody_caused_are_silent():
    for message in [
        {"kind": "verdict", "mark": "good", "reasons": []},
        {"kind": "motors"},
        {"kind": "sealing"},
        {"kind": "state", "state": "ready"},
        {"kind": "state", "state": "waiting"},  # `gone` is heard
        {"kind": "state", "state": "done"},  # `done` is heard
    ]:
        assert cue_of(message, Account()) is None


@pytest.mark.parametrize("state", State)
def test_the_sound_of_every_state_exists(state):
    cue = cue_of({"kind": "state", "state": state.value}, Account())
    assert cue is None or cue[0] in EARCONS


def test_what_was_before_a_screen_came_makes_no_noise():
    halted = {"kind": "state", "state": "halted", "told_s": 0.0}
    app = cockpit(RECORDING, *({**message, "again": True} for message in (FLYING, halted)))
    app._speaker = speaker = Loudspeaker()

    async def test(pilot):
        assert speaker.played == []
        assert app._processes.account.state is State.HALTED
        app._pump.heard.put(halted)
        await settle(pilot)
        assert speaker.played == ["halt"]

    run(test, app)
