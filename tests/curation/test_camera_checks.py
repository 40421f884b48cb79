"""Cameras that moved, were exchanged, come late, leap or stutter: found among good ones, and in the right frames."""

import re

import numpy as np
import pytest
from synthetic_arm import FPS, NAMES, flight

from curation.checks.base import Episode
from curation.checks.picture_model import fit_pictures
from curation.checks.register import place_of, view_of
from curation.grey import portraits_of, shrunk, video_series
from curation.scores import score_episodes

HEIGHT, WIDTH = 36, 48
CAMERAS = ("front", "side")


def scene(seed):
    """A room: smooth light and dark patches, float32."""
    from scipy.ndimage import gaussian_filter

    rough = np.random.default_rng(seed).normal(size=(HEIGHT + 16, WIDTH + 16))
    patches = gaussian_filter(rough, 2.5)
    return (120 + 25 * patches / patches.std()).astype(np.float32)


def shown(columns, camera, seed, moved=(0, 0), light=1.0):
    """What a camera sees of a flight: its room, and a dark arm whose place follows from two joints."""
    rng = np.random.default_rng([seed, camera])
    room = scene(camera)[8 + moved[1] : 8 + moved[1] + HEIGHT, 8 + moved[0] : 8 + moved[0] + WIDTH]
    state = columns["observation.state"]
    across = np.round(24 + 0.3 * state[:, 0] + 3 * camera).astype(int)
    down = np.round(14 - 0.2 * state[:, 1 + camera]).astype(int)
    pictures = np.repeat(room[None], len(state), axis=0)
    for t, (x, y) in enumerate(zip(across, down)):
        pictures[t, max(0, y) : y + 9, max(0, x - 4) : x + 4] = 30
    noise = rng.normal(0, 1, pictures.shape).astype(np.float32)
    return np.clip(light * pictures + noise, 0, 255).astype(np.uint8)


def series(pictures):
    return video_series(np.repeat(picture[..., None], 3, axis=2) for picture in pictures)


@pytest.fixture(scope="module")
def good():
    """Flights and the pictures of their two cameras."""
    flights = [flight(seed) for seed in range(20)]
    return [
        (columns, {c: shown(columns, k, seed) for k, c in enumerate(CAMERAS)})
        for seed, columns in enumerate(flights)
    ]


@pytest.fixture(scope="module")
def seen(good):
    return [{camera: series(p) for camera, p in pictures.items()} for _, pictures in good]


def found(good, seen, number, changed):
    """What is said of the set whose flight `number` has other pictures: findings of checks on cameras."""
    videos = [dict(one) for one in seen]
    videos[number] |= {camera: series(pictures) for camera, pictures in changed.items()}
    episodes = [Episode.of(i, FPS, columns, v) for i, ((columns, _), v) in enumerate(zip(good, videos))]
    scoring = score_episodes(episodes, NAMES, NAMES)
    assert {f.episode_index for f in scoring.findings} <= {number}
    return {f.check: f for f in scoring.findings}


def test_good_cameras_are_silent(good, seen):
    assert found(good, seen, 0, {}) == {}


def test_a_camera_that_stood_elsewhere_is_found(good, seen):
    result = found(good, seen, 7, {"front": shown(good[7][0], 0, 7, moved=(3, -2))})
    assert set(result) == {"camera_moved"} and "front by 7" in result["camera_moved"].message


def test_a_lamp_at_the_side_is_no_motion(good, seen):
    lamp = np.linspace(0.9, 1.1, WIDTH, dtype=np.float32)
    assert found(good, seen, 7, {"front": shown(good[7][0], 0, 7, light=lamp)}) == {}


def test_a_bump_within_the_flight_is_found_where_it_was(good, seen):
    before, after = good[4][1]["front"], shown(good[4][0], 0, 4, moved=(-4, 2))
    n = len(before)
    half = np.concatenate([before[: n // 2], after[n // 2 :]])
    result = found(good, seen, 4, {"front": half})
    assert "camera_moved" in result
    assert result["camera_moved"].from_frame == pytest.approx(n // 2, abs=2)
    assert result["camera_moved"].to_frame == n


def test_exchanged_cameras_are_named(good, seen):
    pictures = good[9][1]
    finding = found(good, seen, 9, {"front": pictures["side"], "side": pictures["front"]})["camera_swap"]
    assert finding.severity == "fault" and "shows what" in finding.message


def test_late_pictures_are_found_with_their_delay(good, seen):
    pictures = good[5][1]["side"]
    late = np.concatenate([np.repeat(pictures[:1], 4, axis=0), pictures[:-4]])
    finding = found(good, seen, 5, {"side": late})["video_lag"]
    assert float(re.search(r"side by ([+-][\d.]+)", finding.message)[1]) == pytest.approx(4, abs=1)


def test_lost_pictures_leap(good, seen):
    pictures, t = good[11][1]["front"], 100
    lost = np.concatenate([pictures[:t], pictures[t + 8 :], np.repeat(pictures[-1:], 8, axis=0)])
    finding = found(good, seen, 11, {"front": lost})["video_jump"]
    assert abs(finding.from_frame - t) <= 1


def test_the_registration_measures_fractions_of_a_pixel():
    from scipy.ndimage import shift

    room, inside = scene(3), np.s_[8 : 8 + HEIGHT, 8 : 8 + WIDTH]
    view = view_of(np.repeat(room[None][(0, *inside)][None], 8, axis=0), 1.0)
    moved = shift(room, (-0.25, 0.4), order=3, mode="nearest")[inside]
    moved[10:20, 20:30] = 10  # an arm before the background
    place = place_of(0.7 * moved, view)
    assert view.axes.T @ place.shift == pytest.approx((0.4, -0.25), abs=0.03)
    assert place.light == pytest.approx(0.7, abs=0.02)
    far = place_of(shift(room, (4.5, -5.25), order=1, mode="nearest")[inside], view)
    assert view.axes.T @ far.shift == pytest.approx((-5.25, 4.5), abs=0.15)
    flat = np.full((HEIGHT, WIDTH), 90.0, np.float32)
    assert place_of(flat, view_of(flat[None], 1.0)).unsure.min() > 1


def test_along_a_straight_edge_nothing_is_told():
    edge = np.where(np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) > 40, 180.0, 90.0).astype(np.float32)
    view = view_of(edge[None], 1.0)
    assert abs(view.axes[0] @ (1, 1)) == pytest.approx(np.sqrt(2), abs=0.02)
    place = place_of(np.roll(edge, 1, axis=1), view)
    assert abs(place.shift[0]) == pytest.approx(np.sqrt(0.5), abs=0.1)
    assert place.unsure[1] > 5 * place.unsure[0]


def test_a_camera_that_moves_with_the_arm_is_found_by_what_stays_in_its_view(good, seen):
    """Everything but a jaw at the side passes by; the jaw shifts by half a pixel."""

    def shown_with_jaw(columns, seed, right):
        rng, state = np.random.default_rng([seed, 9]), columns["observation.state"]
        across = np.arange(WIDTH) - right
        jaw = np.clip(np.subtract.outer(np.arange(HEIGHT) - 14.0, 1.5 * (14 - across)), 0, 1) * (across < 14)
        wide = np.tile(scene(5), (1, 3))
        places = np.round(10 + 8 * state[:, 0] / np.ptp(state[:, 0])).astype(int) % 40
        background = np.stack([wide[8 : 8 + HEIGHT, x : x + WIDTH] for x in places])
        pictures = background * (1 - jaw) + 40 * jaw + rng.normal(0, 1, background.shape)
        return np.clip(pictures, 0, 255).astype(np.uint8)

    def with_jaw(number, right):
        return [
            {"wrist": series(shown_with_jaw(columns, seed, right * (seed == number)))}
            for seed, (columns, _) in enumerate(good)
        ]

    for right, names in ((0.0, set()), (0.5, {"camera_moved"})):
        videos = with_jaw(6, right)
        episodes = [Episode.of(i, FPS, columns, v) for i, ((columns, _), v) in enumerate(zip(good, videos))]
        scoring = score_episodes(episodes, NAMES, NAMES)
        assert {(f.episode_index, f.check) for f in scoring.findings} == {(6, name) for name in names}


def test_the_same_picture_again_and_again_leaps_at_its_end(good, seen):
    pictures, t = good[3][1]["side"], 60
    again = pictures.copy()
    again[t : t + 4] = again[t - 1]
    finding = found(good, seen, 3, {"side": again})["video_jump"]
    assert abs(finding.from_frame - (t + 4)) <= 1 and "stood still" in finding.message


def test_pictures_shown_twice_are_found(good, seen):
    pictures = good[8][1]["front"]
    order = np.arange(len(pictures))
    speed = np.abs(np.diff(good[8][0]["observation.state"], axis=0)).max(axis=1)
    at = 10 + np.sort(np.argsort(speed[10:-12])[::-6][:6]) + 1
    order[at] = at - 1
    assert "stutter" in found(good, seen, 8, {"front": pictures[order]})


def test_one_dark_camera_is_told_from_a_dark_room(good, seen):
    dark = {c: shown(good[2][0], k, 2, light=0.7) for k, c in enumerate(CAMERAS)}
    one = found(good, seen, 2, {"front": dark["front"]})
    assert "beside the others" in one["exposure"].message or "front" in one["exposure"].message


def test_pictures_of_any_size_and_number_are_measured():
    rng = np.random.default_rng(0)
    for n, height, width in ((0, 8, 8), (1, 2, 2), (3, 5, 700), (1100, 4, 6)):
        pictures = rng.integers(0, 255, (n, height, width, 3), dtype=np.uint8)
        one = video_series(pictures)
        assert len(one["blocks"]) == len(one["brightness"]) == n
        assert all(np.isfinite(values).all() for values in one.values())
        assert one["portraits"].shape[0] == (4 if n else 0) and max(one["portraits"].shape[1:]) <= 48
    assert shrunk(np.zeros((480, 640), np.float32)).shape == (34, 45)
    assert portraits_of([]).shape == (0, 0, 0)


def test_a_set_without_joints_or_of_several_sizes_has_no_model():
    one = series(np.zeros((60, 20, 30), np.uint8))
    other = series(np.zeros((60, 30, 20), np.uint8))
    model = fit_pictures([np.zeros((60, 0))] * 20, [one, other] * 10, np.zeros(0))
    assert not model.usual.size and not model.weights.size
