"""What a screen sees in shared memory is whole, whatever control writes meanwhile."""

import contextlib
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

import collector.session.view
from collector.session.fly import Tick
from collector.session.view import View

SPAWN = multiprocessing.get_context("spawn")
JOINTS = ["pan.pos", "lift.pos", "gripper.pos"]


def tick_of(number, cameras=(), pictures=None):
    """Return a tick whose every value says its number."""
    at_s = number / 30
    clock_s = {"tick": at_s, "observation": at_s, "action": at_s, **dict.fromkeys(cameras, at_s - number)}
    joints = {joint: float(number + k) for k, joint in enumerate(JOINTS)}
    sent = {joint: -value for joint, value in joints.items()}
    return Tick(pictures or {}, joints, sent, False, clock_s)


def write_rows(joints, cameras, name, n):
    view = View(joints, cameras, name)
    view.begin()
    for number in range(n):
        view.add(tick_of(number, cameras), dict.fromkeys(joints, number / 2), 30, input_age_s=number)
    view.close()


def write_colours(cameras, name, stop):
    view = View([], cameras, name)
    (camera, (height, width)), colour = next(iter(cameras.items())), 0
    while not stop.is_set():
        colour = colour % 250 + 1
        view.show({camera: np.full((height, width, 3), colour, np.uint8)})
    view.close()


@contextlib.contextmanager
def another(target, *args):
    process = SPAWN.Process(target=target, args=args)
    process.start()
    try:
        yield process
    finally:
        process.join(240)
        if process.is_alive():
            process.kill()


@pytest.fixture
def memory():
    """Makes views, and sees to it that they leave nothing."""
    made = []

    def make(joints, cameras):
        made.append(View(joints, cameras))
        return made[-1]

    yield make
    for view in made:
        name = view.name.lstrip("/")
        view.close()
        if Path("/dev/shm").is_dir():
            assert not Path("/dev/shm", name).exists()


def test_rows_of_another_process_are_read_whole(memory):
    view = memory(JOINTS, {"front": (4, 6)})
    with another(write_rows, JOINTS, view.cameras, view.name, 500) as process:
        while process.is_alive():
            check(view.rows(600), newest=None)
    check(view.rows(600), newest=499)
    assert len(view.rows(600).time_s) == 500
    assert len(view.rows(0).time_s) == 0


def check(rows, newest):
    """Check that each row is of one tick, and that none is missing."""
    number = rows.asked[:, 0]
    if newest is not None:
        assert number[-1] == newest
    assert (np.diff(number) == 1).all()
    for k in range(len(JOINTS)):
        assert (rows.asked[:, k] == number + k).all()
        assert (rows.sent[:, k] == -(number + k)).all()
        assert (rows.measured[:, k] == number / 2).all()
    assert (rows.input_age_s == number).all()
    assert np.allclose(rows.camera_age_s[:, 0], number)
    assert np.allclose(rows.late_ms, 0, atol=1e-3)
    assert (rows.flight == 1).all()
    assert (np.diff(rows.time_s) >= 0).all()


def test_the_newest_are_kept(memory):
    view = memory(JOINTS, {})
    view.begin()
    n = collector.session.view._ROWS + 700
    for number in range(n):
        view.add(tick_of(number), {}, 30)
    rows = view.rows(600)
    assert rows.asked[-1, 0] == n - 1
    assert (np.diff(rows.asked[:, 0]) == 1).all()
    assert len(rows.time_s) >= collector.session.view._ROWS - 100


def test_what_is_not_measured_is_not_a_number(memory):
    view = memory(JOINTS, {"front": (4, 6)})
    view.begin()
    view.add(tick_of(0), {"lift.pos": 3.0}, 30)
    rows = view.rows(600)
    assert np.isnan(rows.measured[0]).tolist() == [True, False, True]
    assert np.isnan(rows.camera_age_s[0, 0])


def test_flights_are_told_apart_and_each_is_late_by_its_own_clock(memory):
    view = memory(JOINTS, {})
    for _ in range(2):
        view.begin()
        for number in range(3):
            view.add(tick_of(number), {}, 30)
    rows = view.rows(600)
    assert rows.flight.tolist() == [1, 1, 1, 2, 2, 2]
    assert np.allclose(rows.late_ms, 0, atol=1e-3)


def test_a_picture_is_never_torn(memory):
    view = memory([], {"front": (480, 640)})
    stop = SPAWN.Event()
    with another(write_colours, view.cameras, view.name, stop):
        try:
            seen, colours, deadline_s = 0, set(), time.monotonic() + 240
            while seen < 300:
                assert time.monotonic() < deadline_s
                _, picture = view.picture("front")
                if picture is None:
                    continue
                assert (picture == picture[0, 0, 0]).all()
                seen += 1
                colours.add(int(picture[0, 0, 0]))
            assert len(colours) > 1  # they were written meanwhile
        finally:
            stop.set()


@pytest.mark.parametrize(
    ("size", "shown"),
    [((48, 64), (48, 64)), ((240, 320), (240, 320)), ((720, 1280), (180, 320)), ((7, 321), (4, 161))],
)
def test_wide_pictures_are_thinned_out(size, shown, memory):
    view = memory([], {"front": size})
    assert view.picture("front") == (0, None)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    view.show({"front": picture})
    count, seen = view.picture("front")
    assert count == 1
    assert seen.shape == (*shown, 3)
    stride = -(-size[1] // 320)
    assert np.array_equal(seen, picture[::stride, ::stride])


def test_cameras_are_told_apart_and_a_picture_of_another_size_is_left_out(memory):
    view = memory([], {"front": (4, 6), "wrist": (2, 2)})
    view.show({"front": np.full((4, 6, 3), 7, np.uint8), "wrist": np.zeros((9, 9, 3), np.uint8)})
    assert view.picture("front")[0] == 1
    assert (view.picture("front")[1] == 7).all()
    assert view.picture("wrist") == (0, None)


def test_a_screen_that_looks_removes_nothing(memory):
    view = memory(JOINTS, {})
    screen = View(JOINTS, {}, view.name)
    screen.close()
    again = View(JOINTS, {}, view.name)
    again.close()


def test_a_maker_that_closes_while_somebody_looks_leaves_no_name_behind(memory):
    view = View([], {"front": (4, 6)})
    name = view.name
    held = view._pictures["front"]
    view.close()
    with pytest.raises(FileNotFoundError):
        View([], {"front": (4, 6)}, name)
    assert held.shape == (4, 6, 3)
