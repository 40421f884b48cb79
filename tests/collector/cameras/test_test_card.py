"""The synthetic camera keeps lerobot's camera contract, and its counter can be read, from a video too."""

import importlib
import time
from itertools import pairwise

import numpy as np
import pytest
from lerobot.cameras import CameraConfig, make_cameras_from_configs
from lerobot.robots import RobotConfig
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError
from servo_bus import ServoBus

from collector.cameras.test_card import TestCardCameraConfig, _card, draw, read_counter
from collector.errors import DeviceError, UsageError


@pytest.fixture
def camera():
    config = CameraConfig.get_choice_class("test_card")(width=160, height=120, fps=50)
    camera = make_cameras_from_configs({"front": config})["front"]
    yield camera
    if camera.is_connected:
        camera.disconnect()


@pytest.mark.parametrize(("height", "width"), [(16, 32), (48, 64), (120, 160), (480, 640), (720, 1280)])
def test_the_counter_can_be_read(height, width):
    card = _card(height, width)
    for number in (0, 1, 7, 98_765, 123_456, 999_999, 1_000_000):
        for light in (0.3, 1.0):
            picture = draw(card, number, width, light)
            assert picture.shape == (height, width, 3)
            assert read_counter(picture) == number % 1_000_000


def test_the_card_moves_without_a_jump():
    card = _card(48, 64)
    pictures = [draw(card, number, 64)[40:] for number in range(64)]
    assert all((a != b).any() for a, b in pairwise(pictures))
    np.testing.assert_array_equal(pictures[31][:, 2:], pictures[32][:, :-2])


def test_pictures_come_in_order_with_their_moment(camera):
    camera.connect()
    numbers, moments = [], []
    for _ in range(10):
        picture = camera.async_read(timeout_ms=5000)
        assert picture.shape == (120, 160, 3)
        numbers.append(read_counter(picture))
        moments.append(camera.latest_timestamp)
    assert numbers == sorted(set(numbers))
    assert moments == sorted(moments)
    assert read_counter(camera.read_latest(max_age_ms=5000)) >= numbers[-1]
    assert read_counter(camera.read()) > numbers[-1]


def test_the_contract_of_a_camera(camera):
    for call in (camera.read, camera.async_read, camera.read_latest, camera.disconnect):
        with pytest.raises(DeviceNotConnectedError):
            call()
    camera.connect()
    with pytest.raises(DeviceAlreadyConnectedError):
        camera.connect()
    time.sleep(0.05)
    with pytest.raises(TimeoutError, match="ms old"):
        camera.read_latest(max_age_ms=-1)
    camera.disconnect()
    assert not camera.is_connected
    assert camera.latest_frame is None
    camera.connect()
    assert camera.is_connected


def test_a_size_that_cannot_hold_the_counter_is_refused():
    with pytest.raises(UsageError, match="width=8"):
        TestCardCameraConfig(width=8)


@pytest.mark.parametrize(
    ("kind", "package", "flags"),
    [
        ("zmq", "pyzmq", {"server_address": "localhost"}),
        ("intelrealsense", "pyrealsense2", {"serial_number_or_name": "1"}),
    ],
)
def test_a_camera_whose_driver_is_missing_says_what_to_install(kind, package, flags, monkeypatch):
    from collector.session.devices import make_robot, register_devices

    register_devices(["--robot.type=so101_follower", f"--robot.cameras={{front: {{type: {kind}}}}}"])
    utils = importlib.import_module("lerobot.utils.import_utils")
    monkeypatch.setattr(utils, "_require_package_cache", {})
    monkeypatch.setattr(utils, "is_package_available", lambda *args, **kwargs: False)
    config = CameraConfig.get_choice_class(kind)(width=64, height=48, fps=30, **flags)
    arm = RobotConfig.get_choice_class("so101_follower")(port="/dev/null", cameras={"front": config})
    monkeypatch.setattr("lerobot.robots.so_follower.so_follower.FeetechMotorsBus", lambda **kwargs: None)
    with pytest.raises(DeviceError, match=f"robot 'so10._follower' cannot be made: .*{package}"):
        make_robot(arm)


def test_a_real_arm_records_it(demodeck, tmp_path):
    from collector.dataset.reader import Dataset

    buses = {name: ServoBus() for name in ("leader", "follower")}
    try:
        for name in buses:
            ServoBus.write_calibration(tmp_path / "calibration", name)
        parts = {"robot": ("so101_follower", "follower"), "teleop": ("so101_leader", "leader")}
        device_flags = [
            f"--{part}.{key}={value}"
            for part, (kind, name) in parts.items()
            for key, value in {
                "type": kind,
                "port": buses[name].path,
                "id": name,
                "calibration_dir": tmp_path / "calibration",
            }.items()
        ]
        code, _, err = demodeck(
            "record", *device_flags,
            "--robot.cameras={card: {type: test_card, width: 320, height: 240, fps: 30}}",
            "--dataset.repo_id=lab/card", f"--dataset.root={tmp_path / 'set'}", "--dataset.single_task=look",
            "--dataset.push_to_hub=false", "--dataset.num_episodes=1", "--dataset.episode_time_s=1.5",
            "--dataset.reset_time_s=0", "--dataset.rgb_encoder.vcodec=h264",
        )  # fmt: skip
    finally:
        for bus in buses.values():
            bus.close()
    assert code == 0, err
    dataset = Dataset.open(tmp_path / "set")
    pictures = dataset.frames(0, "observation.images.card")
    numbers = [read_counter(picture) for picture in pictures]
    assert len(numbers) == 45
    assert numbers == sorted(numbers)
    # However many pictures it had the time to take, each has a moment of its own.
    taken_s = dataset.episode(0, ["clock.card"])["clock.card"].ravel().tolist()
    assert len(set(numbers)) == len(set(taken_s)) == len(set(zip(numbers, taken_s))) > 1
