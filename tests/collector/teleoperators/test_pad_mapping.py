"""The mapping file of the pad."""

from __future__ import annotations

import tomllib

import pytest

from collector.errors import UsageError
from collector.session.state import Event
from collector.teleoperators.pad.mapping import DEFAULT, Press, read_mapping
from collector.teleoperators.pad.names import CONTROLS


@pytest.fixture
def refused(tmp_path):
    """Return the message with which the shipped file is refused after an edit."""

    def refused(old, new):
        text = DEFAULT.read_text()
        assert old in text
        file = tmp_path / "mine.toml"
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(UsageError) as caught:
            read_mapping(file)
        message = str(caught.value)
        assert message.startswith(f"{file}: ") and "\n" not in message
        return message

    return refused


def test_the_shipped_mapping_gives_every_event_a_pad_may_ask_for():
    mapping = read_mapping()
    asked = set(mapping.session.values())
    assert asked == {
        Event.END, Event.SUCCEED, Event.MISS, Event.DISCARD, Event.PAUSE, Event.TAKE_OVER, Event.TAKE_BACK, Event.HALT,
    }  # fmt: skip
    halt = next(press for press, event in mapping.session.items() if event is Event.HALT)
    assert len(halt.buttons) > 1
    assert next(press for press, event in mapping.session.items() if event is Event.DISCARD).held


def test_every_control_is_named_in_the_shipped_file_and_does_what_it_says_in_every_mode():
    assert all(name in DEFAULT.read_text() for name in CONTROLS if not name.startswith("paddle"))
    mapping = read_mapping()
    assert mapping.uses("ee")["lefty"] == ["-x"]
    assert mapping.uses("plane")["lefty"] == ["+y"]
    assert mapping.uses("joint")["leftx"] == ["+joint1"]
    assert mapping.uses("ee")["back"] == ["pause", "hold: take_back"]
    assert "righttrigger" not in mapping.uses("plane")


def test_a_copy_with_less_does_less(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[plane]\nx = "rightx"\n[session]\nhalt = "a+b+x"\n')
    mapping = read_mapping(file)
    assert mapping.uses("plane").keys() == {"rightx", "a", "b", "x"}
    assert mapping.session == {Press(frozenset("abx"), False): Event.HALT}
    assert mapping.speeds == (1.0,)
    assert mapping.follow == mapping.clutch == ""


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("[gears]", "[gearz]", ["has 'gearz'", "did you mean 'gears'", "session"]),
        (
            "dead_zone = 0.12",
            "deadzone = 0.12",
            ["[sticks] has 'deadzone'", "did you mean 'dead_zone'", "curve"],
        ),
        ("dead_zone = 0.12", "dead_zone = 1.5", ["[sticks] dead_zone = 1.5", "choose 0 to 0.9"]),
        ("curve = 0.6", 'curve = "much"', ["[sticks] curve = 'much'", "choose 0 to 1"]),
        ("speeds = [0.15, 0.4, 1.0]", "speeds = [0.15, 4]", ["[0.15, 4]", "above 0 up to 1"]),
        ("first = 2", "first = 4", ["[gears] first = 4", "gears 1 to 3"]),
        ('x = "-lefty"', 'x = "-lefyt"', ["[ee] x = '-lefyt'", "did you mean 'lefty'"]),
        ('x = "-lefty"', "x = 3", ["[ee] x = 3", "controls are"]),
        ('turn_z = "rightx"', 'twist = "rightx"', ["[ee] has 'twist'", "turn_z"]),
        ('joint1 = "leftx"', 'shoulder = "leftx"', ["[joint] has 'shoulder'", "joint1"]),
        ('end = "start"', 'finish = "start"', ["[session] has 'finish'", "it may have", "take_back"]),
        ('end = "start"', 'end = "star"', ["[session] end = 'star'", "did you mean 'start'"]),
        ('end = "start"', 'end = "leftx"', ["[session] end = 'leftx'", "buttons are"]),
        ('miss = "x"', 'miss = "y"', ["[session] miss = 'y'", "'succeed' already"]),
        ('miss = "x"', 'miss = "leftstick"', ["leftstick alone and together"]),
        ('clutch = ""', 'clutch = "dpup"', ["dpup would do two things in [ee]"]),
        ('clutch = ""', 'clutch = "start"', ["start would do two things"]),
        ('follow = "righttrigger"\n\n', 'follow = "righttrigger"\nopen = "a"\n\n', ["'follow' beside"]),
        (
            'follow = "righttrigger"\n\n',
            'follow = "a"\n\n',
            ["[gripper] follow = 'a'", "lefttrigger, righttrigger"],
        ),
        ("hold_s = 0.8", "hold_s = 0", ["hold_s = 0", "0.2 to 5 seconds"]),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(refused, old, new, words):
    message = refused(old, new)
    assert all(word in message for word in words), message


def test_a_file_that_cannot_be_read_says_what_to_copy(tmp_path):
    for file in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UsageError, match=f"cannot be read .*: copy {DEFAULT} and edit it"):
            read_mapping(file)
    broken = tmp_path / "broken.toml"
    broken.write_text("[sticks\n")
    with pytest.raises(UsageError, match=r"is not TOML: .*line 1"):
        read_mapping(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        read_mapping(broken)


def test_every_shipped_table_is_understood():
    tables = tomllib.loads(DEFAULT.read_text())
    assert set(tables) == {
        "sticks",
        "triggers",
        "gears",
        "gripper",
        "hold",
        "ee",
        "joint",
        "plane",
        "session",
    }
