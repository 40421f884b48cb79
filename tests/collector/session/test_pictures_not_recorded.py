"""Depth cameras and single pictures are not recorded: whoever asks is told, and lerobot's flags still parse."""

import json
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lerobot.configs.dataset import DatasetRecordConfig
from lerobot.configs.video import DepthEncoderConfig, RGBEncoderConfig

from collector.dataset import schema
from collector.dataset.writer import DatasetWriter
from collector.errors import MismatchError, UsageError
from collector.session.config import DatasetFlags, DepthEncoderFlags, EncoderFlags, RecordConfig
from collector.session.control import parse_record_flags
from collector.session.features import Recording

FLAGS = [
    "--robot.type=sim_so101",
    "--teleop.type=scripted",
    "--dataset.repo_id=lab/pick",
    "--dataset.root=set",
    "--dataset.push_to_hub=false",
]
FPS = 15
FEATURES = schema.features_for(["a.pos"], ["a.pos"], {"front": (32, 32)})
CAMERA = "observation.images.front"


def test_single_pictures_are_refused():
    with pytest.raises(UsageError, match=r"--dataset\.video=false: .* leave the flag out"):
        parse_record_flags([*FLAGS, "--dataset.video=false"])


def test_lerobots_depth_flags_are_accepted_unused():
    flags = ["vcodec=hevc", "crf=10", "depth_min=0.1", "depth_max=4", "shift=2", "use_log=false"]
    config = parse_record_flags([*FLAGS, *(f"--dataset.depth_encoder.{flag}" for flag in flags)])
    assert config.dataset.depth_encoder.depth_max == 4


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (DatasetFlags, DatasetRecordConfig),
        (EncoderFlags, RGBEncoderConfig),
        (DepthEncoderFlags, DepthEncoderConfig),
    ],
)
def test_every_flag_of_lerobot_is_known(ours, theirs):
    assert {one.name for one in fields(theirs)} <= {one.name for one in fields(ours)}


@dataclass
class Camera:
    use_depth: bool = False


@dataclass
class Arm:
    cameras: dict[str, Any] = field(default_factory=dict)


@dataclass
class Pair:
    left_arm_config: Arm = field(default_factory=Arm)
    cameras: dict[str, Any] = field(default_factory=dict)


def checked(robot):
    data = DatasetFlags(repo_id="lab/pick", no_stamp=True)
    return RecordConfig(robot=robot, dataset=data, teleop=SimpleNamespace(type="keys")).checked()


def test_a_depth_camera_is_refused_by_its_flag():
    with pytest.raises(UsageError, match=r"--robot\.cameras\.wrist\.use_depth=true: .* set it to false"):
        checked(Arm({"front": Camera(), "wrist": Camera(use_depth=True)}))
    with pytest.raises(UsageError, match=r"--robot\.left_arm_config\.cameras\.wrist\.use_depth=true"):
        checked(Pair(Arm({"wrist": Camera(use_depth=True)})))
    assert checked(Pair(Arm({"wrist": Camera()}), {"front": Camera()}))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [((48, 64, 1), "use_depth"), ((48, 64), "use_depth"), ((48, 64, 4), "set the camera to RGB")],
)
def test_a_robot_that_gives_other_than_rgb_is_refused(shape, advice):
    robot = SimpleNamespace(
        name="arm",
        observation_features={"a.pos": float, "wrist": (48, 64, 3), "wrist_depth": shape},
        action_features={"a.pos": float},
    )
    with pytest.raises(MismatchError, match=rf"camera 'wrist_depth' .*{advice}"):
        Recording.of(robot)


def test_a_set_with_single_pictures_is_not_recorded_on(tmp_path):
    from lerobot.datasets import LeRobotDataset

    root = tmp_path / "set"
    features = {name: f for name, f in FEATURES.items() if not name.startswith("clock.")}
    features[CAMERA] = {**features[CAMERA], "dtype": "image"}
    theirs = LeRobotDataset.create("test/set", FPS, features, root=root, use_videos=False)
    for _ in range(3):
        row = {n: np.zeros(f["shape"], f["dtype"]) for n, f in features.items() if n != CAMERA}
        theirs.add_frame({**row, CAMERA: np.zeros((32, 32, 3), np.uint8), "task": "pick"})
    theirs.save_episode()
    theirs.finalize()
    own = {name: f for name, f in FEATURES.items() if name in features}
    with pytest.raises(MismatchError, match=f"column '{CAMERA}' has dtype image, this recording video"):
        DatasetWriter.open(root, fps=FPS, features=own)


def test_a_set_with_depth_is_not_recorded_on(tmp_path):
    root = tmp_path / "set"
    DatasetWriter.create(root, fps=FPS, features=FEATURES).close()
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text())
    depth = {"dtype": "video", "shape": [32, 32, 1], "names": None, "info": {"is_depth_map": True}}
    info["features"][f"{CAMERA}_depth"] = depth
    path.write_text(json.dumps(info))
    with pytest.raises(MismatchError, match=f"this recording has no column '{CAMERA}_depth'"):
        DatasetWriter.open(root, fps=FPS, features=FEATURES)
