"""Whole sessions in the cockpit on a real terminal: flown by a pad, killed, hung up, stalled and resized."""

import codecs
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from rigs.commands import Take, environment, group_is_gone, wait_until
from rigs.fault_rig.log import count_ticks
from rigs.plain_lerobot import reader
from rigs.terminal import Terminal
from rigs.tmux import AVAILABLE, Tmux

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.teleoperators.pad import __file__ as pad_package
from collector.teleoperators.pad.cues import PAUSED, RECORDING

PROJECT = Path(__file__).parents[2]
DEMODECK = [sys.executable, PROJECT / "demodeck.py"]
FLYING = r"(?:[1-9]|\d\d) of 60 s"  # a flight that has been going on for 1 s
TICKS = 30  # that a flight has at least
ESCAPES = re.compile(r"\x1b(?:\[[0-9;:?<>=]*[a-zA-Z]|[()].|[=>])")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AVAILABLE, reason="tmux, the terminal of these tests, is not installed"),
]


@pytest.fixture
def env(tmp_path):
    """An environment in which no other session is found; its folder's name is short, as a socket's must be."""
    folder = tempfile.mkdtemp(prefix="rig")
    yield environment(tmp_path / "home") | {"XDG_RUNTIME_DIR": folder, "TERM": "xterm-256color"}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tmux(env):
    """Run a command in a tmux of its own."""
    with contextlib.ExitStack() as opened:

        def run(command, columns=120, rows=36, **more_env):
            terminal = Tmux(command, env | more_env, columns, rows)
            opened.callback(terminal.close)
            return terminal

        yield run


@pytest.fixture
def take(tmp_path):
    """The rig with two cameras whose dataset and log tell every tick."""
    return Take(
        "demodeck",
        tmp_path,
        {"robot.n_cameras": 2, "dataset.num_episodes": 3, "dataset.rgb_encoder.vcodec": "h264"},
    )


def fly(screen, take):
    """Be in a flight that goes on, for so many ticks at least; the screen's seconds pass without any, too."""
    screen.wait_for(FLYING)
    before = count_ticks(take.log)
    wait_until(lambda: count_ticks(take.log) >= before + TICKS, "it was flown for a while")


def begin(screen, take):
    """Save one flight, and be in the second."""
    screen.wait_for("→ begins")
    screen.send("Right")
    fly(screen, take)
    screen.send("+")
    screen.wait_for("episode 0 saved")
    screen.wait_for("1 of 3 kept, 0 failed, 0 discarded")
    fly(screen, take)


def is_held(take):
    """Return whether the arm was last told to be where it is, and a while ago."""
    acts = [entry for entry in take.entries() if entry["what"] == "act"]
    if not acts or time.perf_counter() - acts[-1]["t"] < 0.5:
        return False
    seen = (entry for entry in take.entries() if entry["what"] == "observe" and entry["t"] < acts[-1]["t"])
    at = list(seen)[-1]["q"]
    return max(abs(a - b) for a, b in zip(acts[-1]["q"], at)) < 1e-3


def finish(screen, take, interrupted=1):
    """From the hold after one saved and one interrupted flight, fly the two that are left and close."""
    screen.wait_for(f"1 of 3 kept, 0 failed, 0 discarded, {interrupted} interrupted")
    screen.send("Right")
    fly(screen, take)
    screen.send("-")
    screen.wait_for("2 of 3 kept, 1 failed")
    fly(screen, take)
    screen.send("+")
    screen.wait_for("all flights are flown")
    screen.wait_for("3 of 3 kept, 1 failed, 0 discarded, 1 interrupted")
    screen.send("Right")
    screen.wait_for("3 episodes kept")
    shown = screen.capture()
    assert "2 successes, 1 failures, 0 not marked" in shown
    assert "0 flown again, 0 taken back, 1 interrupted" in shown
    screen.send("q")
    assert screen.wait_for_end() == 0
    assert "Traceback" not in screen.capture(history=True)


def check_dataset(take, env, success, interrupted):
    """Check that plain lerobot reads every tick and picture of every flight as the arm gave it."""
    episodes = Dataset.open(take.root).episodes
    assert episodes["success"].to_pylist() == success
    assert episodes["interrupted"].to_pylist() == interrupted
    assert not list((take.root / ".journal").glob("*/*.arrow")), "a flight is left in the journal"
    given = {entry["tick"]: entry["pictures"] for entry in take.entries() if entry["what"] == "observe"}
    with reader(env) as plain:
        read = plain.read(take.root)
    assert "error" not in read, read
    assert len(read["episodes"]) == len(success)
    for episode in read["episodes"]:
        ticks = episode["ticks"]
        assert len(ticks) >= TICKS
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "ticks are missing"
        for number, pictures in enumerate(episode["pictures"].values()):
            right = [
                shown in (given[tick][number], None) for tick, shown in zip(ticks, pictures, strict=True)
            ]
            assert all(right), "a row has another tick's picture"


def test_a_session_of_twenty_episodes_is_flown_by_the_pad_alone(tmux, tmp_path):
    pytest.importorskip("pygame")
    pytest.importorskip("gym_pusht")
    flying, paused = {"await_light": RECORDING}, {"await_light": PAUSED}

    def flight(end, way):
        """Steer one way, and end by these buttons; None throws the flight away."""
        steer = [flying, {"wait_s": 0.2, "move": {"leftx": way}}, {"wait_s": 0.4, "move": {"leftx": 0}}]
        return [*steer, *([{"tap": [end]}] if end else hold("b"))]

    def hold(button):
        return [{"press": [button]}, {"wait_s": 1.6, "release": [button]}]

    script = [
        paused, {"await_file": str(tmp_path / "shown"), "tap": ["start"]},
        flying, {"wait_s": 0.3}, *hold("back"),  # refused: nothing is saved yet
        {"wait_s": 0.3, "tap": ["y"]},
        *flight("y", 0.8),  # episode 1, taken back in the next flight, brought back, taken back again
        flying, {"wait_s": 0.5}, *hold("back"), {"wait_s": 0.3, "tap": ["guide"]}, {"wait_s": 0.3}, *hold("back"),
        {"wait_s": 0.3, "tap": ["x"]},
        flying, {"wait_s": 0.5, "tap": ["back"]},  # episode 3, paused, and then marked
        paused, {"wait_s": 1.5, "tap": ["y"]}, {"wait_s": 0.5, "tap": ["start"]},
        *[line for way in (-0.8, 0.8) * 2 for end in ("y", "x", None, "y", "start") for line in flight(end, way)],
        *flight("y", 0.8),
        paused, {"await_file": str(tmp_path / "searched"), "tap": ["start"]},
    ]  # fmt: skip
    (tmp_path / "script.jsonl").write_text("\n".join(map(json.dumps, script)))
    mapping = Path(pad_package).with_name("default.toml").read_text()
    (tmp_path / "pad.toml").write_text(mapping.replace('bring_back = ""', 'bring_back = "guide"'))
    screen = tmux(
        [
            *DEMODECK, "record", "--robot.type=sim_pusht", "--robot.cameras=[image]", "--dataset.fps=20",
            "--teleop.discover_packages_path=rigs.virtual_pad_plugin", "--teleop.type=pad",
            f"--teleop.mapping={tmp_path / 'pad.toml'}", "--dataset.repo_id=lab/pad", "--dataset.push_to_hub=false",
            f"--dataset.root={tmp_path / 'set'}", "--dataset.num_episodes=20", "--dataset.episode_time_s=30",
            "--dataset.rgb_encoder.vcodec=h264",
        ],
        VIRTUAL_PAD_SCRIPT=str(tmp_path / "script.jsonl"),
    )  # fmt: skip
    screen.wait_for("→ begins")
    (tmp_path / "shown").touch()
    screen.wait_for("20 of 20 kept, 9 failed, 4 discarded, 1 taken back", 480)
    screen.send("/")
    screen.wait_for("search what was said")
    for sought, said in (
        ("refused", "'take_back' refused: no episode can be taken back"),
        ("taken", "episode 1 taken back"),
        ("again", "episode 1 is kept again"),
        ("marked", "episode 3 is marked as a success"),
    ):
        screen.send(sought)
        screen.wait_for(f"▊ {sought} ▎")  # the list may show the line before anything is sought
        screen.wait_for(said)
        screen.send("C-u")
        screen.wait_for("search what was said")  # Textual follows it later than what is typed right behind it
    screen.send("Escape")
    wait_until(lambda: "search what was said" not in screen.capture(), "the search is closed")
    (tmp_path / "searched").touch()
    screen.wait_for("20 episodes kept")
    shown = screen.capture()
    assert "11 successes, 9 failures, 0 not marked" in shown
    assert "4 flown again, 1 taken back, 0 interrupted" in shown
    screen.send("q")
    assert screen.wait_for_end() == 0
    assert "Traceback" not in screen.capture(history=True)

    opened = LeRobotDataset("lab/pad", root=tmp_path / "set", video_backend="pyav")
    assert opened.meta.total_episodes == 20
    flown = [True, False, False] + [True, False, True, False] * 4 + [True]
    assert opened.meta.episodes["success"] == flown, (
        "as the pad ended them; PushT holds the others for failures"
    )
    marked = {episode: fields["success"] for episode, fields in Labels(tmp_path / "set").current().items()}
    assert marked == {2: True}, (
        "what was marked afterwards is the pause's flight, one of which was taken back before"
    )
    assert (sum(flown) + 1, flown.count(False) - 1) == (11, 9)
    assert opened[len(opened) - 1]["observation.images.image"].shape == (3, 96, 96)


def test_a_killed_screen_is_attached_again_and_nothing_is_lost(tmux, take, env):
    first = tmux(take.command())
    begin(first, take)
    first.kill()
    wait_until(lambda: is_held(take), "the robot is held")
    second = tmux([*DEMODECK, "attach"])
    finish(second, take)
    wait_until(lambda: group_is_gone(first.pid), "control and recorder have ended")
    check_dataset(take, env, [True, None, False, True], [False, True, False, False])


def test_a_closed_terminal_is_found_by_the_same_command_line(tmux, take, env):
    first = tmux(take.command())
    begin(first, take)
    first.hang_up()
    wait_until(lambda: is_held(take), "the robot is held")
    other = tmux(take.command())
    other.wait_for("a session goes on: recording into")
    other.send("n", "Enter")
    other.wait_for("demodeck record: error: (?s:.*) is being recorded by another process")
    wait_until(lambda: group_is_gone(other.pid), "it has ended")
    assert "Traceback" not in other.capture(history=True)
    second = tmux(take.command())
    second.wait_for("attach to it instead of beginning another?")
    second.send("Enter")
    finish(second, take)
    wait_until(lambda: group_is_gone(first.pid), "control and recorder have ended")
    check_dataset(take, env, [True, None, False, True], [False, True, False, False])


class Stalling(Terminal):
    """The cockpit in a terminal that takes what it is sent only while the test waits for something."""

    def __init__(self, take, env):
        super().__init__([*take.command()[2:], "--display=cockpit"], env)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait_for(self, *patterns, timeout_s=300):
        """Wait until all have been written, in whichever order, escape sequences left out; then forget them."""
        deadline = time.monotonic() + timeout_s
        while not all(re.search(pattern, ESCAPES.sub("", self.screen)) for pattern in patterns):
            assert time.monotonic() < deadline, f"{patterns} never came: {self.screen[-3000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.screen += self._decoder.decode(os.read(self.master, 1 << 16))
        self.screen = ""

    def wait_for_end(self):
        """Take all that is still written, and return the exit code."""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while os.read(self.master, 1 << 16):
                pass
        return self.process.wait(300)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        super().close()


@pytest.fixture
def stalling(take, env):
    """Start the cockpit, save one flight, and read no more in the second until the robot is held."""
    terminal = Stalling(take, env)
    try:
        terminal.wait_for("→ begins")
        terminal.type(b"\x1b[C")
        fly(terminal, take)
        terminal.type(b"+")
        terminal.wait_for("episode 0 saved")
        fly(terminal, take)
        wait_until(lambda: is_held(take), "a screen that stands still is noticed")
        wait_until(lambda: Dataset.open(take.root).num_episodes == 2, "the flight is saved")
        yield terminal
    finally:
        terminal.close()


def test_a_terminal_that_stood_still_lives_again_and_the_session_goes_on(stalling, take, env):
    assert stalling.process.poll() is None
    stalling.wait_for(
        "episode 1 saved: .* ended by unseen", "1 of 3 kept, 0 failed, 0 discarded, 1 interrupted"
    )
    stalling.type(b"\x1b[C")
    fly(stalling, take)
    stalling.type(b"+")
    stalling.wait_for("episode 2 saved")
    fly(stalling, take)
    stalling.type(b"q")
    stalling.wait_for("3 episodes kept")
    stalling.type(b"q")
    assert stalling.wait_for_end() == 0
    check_dataset(take, env, [True, None, True, None], [False, True, False, False])


def test_a_terminal_that_stands_still_for_good_does_not_keep_a_session_from_ending(stalling, take, env):
    stalling.process.send_signal(signal.SIGTERM)
    wait_until(lambda: stalling.process.poll() is not None, "the session has ended")
    assert stalling.process.returncode == 128 + signal.SIGTERM
    wait_until(lambda: group_is_gone(stalling.process.pid), "control and recorder have ended")
    check_dataset(take, env, [True, None], [False, True])


def test_a_terminal_changes_its_size_in_flight(tmux, take, env):
    screen = tmux(take.command())
    screen.wait_for("→ begins")
    screen.send("Right")
    fly(screen, take)
    screen.resize(40, 10)
    screen.wait_for("RECORDING 1/3 0:")
    screen.resize(300, 80)
    screen.wait_for("front .* fps .*wrist .* fps")
    screen.resize(1, 1)
    time.sleep(1)
    screen.resize(120, 36)
    screen.wait_for("loop .* Hz")
    screen.send("+")
    screen.wait_for("episode 0 saved")
    fly(screen, take)
    screen.send("q")
    screen.wait_for("2 episodes kept")
    screen.send("q")
    assert screen.wait_for_end() == 0
    assert "Traceback" not in screen.capture(history=True)
    check_dataset(take, env, [True, None], [False, False])


@pytest.mark.parametrize("pilot", ["rig_pilot", "keys"])
def test_the_log_of_a_dumb_terminal_has_no_escape_sequences(pilot, take, env, tmp_path):
    flags = {"dataset.num_episodes": 2, "dataset.episode_time_s": 1, "teleop.type": pilot}
    if pilot == "keys":
        flags |= {"robot.type": "sim_pusht", "robot.cameras": "[]"}
    take.flags |= flags
    plain = env | {"NO_COLOR": "1", "TERM": "dumb"}
    command = [arg for arg in take.command()[2:] if pilot != "keys" or "--robot.log" not in arg]
    command = [arg for arg in command if pilot != "keys" or "--robot.n_cameras" not in arg]
    terminal = Terminal(command, plain)
    try:
        written = b""
        while select.select([terminal.master], [], [], 300)[0]:
            try:
                written += os.read(terminal.master, 4096)
            except OSError:
                break  # it has ended
        assert terminal.process.wait(240) == 0, written
    finally:
        terminal.close()
    assert b"2 flights" in written
    assert b"\x1b" not in written, written
