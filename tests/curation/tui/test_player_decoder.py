"""A decoder gives exactly the pictures that the reader gives, in whatever order they are asked for."""

import os
import random
import shutil
import time
from itertools import islice

import numpy as np
import pytest
from player_rig import encode_as_strangers_do, shared

from collector.dataset.reader import Dataset
from curation.tui.player.decoder import Decoder
from curation.tui.player.reel import Reel

CAMERA = "observation.images.cam0"
CELLS = (20, 8)  # in which a picture of 64x48 has 20x8 cells, 16 dots high


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return {kind: shared(tmp_path_factory, kind) for kind in ("own", "foreign", "images")}


@pytest.fixture
def decoder(request):
    """Return a function that starts a decoder, which is stopped after the test."""
    started = []

    def start(root, episode=1, limit=1_000_000, **kwargs):
        one = Decoder(Dataset.open(root), episode, CAMERA, limit, **kwargs)
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()
        one.join(10)
        assert not one.is_alive()


def waited(decoder, frame, cells=CELLS, **kwargs):
    """Want a frame, and return its picture when it is there."""
    decoder.want(frame, cells, **kwargs)
    for _ in range(4000):
        picture = decoder.reel.get(frame)
        if picture is not None or frame in decoder.missing or decoder.failed:
            return picture
        time.sleep(0.005)
    raise AssertionError(f"frame {frame} never came")


def expected(root, episode, size=(16, 20)):
    return list(Dataset.open(root).frames(episode, CAMERA, size=size))


ORDERS = {
    "on": list(range(30)),
    "back": list(range(29, -1, -1)),
    "about": random.Random(3).sample(range(30), 30),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["own", "foreign", "images"])
def test_each_frame_is_the_readers(sets, decoder, kind, order):
    one, true = decoder(sets[kind], ahead=3), expected(sets[kind], 1)
    for frame in ORDERS[order]:
        np.testing.assert_array_equal(waited(one, frame), true[frame])


def test_frames_before_the_keyframe_are_not_another_episodes(sets, decoder):
    # The foreign file has one keyframe: episode 2 begins far behind it.
    true = expected(sets["foreign"], 2)
    np.testing.assert_array_equal(waited(decoder(sets["foreign"], 2), 0), true[0])
    assert not np.array_equal(true[0], expected(sets["foreign"], 1)[0])


def test_steps_back_through_a_long_stretch_decode_it_once(sets, decoder):
    one = decoder(sets["foreign"])
    waited(one, 29)
    assert all(frame in one.reel for frame in range(30))  # what was decoded on the way was kept


def test_pictures_are_shrunk_to_the_pane_and_no_further(sets, decoder):
    one = decoder(sets["own"])
    assert waited(one, 3).shape == (16, 20, 3)
    one.want(3, (1000, 400))  # a pane that is larger than the picture
    for _ in range(4000):
        if (picture := one.reel.get(3)) is not None and picture.shape == (48, 64, 3):
            break
        time.sleep(0.005)
    np.testing.assert_array_equal(picture, next(islice(Dataset.open(sets["own"]).frames(1, CAMERA), 3, None)))


def test_it_holds_no_more_than_its_limit(sets, decoder):
    picture_bytes = 16 * 20 * 3
    one = decoder(sets["own"], limit=10 * picture_bytes)
    seen = []
    for frame in [*range(30), 2, 17, 29, 0]:
        assert waited(one, frame) is not None
        seen.append(one.reel.n_bytes)
    assert max(seen) <= 10 * picture_bytes


def test_at_speed_it_decodes_the_frames_that_are_drawn_wherever_the_cursor_is(sets, decoder):
    one = decoder(sets["own"], ahead=4)
    for cursor in (9, 10, 11):
        assert waited_of_step(one, cursor, 4) == 8
    assert not {9, 10, 11} & {frame for frame in range(30) if frame in one.reel}


def waited_of_step(decoder, cursor, step):
    decoder.want(cursor, CELLS, step, True)
    for _ in range(4000):
        if cursor - cursor % step in decoder.reel:
            return cursor - cursor % step
        time.sleep(0.005)
    raise AssertionError


@pytest.mark.parametrize("damage", ["missing", "empty", "no video"])
def test_a_video_that_cannot_be_opened_is_said_in_words(sets, decoder, tmp_path, damage):
    root = tmp_path / "set"
    shutil.copytree(sets["own"], root)
    (path,) = root.glob("videos/*cam0/**/*.mp4")
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"no video at all" * 100)
    one = decoder(root)
    one.join(10)
    assert str(path) in one.failed and "restore" in one.failed


def test_a_video_cut_short_shows_what_there_is(sets, decoder, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(sets["own"], root)
    (path,) = root.glob("videos/*cam0/**/*.mp4")
    encode_as_strangers_do(root, g=2, bf=0)
    whole = expected(root, 2)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"mdat") if data.rindex(b"mdat") > data.rindex(b"moov") else data.index(b"mdat")
    end = at + int.from_bytes(data[at - 4 : at], "big")
    data[end - (end - at) // 6 : end] = bytes((end - at) // 6)  # the last sixth of the pictures is zeros
    path.write_bytes(data)
    one = decoder(root, 2)
    np.testing.assert_array_equal(waited(one, 2), whole[2])
    waited(one, 35)
    assert 35 in one.missing and "restore the file" in one.missing[35]


def test_who_stops_it_does_not_wait_for_a_file_that_never_opens(sets, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(sets["own"], root)
    (path,) = root.glob("videos/*cam0/**/*.mp4")
    path.unlink()
    os.mkfifo(path)
    one = Decoder(Dataset.open(root), 0, CAMERA, 1_000_000)
    one.start()
    one.want(0, CELLS)
    time.sleep(0.05)
    one.stop()
    assert one.is_alive()  # stuck in the file, and nobody waited
    os.close(os.open(path, os.O_WRONLY))  # now the file ends
    one.join(10)
    assert not one.is_alive()


def test_the_reel_lets_go_what_is_furthest_from_the_cursor():
    reel = Reel(10 * 300)
    for frame in range(40):
        reel.add(frame, np.zeros((10, 10, 3), np.uint8), cursor=20)
    assert {frame for frame in range(40) if frame in reel} == {*range(16, 26)}
    assert reel.n_bytes == 10 * 300
    assert reel.newest(22, 0) == 22 and reel.newest(15, 0) is None
    reel.resize(2 * 300)
    assert {frame for frame in range(40) if frame in reel} <= {19, 20, 21}
    reel.resize(0)
    assert reel.n_bytes == 0
