"""One look at a session shows what was told and what lies in shared memory, as it is."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

import collector.tui.snapshot
from collector.session.account import Account
from collector.session.fly import Tick
from collector.session.state import State
from collector.session.view import View
from collector.tui.snapshot import Poller

JOINTS = ["pan.pos", "gripper.pos"]
START_S = 5000.0


class Clock:
    """The time, for the poller and for what the view is told."""

    def __init__(self):
        self.now_s = START_S

    def monotonic(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(collector.tui.snapshot, "time", clock)
    monkeypatch.setattr(
        "collector.session.view.time", SimpleNamespace(monotonic=clock.monotonic, sleep=time.sleep)
    )
    return clock


@pytest.fixture
def view(clock):
    view = View(JOINTS, {"front": (48, 64), "wrist": (48, 64)})
    yield view
    view.close()


@pytest.fixture
def account(view, clock, tmp_path):
    account = Account()
    for message in [
        {"kind": "config", "display": "cockpit", "keys": {}},
        {
            "kind": "view",
            "name": view.name,
            "joints": JOINTS,
            "cameras": view.cameras,
            "limits": {"pan.pos": [-90, 90]},
        },
        {
            "kind": "flying",
            "root": str(tmp_path / "new"),
            "episodes": 7,
            "wanted": 5,
            "lock_step": False,
            "fps": 30,
        },
    ]:
        account.take_in({"told_s": clock.now_s, **message})
    return account


@pytest.fixture
def poller(account):
    poller = Poller(account)
    yield poller
    poller.close()


def tell(account, clock, kind, **content):
    account.take_in({"kind": kind, "told_s": clock.now_s, **content})


def begin(account, clock, number=1):
    tell(account, clock, "take", number=number, episode=6 + number, task="lift", limit_s=60.0)
    tell(account, clock, "state", state="recording")


def saved(account, clock, episode, **content):
    message = {"frames": 300, "bytes": 3_000_000, "success": None, "interrupted": False, "missed_ticks": 0}
    tell(account, clock, "saved", episode=episode, camera_faults=0, **message | content)


def fly(view, clock, seconds, fps=30.0, camera_fps=None, late_s=0.0, level=120, jitter_s=0.0):
    """Fly in the view, with pictures of one brightness; a camera takes them at its own rate."""
    view.begin()
    random, begun_s = np.random.default_rng(0), clock.now_s
    for tick in range(round(seconds * fps)):
        observed_s = tick / fps + late_s
        clock.now_s = begun_s + observed_s + 0.001 + jitter_s * random.random()
        taken_s = np.floor(observed_s * (camera_fps or fps) + 1e-6) / (camera_fps or fps)
        picture = np.full((48, 64, 3), level, np.uint8)
        clock_s = {
            "tick": observed_s,
            "observation": observed_s,
            "action": observed_s,
            "front": taken_s,
            "wrist": taken_s,
        }
        observation = {"front": picture, "wrist": picture}
        joints = dict.fromkeys(JOINTS, float(tick))
        view.add(Tick(observation, joints, joints, False, clock_s), joints, fps, input_age_s=0.012)


def test_before_anything_is_told():
    snapshot = Poller(Account()).look()
    assert snapshot.headline.word == "STARTING"
    assert (snapshot.cameras, snapshot.rows, snapshot.wanted, snapshot.last) == ((), None, None, None)


def test_flights_are_counted(account, poller, clock):
    for episode, success in [(7, True), (8, False), (9, None), (10, True)]:
        saved(account, clock, episode, success=success)
    saved(account, clock, 11, interrupted=True)
    flown = {"ticks": 9, "late_ms": None, "clipped": {}}
    tell(account, clock, "flown", discard=True, **flown)
    tell(account, clock, "take_back", episode=10, kept=3)
    tell(account, clock, "marked", episode=9, success=False)
    tell(account, clock, "verdict", episode=11, mark="bad", reasons=[])
    snapshot = poller.look()
    counts = (
        snapshot.kept,
        snapshot.failed,
        snapshot.taken_back,
        snapshot.cut,
        snapshot.discarded,
        snapshot.wanted,
    )
    assert counts == (3, 2, 1, 1, 1, 5)
    assert snapshot.last["episode"] == 11
    assert snapshot.verdict["mark"] == "bad"
    tell(account, clock, "bring_back", episode=10, kept=4)
    assert poller.look().kept == 4


WORDS = {
    State.READY: "READY",
    State.RECORDING: "RECORDING",
    State.PRACTISING: "PRACTICE",
    State.PAUSED: "PAUSED",
    State.HALTED: "HALTED",
    State.WAITING: "NO DEVICE",
    State.STOPPING: "SAVING",
    State.FAULT: "FAULT",
    State.DONE: "DONE",
}


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_word(state, account, poller, clock):
    from collector.tui.band import LOOKS

    tell(account, clock, "state", state=state.value)
    snapshot = poller.look()
    assert snapshot.headline.word == WORDS[state]
    assert snapshot.headline.look in LOOKS
    assert (snapshot.elapsed_s is not None) == (state in (State.RECORDING, State.PRACTISING))


def test_the_word_says_more_than_the_state(account, poller, clock):
    tell(account, clock, "reset", seconds=10)
    clock.now_s += 4
    assert poller.look().headline.word == "RESET"
    assert "6 s" in poller.look().headline.detail
    tell(account, clock, "enough")
    tell(account, clock, "state", state="paused")
    assert poller.look().headline.word == "COMPLETE"
    begin(account, clock)
    assert poller.look().headline.word == "RECORDING"
    tell(account, clock, "error", text="the robot is gone", exit_code=1, at=0.0)
    assert poller.look().headline.word == "FAULT"


def test_the_time_of_a_flight_runs(account, poller, clock):
    begin(account, clock)
    clock.now_s += 12.4
    assert poller.look().elapsed_s == pytest.approx(12.4)
    assert poller.look().take.task == "lift"


@pytest.mark.parametrize("fps", [30.0, 200.0])
@pytest.mark.parametrize("camera_fps", [30.0, 15.0])
def test_rates_are_those_of_the_last_seconds(fps, camera_fps, account, poller, view, clock):
    account.flying["fps"] = fps
    begin(account, clock)
    fly(view, clock, 3, fps, camera_fps, late_s=0.0004, jitter_s=0.002)
    snapshot = poller.look()
    assert snapshot.loop.hz == pytest.approx(fps, rel=0.02)
    assert snapshot.loop.late_p99_ms == pytest.approx(0.4, abs=0.01)
    assert snapshot.loop.missed == 0
    assert snapshot.loop.input_age_ms == pytest.approx(12, abs=0.01)
    for camera in snapshot.cameras:
        assert camera.fps == pytest.approx(camera_fps, rel=0.05)
        assert 0 <= camera.age_s <= 1 / camera_fps
        assert camera.warning is None
    assert snapshot.joints == tuple(JOINTS)
    assert snapshot.limits == {"pan": (-90, 90)}
    assert len(snapshot.rows.time_s) == 3 * fps


def test_ticks_that_began_late_are_counted(account, poller, view, clock):
    begin(account, clock)
    fly(view, clock, 1, late_s=0.03)
    assert poller.look().loop.missed == 30


def test_a_camera_that_shows_nothing_new_is_frozen_only_in_flight(account, poller, view, clock):
    begin(account, clock)
    fly(view, clock, 1)
    assert [camera.warning for camera in poller.look().cameras] == [None, None]
    clock.now_s += 0.8
    assert [camera.warning for camera in poller.look().cameras] == ["frozen 0.8 s"] * 2
    tell(account, clock, "state", state="paused")
    assert [camera.warning for camera in poller.look().cameras] == [None, None]
    clock.now_s += 60
    begin(account, clock, 2)
    assert [camera.warning for camera in poller.look().cameras] == [None, None]


def test_pictures_that_come_late_are_told(account, poller, view, clock):
    begin(account, clock)
    view.begin()
    clock_s = {"tick": 1.0, "observation": 1.0, "action": 1.0, "front": 0.6, "wrist": 0.99}
    pictures = dict.fromkeys(("front", "wrist"), np.full((48, 64, 3), 99, np.uint8))
    view.add(Tick(pictures, {}, {}, False, clock_s), {}, 30)
    front, wrist = poller.look().cameras
    assert (front.warning, wrist.warning) == ("late 0.40 s", None)


def test_a_dark_picture_is_told(account, poller, view, clock):
    view.show({"front": np.full((48, 64, 3), 9, np.uint8), "wrist": np.full((48, 64, 3), 60, np.uint8)})
    front, wrist = poller.look().cameras
    assert (front.warning, wrist.warning) == ("dark", None)
    assert (front.number, front.age_s, front.fps) == (1, None, None)
    assert (wrist.picture == 60).all()


def test_disk_minutes_are_those_of_frames_like_the_saved_ones(account, poller, clock, monkeypatch):
    assert poller.look().disk_minutes is None
    monkeypatch.setattr(
        collector.tui.snapshot.shutil, "disk_usage", lambda folder: SimpleNamespace(free=18e9)
    )
    saved(account, clock, 7, frames=300, bytes=3_000_000)
    assert poller.look().disk_minutes == pytest.approx(18e9 / 10_000 / 30 / 60)


def test_a_session_that_has_just_ended_is_still_shown(account, clock):
    account.view = account.view | {"name": "its_memory_is_gone"}
    poller = Poller(account)
    assert poller.look().cameras == ()
    tell(account, clock, "done", episodes=0, taken_back=0, kept_in=None)
    assert poller.look().headline.word == "DONE"
