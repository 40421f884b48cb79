"""Everything that a session tells is known to the account, to the words or to the sounds."""

import ast
from pathlib import Path

import pytest
from session_messages import SESSION, saved

import collector.session
import collector.tui.cues
from collector.session.account import Account
from collector.session.state import Event, State
from collector.session.words import Said, Words

SOURCES = sorted(Path(collector.session.__file__).parent.glob("*.py"))
# Told by a name that is known only in flight: the states in which a flight waits, and the recorder's answers.
BY_NAME = {State.PAUSED.value, State.HALTED.value, Event.TAKE_BACK.value, Event.BRING_BACK.value}


def said(messages):
    account, lines = Account(), []
    words = Words(account)
    for message in messages:
        message = {"told_s": 0.0, **message}
        account.take_in(message)
        lines += words.of(message)
    return lines


def told_kinds():
    """Return the kinds that are told anywhere in a session, from its sources."""
    kinds = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("tell", "_tell") and node.args and isinstance(node.args[0], ast.Constant):
                kinds.add(node.args[0].value)
            elif (
                node.func.attr == "send_unless_stalled"
                and len(node.args) > 1
                and isinstance(node.args[1], ast.Constant)
            ):
                kinds.add(node.args[1].value)
    return kinds


def kinds_of_cues():
    """Return the kinds to which a sound answers, from the constants of the function that chooses it."""
    tree = ast.parse(Path(collector.tui.cues.__file__).read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_nothing_that_is_told_is_unknown():
    kinds = told_kinds() | BY_NAME
    assert {"flown", "state", "saved", "error", "done", "replaced"} <= kinds
    sounds = kinds_of_cues()
    unknown = {
        kind
        for kind in kinds
        if not hasattr(Account, f"_on_{kind}") and not hasattr(Words, f"_of_{kind}") and kind not in sounds
    }
    assert unknown == set()


@pytest.mark.parametrize(("of", "prefix"), [(Account, "_on_"), (Words, "_of_")])
def test_nothing_is_known_that_is_never_told(of, prefix):
    handled = {name.removeprefix(prefix) for name in vars(of) if name.startswith(prefix)}
    assert handled <= told_kinds() | BY_NAME


def test_the_session_of_these_tests_tells_everything_but_its_failures():
    told = {message["kind"] for message in SESSION}
    assert (told_kinds() | BY_NAME) - told == {"teleop", "feed", "error", "replaced"}


def test_a_whole_session_in_words():
    text = "\n".join(one.text for one in said(SESSION))
    for words in [
        "not used here: --display_data",
        "saved 1 interrupted flight(s) as episode(s) [9]",
        "recording 3 flights at 30 Hz into datasets/cubes, which holds 10 episodes",
        "'discard' refused: no flight is running",
        "the robot is held: c lets it follow again",
        "at 2.0 s: camera 'front' froze for 0.8 s",
        "300 ticks, late by 0.100 ms (p50), 0.300 (p99), 1.200 at most",
        "safety changed what was asked for, in ticks: limit 2, speed 4",
        "a device did not answer at once 3 times",
        "still saving 2 of at most 8 flights behind this one, 400 pictures to encode",
        "episode 10: pan leaps",
        "episode 10 saved: 10.0 s, success, 1 late ticks, ended by end, 1 camera faults",
        "flight thrown away; flying it again",
        "the recorder could not keep up: 2 ticks were not recorded",
        "the robot could not be asked to hold still: it does not answer",
        "episode 12 is marked as a failure",
        "episode 12 taken back (b brings it back); 1 kept",
        "episode 12 is kept again; 2 kept",
        "all flights are flown: right arrow ends, u takes the last one back",
        "1 episodes taken back; they lie in datasets/cubes/.taken_back",
    ]:
        assert words in text


def test_what_must_be_heard_is_an_alarm():
    alarms = [one.text.split(":")[0].splitlines()[0] for one in said(SESSION) if one.alarm]
    assert alarms == ["gripper is at 66 °C", "HALTED", "the robot does not answer", "the robot is back"]
    assert all(isinstance(one, Said) for one in said(SESSION))


def test_a_session_in_lock_step_says_only_now_and_then_how_far_it_is():
    flying = {"kind": "flying", "root": "sets", "episodes": 0, "wanted": 40, "lock_step": True, "fps": 30}
    verdict = {"kind": "verdict", "mark": "bad", "reasons": [{"kind": "leap", "words": "pan leaps"}]}
    messages = [m for episode in range(40) for m in ({**verdict, "episode": episode}, saved(episode))]
    lines = said([flying, *messages])[1:]
    assert 1 <= len(lines) < 20
    assert lines[-1].text.startswith("40 of 40 flights saved, ")


def test_mere_flying_in_words():
    lines = said(
        [{"kind": "teleop", "fps": 30, "seconds": 20}, {"kind": "teleop", "fps": 30, "seconds": None}]
    )
    assert [line.text for line in lines] == [
        "flying at 30 Hz, nothing is recorded, for 20 s",
        "flying at 30 Hz, nothing is recorded",
    ]
