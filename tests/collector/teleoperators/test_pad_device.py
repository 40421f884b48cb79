"""The pad as a device: buttons to the session, cues back, unplugged, exchanged, one of several; and how it is shown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.session.state import Event
from collector.teleoperators.pad import Pad, PadConfig, sdl
from collector.teleoperators.pad.show import show

PROJECT = Path(__file__).parents[3]


def test_buttons_ask_the_session_in_and_between_flights(pads, fly):
    pad = pads()
    pilot, _ = fly(0.1)
    pad.tap("start")
    pad.tap("y")
    fly(0.1, pilot)  # taps between two looks are not lost
    assert pilot.session_events() == [Event.END, Event.SUCCEED]
    assert pilot.session_events() == []
    pad.tap("x")  # and nobody flies
    pad.press("leftstick")
    pad.press("rightstick")
    assert pilot.session_events() == [Event.MISS, Event.HALT]


def test_cues_rumble_and_light(pads, fly):
    pad = pads()
    pilot, _ = fly(0.1)
    pilot.cue("begin")
    assert pad.rumbled[-1][1] == round(0.6 * 65535) and pad.lit[-1] == (160, 0, 0)
    pilot.cue("refused")
    assert pad.rumbled[-1] == (65535, 0) and len(pad.lit) == 1
    count = len(pad.rumbled)
    pilot.cue("some other cue")
    assert len(pad.rumbled) == count


def test_an_unplugged_pad_is_named_and_another_one_taken(pads, fly, arm):
    first = pads("First Pad")
    pilot, _ = fly(0.1)
    first.unplug()
    with pytest.raises(ConnectionError, match="pad 'First Pad' is gone: plug it in again, or another one"):
        pilot.get_action()
    assert pilot.session_events() == []
    pilot.cue("gone")
    pilot.disconnect()
    second = Pad(PadConfig())
    second.fit_to(arm)
    with pytest.raises(DeviceError, match="no pad is plugged in"):
        second.connect()
    other = pads("Second Pad", 2)
    other.move(leftx=1)
    second.connect()
    second.observe(arm.get_observation())
    assert str(second) == "Second Pad"
    assert second.get_action()["shoulder_pan.pos"] != arm.get_observation()["shoulder_pan.pos"]
    second.disconnect()
    first.plug_in()


def test_a_button_held_while_it_was_unplugged_asks_for_nothing(pads, fly):
    pad = pads()
    pilot, _ = fly(0.1)
    pad.press("b")
    assert pilot.session_events() == []
    pad.unplug()
    with pytest.raises(ConnectionError):
        pilot.get_action()
    pilot.disconnect()
    pad.plug_in()
    pilot.connect()
    time.sleep(0.9)
    assert pilot.session_events() == []


@pytest.mark.parametrize("by", ["index", "name", "part", "guid"])
def test_two_pads_are_told_apart(pads, by):
    left, right = pads("Left Pad", 1), pads("Right Pad", 2)
    found = next(each for each in sdl.pads() if each.name == "Right Pad")
    device = {"index": str(found.index), "name": "right pad", "part": "RIGHT", "guid": found.guid}[by]
    with Pad(PadConfig(device=device)) as pilot, Pad(PadConfig(device="left")) as other:
        assert (str(pilot), str(other)) == ("Right Pad", "Left Pad")
        left.tap("y")
        right.tap("start")
        assert (pilot.session_events(), other.session_events()) == ([Event.END], [Event.SUCCEED])


def test_a_pad_that_is_not_there_or_not_clear_is_refused_with_those_that_are(pads):
    pads("Left Pad", 1), pads("Left Pad", 1)
    for device, words in (
        ("7", "no pad is '7': there are 0: Left Pad"),
        ("left", "2 pads are 'left'.*0 or 1"),
    ):
        with pytest.raises(DeviceError, match=words):
            Pad(PadConfig(device=device)).connect()


def test_without_a_robot_shown_it_flies_from_the_start_that_the_flags_give(pads):
    pads()
    with Pad(PadConfig()) as pilot, pytest.raises(DeviceError, match=r"--teleop\.start"):
        pilot.get_action()
    start = [0, -45, 30, 80, 3, 50]
    with Pad(PadConfig(start=start)) as pilot:
        assert pilot.get_action() == dict(zip(ACTION_KEYS, start))
        assert pilot.get_action() == dict(zip(ACTION_KEYS, start))


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"mode": "fly"}, "--teleop.mode=fly is unknown: choose among auto, ee, joint, plane"),
        ({"frame": "world"}, "arm, base, tool"),
        ({"start": [1, 2]}, "2 numbers for 6 joints"),
        ({"speed_m_s": 0}, "above 0"),
        ({"mjcf": "/nowhere.xml", "site": "tool"}, "is no file"),
        ({"mapping": "/nowhere.toml"}, "cannot be read"),
        ({"gripper_range": [1, 1]}, "two different numbers"),
    ],
)
def test_wrong_flags_are_refused(flags, words):
    with pytest.raises(UsageError, match=words):
        Pad(PadConfig(**flags))


def test_show_says_what_every_control_says_and_does(pads, capsys):
    pad = pads("Shown Pad")
    pad.move(leftx=0.5, righttrigger=1)
    pad.press("dpup")
    assert show("shown", once=True) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "+0.50" in lines["leftx"] and lines["leftx"].endswith("-y")
    assert "+1.00" in lines["righttrigger"] and lines["righttrigger"].endswith("gripper")
    assert "[#]" in lines["dpup"] and "[ ]" in lines["dpdown"]
    assert show("shown", once=True, json=True, mode="plane") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pad"]["name"] == "Shown Pad" and said["held"] == ["dpup"]
    assert said["axes"]["leftx"] == pytest.approx(0.5, abs=1e-3) and said["does"]["leftx"] == ["+x"]
    with pytest.raises(DeviceError, match="no pad is 'other'"):
        show("other", once=True)


def test_a_stick_that_sdl_does_not_know_is_refused_and_a_pad_beside_it_taken(pads):
    pads("Old Joystick", 7, known=False)
    with pytest.raises(
        DeviceError, match=r"does not know which control of 'Old Joystick' is which.*SDL_GAMECONTROLLERCONFIG"
    ):
        Pad(PadConfig()).connect()
    pads("Good Pad", 8)
    with Pad(PadConfig()) as pilot:
        assert str(pilot) == "Good Pad"


def test_without_pygame_it_says_what_to_install():
    code = (
        "import sys; sys.modules['pygame'] = None\n"
        "from collector.teleoperators.pad import Pad, PadConfig\n"
        "from collector.errors import DeviceError\n"
        "try:\n    Pad(PadConfig()).connect()\n"
        "except DeviceError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=400
    )
    assert "pads need pygame" in result.stdout and "pip install 'demodeck[hardware]'" in result.stdout
