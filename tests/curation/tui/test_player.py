"""The player, key by key: the right picture for each, whatever is missing, and never a key that waits."""

import contextlib
import os
import shutil
import threading
from itertools import pairwise

import numpy as np
import pytest
from player_rig import make_set, run, settled, shared, text_of, until

from collector.dataset.reader import Dataset
from curation.tui.player import Span
from curation.tui.player.decoder import Decoder

SPANS = [
    Span(20, 26, "warn", "shaky"),
    Span(8, 12, "fault", "gripper stalled"),
    Span(30, 40, "segment", "nod"),
]


@pytest.fixture
def root(tmp_path_factory):
    return shared(tmp_path_factory, "own")


@pytest.fixture
def copy(root, tmp_path):
    shutil.copytree(root, tmp_path / "set")
    return tmp_path / "set"


def shown(player, camera="observation.images.cam0", beside=False):
    """Return the picture that a camera's pane has on the screen."""
    panes = player.query_one("Wall").beside if beside else player.query_one("Wall").panes
    return panes[camera]._picture


def true(root, episode, frame, like, camera="observation.images.cam0"):
    """Return what the reader says that a frame looks like in a pane."""
    return next(Dataset.open(root).frames(episode, camera, frame, like.shape[:2]))


KEYS = [
    ("right", 1), ("right", 2), ("left", 1), ("shift+right", 11), ("shift+right", 21), ("shift+left", 11),
    ("end", 39), ("right", 39), ("left", 38), ("home", 0), ("left", 0), ("right_square_bracket", 8),
    ("right_square_bracket", 20), ("right_square_bracket", 30), ("right_square_bracket", 30),
    ("left_square_bracket", 20), ("left", 19), ("left_square_bracket", 8), ("left_square_bracket", 8),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["own", "foreign"])
def test_each_step_shows_the_frame_that_it_should(tmp_path_factory, kind):
    root = shared(tmp_path_factory, kind)

    async def test(pilot, app, player):
        player.show(0, SPANS)
        await settled(pilot, player)
        for key, frame in KEYS:
            await pilot.press(key)
            await settled(pilot, player)
            assert player.frame == frame, key
            for camera in player.dataset.camera_keys:
                picture = shown(player, camera)
                np.testing.assert_array_equal(picture, true(root, 0, frame, picture, camera))
            assert f"frame {frame} of 40" in text_of(app)
        before = [0, *(frame for _, frame in KEYS)]
        assert app.moved == [0, *(b for a, b in pairwise(before) if a != b)]

    run(test, root)


def test_what_the_cursor_stands_in_is_told_in_words(root):
    async def test(pilot, app, player):
        player.show(0, SPANS, at=9)
        player.mark_in, player.mark_out = 4, 36
        await settled(pilot, player)
        text = text_of(app)
        assert "frame 9 of 40" in text and "0.30 of 1.33 s" in text and "1/3 fault: gripper stalled" in text
        line = next(line for line in text.splitlines() if "!" in line and "═" in line)
        assert line.index("[") < line.index("!") < line.index("?") < line.index("═") < line.index("]")
        player.mark_in = player.mark_out = None
        await pilot.pause()
        assert "[" not in text_of(app)

    run(test, root)


def test_plots_say_what_was_asked_and_measured_and_v_turns_to_the_next(root):
    async def test(pilot, app, player):
        player.show(0, at=10)
        await settled(pilot, player)
        text = text_of(app)
        assert "action, state" in text and "pan.pos" in text
        assert "asked 0.909" in text and "measured 0.809" in text  # sin(2), and 0.1 less
        await pilot.press("v")
        assert "next.reward" in text_of(app) and "10.0" in text_of(app)
        await pilot.press("v")
        assert "lateness against" in text_of(app) and "1 ms" in text_of(app)  # 10 % 3
        await pilot.press("v")
        assert "action, state" in text_of(app)

    run(test, root)


def test_it_plays_in_time_to_the_end_and_again(root):
    async def test(pilot, app, player):
        player.show(1)
        await settled(pilot, player)
        await pilot.press("plus", "plus", "plus", "plus", "plus")
        assert "8x" in text_of(app)
        await pilot.press("space")
        await until(pilot, lambda: player.frame == 29)
        await settled(pilot, player)
        assert not player.playing
        picture = shown(player)
        np.testing.assert_array_equal(picture, true(root, 1, 29, picture))
        assert app.moved == sorted(app.moved)
        await pilot.press("minus", "minus", "minus", "minus", "minus", "minus", "minus", "space")
        assert player.playing and player.frame < 29 and "0.1x" in text_of(app)
        await pilot.press("left")
        assert not player.playing

    run(test, root)


def test_a_span_is_played_again_and_again(root):
    async def test(pilot, app, player):
        player.show(0, SPANS, at=8)
        await pilot.press("l")
        assert player.playing and "loop 8-11" in text_of(app)
        await until(pilot, lambda: any(b < a for a, b in pairwise(app.moved)))
        assert set(app.moved) <= {8, 9, 10, 11}
        await pilot.press("l")
        assert "loop" not in text_of(app)
        await until(pilot, lambda: player.frame > 11)

    run(test, root)


def test_another_episode_beside_is_at_the_same_share_of_its_time(root):
    async def test(pilot, app, player):
        player.show(0, at=20)
        await settled(pilot, player)
        await pilot.press("b")
        assert not player.query_one("Wall").both  # none is known
        player.show(0, at=20, beside=2)
        await pilot.press("b")
        await settled(pilot, player)
        assert "beside: episode 2, frame 18 of 36" in text_of(app)
        for camera in player.dataset.camera_keys:
            picture = shown(player, camera, beside=True)
            np.testing.assert_array_equal(picture, true(root, 2, 18, picture, camera))
        await pilot.press("end")
        await settled(pilot, player)
        np.testing.assert_array_equal(shown(player, beside=True), true(root, 2, 35, picture))
        await pilot.press("b")
        await settled(pilot, player)
        assert "beside" not in text_of(app)

    run(test, root)


def test_a_camera_is_enlarged_and_all_come_back(root):
    async def test(pilot, app, player):
        player.show(0, at=3)
        await settled(pilot, player)
        small = shown(player).shape
        await pilot.press("e")
        await until(pilot, lambda: shown(player).shape > small)
        assert "cam0" in text_of(app) and "cam1" not in text_of(app)
        picture = shown(player)
        np.testing.assert_array_equal(picture, true(root, 0, 3, picture))
        await pilot.press("e")
        await settled(pilot, player)
        assert "cam1" in text_of(app) and "cam0" not in text_of(app)
        await pilot.press("e")
        await until(pilot, lambda: shown(player).shape == small)
        assert "cam0" in text_of(app) and "cam1" in text_of(app)

    run(test, root, (60, 30))


def test_the_next_episode_is_there_when_it_is_shown(root):
    async def test(pilot, app, player):
        player.show(0)
        await settled(pilot, player)
        player.prefetch(1)
        fetched = player._stage.next
        await until(pilot, lambda: all(0 in one.reel for one in fetched.decoders.values()))
        player.show(1)
        assert player._stage.clip is fetched  # nothing was decoded twice
        await settled(pilot, player)
        np.testing.assert_array_equal(shown(player), true(root, 1, 0, shown(player)))

    run(test, root)


def test_what_is_decoded_stays_within_the_limit(root, monkeypatch):
    monkeypatch.setattr("curation.tui.player.stage.LIMIT", 100_000)

    async def test(pilot, app, player):
        player.show(0, beside=2)
        player.prefetch(1)
        await pilot.press("b")
        held = []
        for _ in range(3):
            for key in ("end", "home", "shift+right", "shift+right"):
                await pilot.press(key)
                await settled(pilot, player)
                held.append(player.n_bytes)
        assert 0 < max(held) <= 100_000

    run(test, root)


def test_keys_are_answered_while_a_decoder_is_stuck(copy):
    (path,) = copy.glob("videos/*cam1/**/*.mp4")
    path.unlink()
    os.mkfifo(path)  # opening it waits for ever

    async def test(pilot, app, player):
        player.show(0, SPANS)
        await until(pilot, lambda: shown(player) is not None)
        await pilot.press("shift+right", "right", "v")
        await until(pilot, lambda: np.array_equal(shown(player), true(copy, 0, 11, shown(player))))
        text = text_of(app)
        assert "frame 11 of 40" in text and "next.reward" in text and "decoding" in text
        await pilot.press("minus", "minus", "space")
        await until(pilot, lambda: "! 0 of " in text_of(app))  # what is not shown is said
        assert player.playing
        player.show(1)
        await until(pilot, lambda: "episode 1" in text_of(app))
        player.close()
        stuck = [thread for thread in threading.enumerate() if isinstance(thread, Decoder)]
        assert len(stuck) == 2 and {thread.camera[-4:] for thread in stuck} == {"cam1"}
        with contextlib.suppress(OSError):  # so that none is left to the tests after
            while any(thread.is_alive() for thread in stuck):
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    run(test, copy)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_broken_video_is_said_in_words_and_the_rest_goes_on(copy, damage):
    (path,) = copy.glob("videos/*cam1/**/*.mp4")
    path.unlink() if damage == "missing" else path.write_bytes(b"no video" * 1000)

    async def test(pilot, app, player):
        player.show(0)
        await settled(pilot, player)
        await pilot.press("right")
        await settled(pilot, player)
        text = text_of(app)
        assert "! no video" in text and "restore it" in text.replace("\n", " ") and "asked" in text
        np.testing.assert_array_equal(shown(player), true(copy, 0, 1, shown(player)))
        assert len(app.failed) == 1 and str(path) in app.failed[0]

    run(test, copy, size=(200, 30))


def test_a_missing_data_file_leaves_the_pictures(copy):
    picture = next(Dataset.open(copy).frames(0, "observation.images.cam0", 5))

    async def test(pilot, app, player):
        player.dataset.data_files[0].unlink()
        player.show(0, at=5)
        await settled(pilot, player)
        assert np.abs(shown(player).mean((0, 1)) - picture.mean((0, 1))).max() < 2
        assert "is missing: restore it" in " ".join(text_of(app).split())
        assert len(app.failed) == 1

    run(test, copy, (200, 30))


def test_a_dataset_without_cameras_shows_plots_alone(tmp_path_factory):
    async def test(pilot, app, player):
        player.show(0, SPANS, at=7)
        await settled(pilot, player)
        text = text_of(app)
        assert text.startswith(" ‖ 1x  episode 0  frame 7 of 40") and "gripper.pos" in text
        for key in ("e", "b", "i", "space", "right"):
            await pilot.press(key)
        await settled(pilot, player)

    run(test, shared(tmp_path_factory, "blind"))


SIZES = [(20, 3), (40, 10), (80, 24), (160, 48), (300, 80)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_size_of_terminal_shows_what_there_is_room_for(root, size):
    async def test(pilot, app, player):
        player.show(0, SPANS, at=9, beside=1)
        await settled(pilot, player)
        await pilot.press("b", "e", "e", "e")
        await settled(pilot, player)
        lines = text_of(app).splitlines()
        assert len(lines) == size[1] and any("1x" in line for line in lines)
        assert size[1] < 10 or any("▀" in line for line in lines)
        assert size[1] < 24 or "gripper.pos" in text_of(app)

    run(test, root, size)


def test_six_cameras_are_all_seen(tmp_path):
    root = make_set(tmp_path / "six", cameras=6, lengths=(4,))

    async def test(pilot, app, player):
        for size in ((80, 24), (40, 10), (160, 20)):
            await pilot.resize_terminal(*size)
            player.show(0, at=3)
            await settled(pilot, player)
            text = text_of(app)
            assert all(f"cam{i}" in text for i in range(6)), text
            for camera in player.dataset.camera_keys:
                picture = shown(player, camera)
                np.testing.assert_array_equal(picture, true(root, 0, 3, picture, camera))

    run(test, root, (80, 24))


def test_keys_can_be_remapped(root):
    async def test(pilot, app, player):
        app.set_keymap({"player.on": "n"})
        player.show(0)
        await pilot.press("n", "n")
        assert player.frame == 2

    run(test, root)


def test_every_key_has_an_id_and_says_what_it_does(root):
    async def test(pilot, app, player):
        bindings = [binding for bindings in player._bindings for binding in bindings[1:]]
        assert all(binding.id.startswith("player.") and binding.tooltip for binding in bindings)
        for binding in bindings:  # nothing is shown yet, and no key falls over that
            await player.run_action(binding.action)

    run(test, root)


def test_marks_are_the_rooms_whether_set_before_or_after_an_episode_is_shown(root):
    async def test(pilot, app, player):
        player.mark_in, player.mark_out = 4, 20
        player.show(1)
        await settled(pilot, player)
        assert (player.mark_in, player.mark_out) == (4, 20) and "[" in text_of(app) and "]" in text_of(app)

    run(test, root)


def test_a_player_that_the_room_hides_rests_and_is_right_when_it_is_seen_again(root):
    async def test(pilot, app, player):
        player.show(0)
        player.display = False
        await settled(pilot, player)
        player.show(1, at=7)
        await settled(pilot, player)
        player.display = True
        await until(pilot, lambda: shown(player) is not None and shown(player).shape[0] > 2)
        await settled(pilot, player)
        np.testing.assert_array_equal(shown(player), true(root, 1, 7, shown(player)))

    run(test, root)


def test_the_mouse_points_at_a_moment(root):
    async def test(pilot, app, player):
        player.show(0)
        await settled(pilot, player)
        board = player.query_one("Board")
        await pilot.click(board, offset=(board.size.width - 1, 2))
        assert player.frame == 39
        assert await pilot.click(board, offset=(2, 2)) and player.frame == 39  # names are no time

    run(test, root)


def test_closing_ends_the_threads(root):
    async def test(pilot, app, player):
        player.show(0, beside=1)
        player.prefetch(2)
        await settled(pilot, player)
        player.close()
        assert not any(isinstance(thread, Decoder) for thread in threading.enumerate())
        await pilot.press("right", "space", "b", "l", "o")

    run(test, root)
