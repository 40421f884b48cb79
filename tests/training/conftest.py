"""A small dataset, written by plain lerobot, for training on."""

from __future__ import annotations

import os

import numpy as np
import pytest

JOINTS = ["a.pos", "b.pos", "c.pos"]
LENGTHS = (7, 12, 5, 20)
FPS = 20


def _features(joints, scene):
    return {
        "observation.state": {"dtype": "float32", "shape": (len(joints),), "names": list(joints)},
        "observation.environment_state": {"dtype": "float32", "shape": (len(scene),), "names": list(scene)},
        "action": {"dtype": "float32", "shape": (len(joints),), "names": list(joints)},
    }


CAMERA, IMAGE_SHAPE = "observation.images.front", (32, 48, 3)


def _write(
    root, lengths=LENGTHS, joints=JOINTS, scene=("x", "y"), columns=None, seed=0, video=False, tasks=("move",)
):
    """Write episodes of smooth random motion with plain lerobot; the action leads the state by a frame.

    With `video` a camera sees a square wander; the tasks take turns by episode.
    """
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    rng = np.random.default_rng(seed)
    features = {k: ft for k, ft in _features(joints, scene).items() if columns is None or k in columns}
    if video:
        names = ["height", "width", "channels"]
        features[CAMERA] = {"dtype": "video", "shape": IMAGE_SHAPE, "names": names}
    dataset = LeRobotDataset.create(
        "lab/small", FPS, root=root, features=features, robot_type="small_arm", use_videos=video
    )
    for episode, length in enumerate(lengths):
        path = np.cumsum(rng.normal(size=(length + 1, len(joints))), axis=0).astype(np.float32)
        for i in range(length):
            values = {
                "observation.state": path[i],
                "observation.environment_state": np.resize(path[i] * 2, len(scene)),
                "action": path[i + 1],
            }
            image = np.full(IMAGE_SHAPE, 10 * episode, np.uint8)
            image[:, 2 * i : 2 * i + 8] = 200
            values[CAMERA] = image
            task = tasks[episode % len(tasks)]
            dataset.add_frame({name: values[name] for name in features} | {"task": task})
        dataset.save_episode()
    dataset.finalize()
    return root


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks gain nothing from threads, and lose much where tests run side by side."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def write_dataset():
    """The function that writes such a dataset: (root, lengths, joints, scene, columns, seed) -> root."""
    return _write


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("small") / "dataset")


@pytest.fixture(scope="session")
def filmed_dataset(tmp_path_factory):
    """The same with a camera."""
    return _write(tmp_path_factory.mktemp("filmed") / "dataset", video=True)


@pytest.fixture
def signalled(monkeypatch):
    """Send this process a signal at the first step of a run after a path exists."""
    from training.run import TrainingRun

    def send_at(path, number):
        update, sent = TrainingRun.update, []

        def updated(*args, **kwargs):
            if not sent and path.exists():
                sent.append(number)
                os.kill(os.getpid(), number)
            return update(*args, **kwargs)

        monkeypatch.setattr(TrainingRun, "update", updated)

    return send_at
