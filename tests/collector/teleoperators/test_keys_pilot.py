"""Keys flying robots: bytes of a terminal in, targets out."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lerobot.teleoperators.utils import make_teleoperator_from_config
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError

from collector.errors import DeviceError, UsageError
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS
from collector.session.keys import KeyReader
from collector.session.keystream import ENABLE, QUERY, RELEASE, RESTORE, Key
from collector.teleoperators.keys import Keys, KeysConfig
from collector.teleoperators.keys.hand import QUIET_S, Hand
from collector.teleoperators.keys.layout import DEFAULT, TAKEN, read_layout
from collector.teleoperators.protocols import Fitting, Pilot, Steering

PROJECT = Path(__file__).parents[3]
DT = 0.02
W_DOWN, W_AGAIN, W_UP = b"\x1b[119;1:1u", b"\x1b[119;1:2u", b"\x1b[119;1:3u"


@pytest.fixture
def arm():
    with SimSO101(SimSO101Config(realtime=False, cameras=[])) as robot:
        yield robot


def in_session(arm, **config):
    """Return connected keys that a session feeds, in joint mode: its numbers are easy to foresee."""
    pilot = Keys(KeysConfig(**{"mode": "joint", **config}))
    pilot.fit_to(arm)
    pilot.connect()
    pilot.set_control_period(DT)
    pilot.reset(0)
    pilot.observe(arm.get_observation())
    return pilot


def moved(pilot, ticks, joint="shoulder_lift"):
    """Return how far a joint's target moves at each of some ticks [degrees]."""
    key = f"{joint}.pos"
    before = pilot._motion.targets[key]
    places = [before, *(pilot.get_action()[key] for _ in range(ticks))]
    return np.diff(places)


SPEED = 90 * 0.4 * DT  # of a joint in the second gear, a tick


def test_it_is_what_lerobot_and_the_session_expect(arm):
    pilot = make_teleoperator_from_config(KeysConfig())
    assert type(pilot) is Keys and pilot.config.type == pilot.name == str(pilot) == "keys"
    assert isinstance(pilot, Pilot) and isinstance(pilot, Steering) and isinstance(pilot, Fitting)
    pilot.fit_to(arm)
    assert list(pilot.action_features) == list(arm.action_features)
    for call in (pilot.disconnect, pilot.get_action):
        with pytest.raises(DeviceNotConnectedError):
            call()
    with pilot:
        with pytest.raises(DeviceAlreadyConnectedError):
            pilot.connect()
        assert pilot.session_events() == []


def test_a_press_is_a_step_in_a_plain_terminal(arm):
    pilot = in_session(arm)
    assert not moved(pilot, 3).any()
    pilot.feed(b"w", time.monotonic())
    steps = moved(pilot, 10)
    assert steps == pytest.approx([SPEED] * 5 + [0] * 5)
    pilot.feed(b"s", time.monotonic())
    assert moved(pilot, 10).sum() == pytest.approx(-5 * SPEED)


def test_repeats_of_a_held_key_do_not_pile_up(arm):
    pilot = in_session(arm)
    for _ in range(30):
        pilot.feed(b"w", time.monotonic())
    assert moved(pilot, 40).sum() == pytest.approx(2 * 5 * SPEED)
    pilot.feed(b"ww", time.monotonic())
    pilot.feed(b"s", time.monotonic())  # the other way at once
    assert moved(pilot, 1)[0] == pytest.approx(-SPEED)


def test_a_step_moves_as_far_at_every_rate(arm):
    for dt_s in (0.004, 0.03, 0.07, 0.3):
        pilot = in_session(arm)
        pilot.set_control_period(dt_s)
        pilot.feed(b"w", time.monotonic())
        assert moved(pilot, 60).sum() == pytest.approx(90 * 0.4 * 0.1)


def test_a_latched_key_moves_until_the_other_one(arm):
    pilot = in_session(arm, style="latch")
    now_s = 100.0
    pilot.feed(b"w", now_s)
    assert moved(pilot, 50) == pytest.approx([SPEED] * 50)
    pilot.feed(b"w", now_s + 1)
    assert moved(pilot, 5) == pytest.approx([SPEED] * 5)
    pilot.feed(b"s", now_s + 2)
    pilot.feed(b"s", now_s + 2.4)  # a repeat
    assert not moved(pilot, 5).any()
    pilot.feed(b"s", now_s + 4)
    assert moved(pilot, 5) == pytest.approx([-SPEED] * 5)
    pilot.feed(b"d", now_s + 5)
    pilot.feed(b"x", now_s + 5)
    assert not moved(pilot, 5).any() and not moved(pilot, 5, "shoulder_pan").any()


def test_a_latched_key_stops_by_itself_and_at_a_halt(arm):
    pilot = in_session(arm, style="latch", latch_s=0.2)
    pilot.feed(b"w", 1.0)
    assert np.count_nonzero(moved(pilot, 40)) == 10
    pilot.feed(b"w", 5.0)
    moved(pilot, 1)
    pilot.cue("halt")
    assert not moved(pilot, 5).any()


def test_a_held_key_moves_until_it_is_let_go(arm, monkeypatch):
    now_s = 100.0  # what is held is let go where the terminal is silent for long
    monkeypatch.setattr("collector.teleoperators.keys.pilot.time", SimpleNamespace(monotonic=lambda: now_s))
    pilot = in_session(arm)
    pilot.feed(W_DOWN, now_s)
    assert moved(pilot, 20) == pytest.approx([SPEED] * 20)
    pilot.feed(b"\x1b[100;1:1u", now_s)  # d as well
    assert moved(pilot, 2) == pytest.approx([SPEED] * 2)
    assert moved(pilot, 2, "shoulder_pan") == pytest.approx([SPEED] * 2)
    pilot.feed(W_UP, now_s)
    assert not moved(pilot, 5).any()
    assert moved(pilot, 2, "shoulder_pan") == pytest.approx([SPEED] * 2)
    pilot.feed(b"\x1b[O", now_s)  # the window is left
    assert not moved(pilot, 5, "shoulder_pan").any()


def test_a_key_is_not_held_for_ever_where_the_line_is_dead():
    hand = Hand("auto", 0.1, 5.0, {"w": "s", "s": "w"}, "x")
    hand.take(Key("w", told=True), 10.0)
    assert hand.shares(DT, 10.0 + QUIET_S - 0.01) == {"w": 1.0}
    assert hand.shares(DT, 10.0 + QUIET_S + 0.01) == {}
    hand.take(Key("w", told=True), 20.0)
    hand.take(Key("s", told=True), 20.1)
    hand.take(Key("s", RELEASE, True), 20.2)
    assert hand.shares(DT, 20.2 + QUIET_S + 1) == {
        "w": 1.0
    }  # what was pressed first does not repeat any more
    assert hand.shares(DT, 30) == {}


def test_gears_and_the_gripper(arm):
    pilot = in_session(arm)
    pilot.feed(b".", time.monotonic())
    assert pilot.gear == 3
    pilot.feed(b"w", time.monotonic())
    assert moved(pilot, 5) == pytest.approx([SPEED / 0.4] * 5)
    pilot.feed(b",,,,", time.monotonic())
    assert pilot.gear == 1
    pilot.feed(b"f", time.monotonic())
    closing = moved(pilot, 10, "gripper")
    assert closing.sum() == pytest.approx(-0.1 * 0.4 * 300)
    pilot.feed(b"E", time.monotonic())
    assert moved(pilot, 10, "gripper").sum() == pytest.approx(0.1 * 0.4 * 300)


def test_the_tool_moves_as_by_the_pad(arm):
    pilot = in_session(arm, mode="auto")
    assert pilot.mode == "ee"
    start = pilot._motion._arm.pose(pilot._motion._angles).translation()
    pilot.feed(b"a", time.monotonic())
    for _ in range(10):
        pilot.get_action()
    end = pilot._motion._arm.pose(pilot._motion._angles).translation()
    assert end - start == pytest.approx([0, 0.25 * 0.4 * 0.1, 0], abs=5e-4)


def test_keys_that_are_not_bound_do_nothing(arm):
    pilot = in_session(arm)
    before = pilot.get_action()
    pilot.feed(b"mM?!\x1b[25~\x1b[A\xff nrub", time.monotonic())
    assert [pilot.get_action() for _ in range(5)][-1] == before


def test_the_keys_leave_the_session_its_own():
    read, write = os.pipe()
    reader = KeyReader(read)
    names = [*map(chr, range(33, 127)), "tab", "backspace", "up", "down"]
    taken = set()
    for name in names:
        os.write(write, Key(name).plain())
        events, _ = reader.read()
        if events:
            taken.add(name.lower())
    os.close(read), os.close(write)
    assert taken and taken <= set(TAKEN)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('x = ["w", "s"]', 'x = ["w", "n"]', "'n' is the session's own"),
        ('x = ["w", "s"]', 'x = ["w", "w"]', "w would do two things in [ee] mode"),
        ('x = ["w", "s"]', 'x = "w"', "give two keys"),
        ('x = ["w", "s"]', 'x = ["w", "S"]', "'S' is no key"),
        ('x = ["w", "s"]', 'forward = ["w", "s"]', "[ee] has 'forward'"),
        ("[gears]", "[gear]", "did you mean 'gears'"),
        ("first = 2", "first = 0", "gears 1 to 3"),
        ("rate = 0.4", "rate = 4", "above 0 up to 1"),
        ('key = "x"', 'key = "space"', "'space' is the session's own"),
    ],
)
def test_a_mistake_in_the_layout_is_named(tmp_path, old, new, words):
    assert old in DEFAULT.read_text()
    file = tmp_path / "mine.toml"
    file.write_text(DEFAULT.read_text().replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_layout(file)
    assert words in str(caught.value) and str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"style": "hold"}, "auto, step, latch, held"),
        ({"source": "usb"}, "auto, terminal, session, evdev"),
        ({"step_s": 0}, "0.01 to 2 seconds"),
    ],
)
def test_wrong_flags_are_refused(flags, words):
    with pytest.raises(UsageError, match=words):
        KeysConfig(**flags)


class Typist:
    """The other end of a terminal, which speaks the protocol or does not."""

    def __init__(self) -> None:
        self.screen, self.inside = os.openpty()
        self.name = os.ttyname(self.inside)
        self.shown = b""

    def look(self, until=None, seconds=240.0):
        """Read what the terminal was sent, until it holds some bytes."""
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s and (until is None or until not in self.shown):
            if select.select([self.screen], [], [], 0.05)[0]:
                self.shown += os.read(self.screen, 1024)
            elif until is None:
                break
        return self.shown

    def type(self, data):
        os.write(self.screen, data)

    def settings(self):
        return termios.tcgetattr(self.inside)

    def close(self):
        for end in (self.screen, self.inside):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def typist():
    typist = Typist()
    yield typist
    typist.close()


START = "[0, -45, 30, 80, 3, 50]"
FLY = (
    "import select, sys\n"
    "from collector.teleoperators.keys import Keys, KeysConfig\n"
    f"pilot = Keys(KeysConfig(mode='joint', start={START}, terminal=sys.argv[1]))\n"
    "pilot.connect()\n"
    "pilot.set_control_period(0.02)\n"
    "print('flying', pilot._source.tells_releases, flush=True)\n"
    "while not select.select([sys.stdin], [], [], 0.02)[0]:\n"
    "    action = pilot.get_action()\n"
    "    print(action['shoulder_lift.pos'], flush=True)\n"
    "pilot.disconnect()\n"
)


@contextlib.contextmanager
def flying(typist):
    """Fly in another process until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", FLY, typist.name], cwd=PROJECT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("speaks", [True, False])
def test_a_terminal_is_opened_asked_and_left_as_it_was(typist, speaks):
    before = typist.settings()
    with flying(typist) as process:
        assert QUERY in typist.look(QUERY)
        typist.type(b"\x1b[?0u\x1b[?62c" if speaks else b"\x1b[?62c")
        assert process.stdout.readline() == f"flying {speaks}\n"
        assert not typist.settings()[3] & (termios.ICANON | termios.ECHO)
        typist.type(W_DOWN + b"\x1b[109;1:1u" if speaks else b"w")
        if speaks:
            while float(process.stdout.readline()) <= -45 + 10 * SPEED:
                typist.type(W_AGAIN)  # as a terminal does while a key is held
        else:
            places = [-45.0]
            while places[-1] == -45 or places[-5:] != [places[-1]] * 5:
                places.append(float(process.stdout.readline()))
            assert places[-1] - -45 == pytest.approx(5 * SPEED), "a step, and it stands still"
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    assert typist.settings() == before
    shown = typist.look()
    assert (ENABLE in shown) == (RESTORE in shown) == speaks
    assert shown.count(RESTORE) <= 1


def test_a_killed_process_leaves_the_terminal_as_it_was(typist):
    before = typist.settings()
    with flying(typist) as process:
        typist.look(QUERY)
        typist.type(b"\x1b[?0u\x1b[?62c")
        assert process.stdout.readline() == "flying True\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert RESTORE in typist.look(RESTORE)
    ends_s = time.monotonic() + 240
    while typist.settings() != before and time.monotonic() < ends_s:
        time.sleep(0.05)
    assert typist.settings() == before


def test_a_terminal_that_goes_away_is_told(typist):
    pilot = Keys(KeysConfig(mode="joint", start=[0] * 6, terminal=typist.name))
    pilot.connect()
    assert set(pilot.get_action()) == set(ACTION_KEYS)
    typist.close()
    with pytest.raises(ConnectionError, match="the terminal is gone"):
        pilot.get_action()
    pilot.disconnect()


def test_no_terminal_is_a_device_that_is_missing(tmp_path):
    for path, words in (("/nowhere/tty", "cannot be opened"), ("/dev/null", "is no terminal")):
        with pytest.raises(DeviceError, match=words):
            Keys(KeysConfig(terminal=path)).connect()


def test_linux_names_of_keys_are_ours():
    evdev = pytest.importorskip("evdev")
    from collector.teleoperators.keys.evdev_source import name_of

    layout = read_layout()
    ours = {name_of(names) for names in evdev.ecodes.KEY.values()}
    bound = {key for mode in layout.axes for pair in layout.pairs(mode) for key in pair}
    assert bound | {layout.faster, layout.slower, layout.stop} <= ours
