"""A camera that froze, repeats itself, lags or skips is caught in the flight; a healthy or still one never is."""

import numpy as np
import pytest

from collector.session.cameras import CameraWatch

FPS = 30
PERIOD_S = 1 / FPS
SHAPE = (64, 64, 3)


class Camera:
    """A camera as lerobot's: its thread puts the latest picture and its moment there."""

    fps = FPS

    def __init__(self, noise=True):
        self.rng = np.random.default_rng(1)
        self.noise = noise
        self.latest_frame, self.latest_timestamp = self.picture(), 0.0

    def picture(self):
        return self.rng.integers(0, 256, SHAPE, np.uint8) if self.noise else np.full(SHAPE, 90, np.uint8)

    def capture(self, moment_s):
        self.latest_frame, self.latest_timestamp = self.picture(), moment_s


class Robot:
    def __init__(self, **cameras):
        self.cameras = cameras
        self.observation_features = {"pan.pos": float, **dict.fromkeys(cameras, SHAPE)}


def fly(camera, captured, n_ticks=120):
    """Fly ticks; `captured(k)` gives when the picture that tick k sees was taken [s]. Return watch, said, clocks."""
    said = []
    robot = Robot(front=camera)
    watch = CameraWatch(robot, FPS, said.append)
    clocks = []
    for k in range(n_ticks):
        now_s = k * PERIOD_S
        moment = captured(k)
        if moment != camera.latest_timestamp:
            camera.capture(moment)
        watch.before_observation()
        observation = {"pan.pos": 0.0, "front": camera.latest_frame}
        clocks.append(watch.captured_s(observation, now_s, lambda moment: moment)["front"])
    faults = watch.end(n_ticks * PERIOD_S)
    return faults, said, clocks


def taken(k):
    return k * PERIOD_S - 0.012


@pytest.mark.parametrize("noise", [True, False])
def test_a_healthy_camera_and_a_still_scene_are_not_accused(noise):
    jitter = np.random.default_rng(2).uniform(-0.01, 0.01, 120)
    faults, said, clocks = fly(Camera(noise), lambda k: taken(k) + jitter[k])
    assert faults == said == []
    np.testing.assert_allclose(clocks, [taken(k) + jitter[k] for k in range(120)])


def test_a_camera_at_half_the_rate_is_not_accused():
    camera = Camera()
    camera.fps = 15
    assert fly(camera, lambda k: taken(k - k % 2))[0] == []


def test_a_frozen_camera_is_said_within_its_limit_and_ends():
    faults, said, clocks = fly(Camera(), lambda k: taken(min(k, 40)) if k < 80 else taken(k))
    assert [fault["kind"] for fault in faults] == ["froze"]
    assert len(said) == 1
    assert faults[0]["from_s"] == pytest.approx(taken(40))
    assert faults[0]["to_s"] == pytest.approx(taken(80))
    assert "camera 'front' sent no picture for" in said[0].words()
    assert clocks[79] == clocks[40], "the clock shows the old picture's moment"


def test_it_is_said_while_it_lasts():
    camera, when = Camera(), []
    watch = CameraWatch(Robot(front=camera), FPS, lambda fault: when.append(fault.to_s))
    for k in range(60):
        if k <= 30:
            camera.capture(taken(k))
        watch.before_observation()
        watch.captured_s({"front": camera.latest_frame}, k * PERIOD_S, lambda moment: moment)
    assert len(when) == 1
    assert when[0] - taken(30) < 0.15 + PERIOD_S


def test_pictures_that_repeat_under_a_running_clock():
    camera = Camera()
    real = camera.picture
    frozen = []

    def picture():
        frozen.append(real())
        return frozen[min(len(frozen) - 1, 60)]

    camera.picture = picture
    faults, _, _ = fly(camera, taken)
    assert [fault["kind"] for fault in faults] == ["repeats"]
    assert faults[0]["from_s"] == pytest.approx(60 * PERIOD_S, abs=2 * PERIOD_S)
    assert faults[0]["to_s"] == pytest.approx(120 * PERIOD_S)


def test_a_lagging_camera():
    faults, _, _ = fly(Camera(), lambda k: taken(k) - (0.4 if k > 50 else 0.0))
    assert {fault["kind"] for fault in faults} <= {"late", "froze"}
    assert "late" in {fault["kind"] for fault in faults}


def test_a_gap_between_two_pictures():
    faults, said, _ = fly(Camera(), lambda k: taken(30) if 30 <= k < 34 else taken(k))
    assert [fault["kind"] for fault in faults] == ["skipped"]
    assert faults[0]["to_s"] - faults[0]["from_s"] == pytest.approx(4 * PERIOD_S)
    assert "left a gap of 0.13 s" in said[0].words()


def test_a_camera_that_drops_every_third_picture_is_slow():
    faults, said, _ = fly(Camera(), lambda k: taken(k - (k % 3 == 2)), n_ticks=200)
    assert [fault["kind"] for fault in faults] == ["slow"]
    assert faults[0]["to_s"] == pytest.approx(200 * PERIOD_S)
    assert "sends fewer than 25.5 pictures a second" in said[0].words()


def test_a_slow_camera_is_seen_between_holes():
    def moment(k):
        hole = k % 50 in range(
            40, 48
        )  # longer than a camera may be silent, and oftener than every two seconds
        return taken(k - k % 50 + 39 if hole else k - (k % 3 == 2))

    faults, _, _ = fly(Camera(), moment, n_ticks=200)
    assert {fault["kind"] for fault in faults} == {"froze", "slow"}


def test_holes_alone_make_no_camera_slow():
    faults, _, _ = fly(
        Camera(), lambda k: taken(k - k % 50 + 39 if k % 50 in range(40, 48) else k), n_ticks=200
    )
    assert {fault["kind"] for fault in faults} == {"froze"}


def test_the_moment_belongs_to_the_picture_that_was_handed_out():
    camera = Camera()
    watch = CameraWatch(Robot(front=camera), FPS)
    camera.capture(1.0)
    watch.before_observation()
    handed_out = camera.latest_frame
    camera.capture(1.5)  # the camera's thread was quicker than we are
    clocks = watch.captured_s({"front": handed_out}, 1.6, lambda moment: moment)
    assert clocks == {"front": 1.0}


def test_a_camera_without_a_clock_took_its_picture_when_asked():
    class Plain:
        pass

    watch = CameraWatch(Robot(front=Plain()), FPS)
    watch.before_observation()
    assert watch.captured_s({"front": np.zeros(SHAPE, np.uint8)}, 3.25, lambda m: m) == {"front": 3.25}


class Lit(Camera):
    """A camera before a textured, noisy scene that an arm crosses; `light` is how bright it is."""

    def __init__(self, scene_seed=3):
        self.light, self.n = 1.0, 0
        self.noisy = np.random.default_rng(1)
        self.scene = np.random.default_rng(scene_seed).uniform(30, 150, (8, 8, 1)).repeat(8, 0).repeat(8, 1)
        super().__init__()

    def picture(self):
        self.n += 1
        picture = self.scene + self.noisy.normal(0, 4, SHAPE)
        picture[:, self.n % 40 : self.n % 40 + 16] = 20  # the arm, a quarter of the picture
        return np.clip(picture * self.light, 0, 255).astype(np.uint8)


def fly_lit(camera, light, n_ticks=300):
    """Fly ticks with `light(t_s)`."""

    def captured(k):
        camera.light = light(k * PERIOD_S)
        return taken(k)

    return fly(camera, captured, n_ticks)


def test_light_that_flickers_a_little_is_not_accused():
    faults, _, _ = fly_lit(Lit(), lambda t_s: 1 + 0.15 * np.sin(7 * t_s))
    assert faults == []


def test_light_off_and_on_again():
    faults, said, _ = fly_lit(Lit(), lambda t_s: 0.02 if 4 <= t_s < 6 else 1.0)
    assert [fault["kind"] for fault in faults] == ["dark"]
    assert (faults[0]["from_s"], faults[0]["to_s"]) == pytest.approx((4, 6), abs=0.05)
    assert "camera 'front' is dark: mean brightness 1 of 255 (limit 10)" in said[0].words()


def test_a_hand_before_the_lens_is_not_accused():
    assert fly_lit(Lit(), lambda t_s: 0.02 if 4 <= t_s < 4.4 else 1.0)[0] == []


def test_an_overexposed_camera():
    faults, said, _ = fly_lit(Lit(), lambda t_s: 12.0)
    assert [fault["kind"] for fault in faults] == ["overexposed"]
    assert faults[0]["to_s"] == pytest.approx(10)
    assert "% of the picture is white (limit 60%)" in said[0].words()


@pytest.mark.parametrize(("light", "seen"), [(1.6, "1.6 times"), (0.5, "0.5 times")])
def test_brightness_that_drifts_and_comes_back(light, seen):
    faults, said, _ = fly_lit(Lit(), lambda t_s: light if 4 <= t_s < 7 else 1.0)
    assert [fault["kind"] for fault in faults] == ["drifts"]
    assert (faults[0]["from_s"], faults[0]["to_s"]) == pytest.approx((4, 8), abs=1.1)
    assert seen in said[0].words()


def test_a_camera_that_turns_to_another_scene_is_not_accused():
    camera, other = Lit(), Lit(scene_seed=4).scene * 0.6

    def light(t_s):
        if t_s > 4:
            camera.scene = other
        return 1.0

    assert fly_lit(camera, light)[0] == []


def test_a_slow_drift_of_a_plain_wall_is_seen():
    camera = Lit()
    camera.scene = np.full(SHAPE, 80.0)
    faults, _, _ = fly_lit(camera, lambda t_s: 1 + t_s / 10)
    assert [fault["kind"] for fault in faults] == ["drifts"]


def test_faults_of_time_carry_no_brightness():
    faults, _, _ = fly(Camera(), lambda k: taken(min(k, 40)))
    assert set(faults[0]) == {"camera", "kind", "from_s", "to_s", "limit_s"}
