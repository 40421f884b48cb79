"""Record with lerobot's own writer and die: `python lerobot_crash.py BASE CASE...`, one import for all cases.

A case is `<name>:<mode>:<cameras>:<first>:<episodes>:<stage>`: `first` episodes in a session that ends well, then
`episodes` more in one that dies at the stage of its last one. Everything recorded follows from episode and frame.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

FPS = 30
SIZE = 64
TASKS = ["pick", "place"]


def length(episode: int) -> int:
    return 6 + episode % 5


def columns(episode: int, k: int) -> dict:
    return {
        "observation.state": np.array([episode, k, np.sin(episode * 31 + k)], np.float32),
        "done": np.array([k > 3]),
        "action": np.array([k, -episode], np.float32),
        "reward": np.array([episode + k / 7], np.float64),
        "note": f"{episode}-{k % 3}",
        "grid": np.arange(6, dtype=np.float32).reshape(2, 3) * k + episode,
    }


def picture(episode: int, k: int, camera: int) -> np.ndarray:
    """Return stripes that spell episode, frame and camera in black and white: no encoder blurs them away."""
    bits = [(episode >> b) & 1 for b in range(4)] + [(k >> b) & 1 for b in range(4)]
    image = np.repeat(np.array(bits, np.uint8) * 255, SIZE // 8)[None, :, None].repeat(SIZE, 0).repeat(3, 2)
    image[SIZE // 2 :] = 255 * camera
    return image


def features(n_cameras: int, kind: str) -> dict:
    result = {
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
        "done": {"dtype": "bool", "shape": (1,), "names": None},
        "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "reward": {"dtype": "float64", "shape": (1,), "names": None},
        "note": {"dtype": "string", "shape": (1,), "names": None},
    }
    if kind == "image" or not n_cameras:
        result["grid"] = {"dtype": "float32", "shape": (2, 3), "names": ["r", "c"]}
    for c in range(n_cameras):
        shape = {"shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"]}
        result[f"observation.images.cam{c}"] = {"dtype": kind, **shape}
    return result


def fly(dataset, episode: int, n_cameras: int, n_frames: int) -> None:
    for k in range(n_frames):
        pictures = {f"observation.images.cam{c}": picture(episode, k, c) for c in range(n_cameras)}
        values = {name: v for name, v in columns(episode, k).items() if name in dataset.meta.features}
        dataset.add_frame({**values, **pictures, "task": TASKS[episode % 2]})


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(owner, name: str) -> None:
    real = getattr(owner, name)

    def call(*args, **kwargs):
        real(*args, **kwargs)
        die()

    setattr(owner, name, call)


def record(root: Path, mode: str, n_cameras: int, n_first: int, n_more: int, stage: str) -> None:
    from lerobot.configs import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    how = {"rgb_encoder": RGBEncoderConfig(vcodec="h264"), "streaming_encoding": mode == "streaming"}
    how |= {"batch_encoding_size": 9} if mode == "late" else {}
    kind = "image" if mode == "image" else "video"
    dataset = LeRobotDataset.create(
        "test/set", fps=FPS, features=features(n_cameras, kind), root=root, use_videos=kind == "video", **how
    )
    for episode in range(n_first):
        fly(dataset, episode, n_cameras, length(episode))
        dataset.save_episode()
    if n_first:
        dataset.finalize()
        dataset = LeRobotDataset.resume("test/set", root=root, **how)
    last = n_first + n_more - 1
    for episode in range(n_first, last + 1):
        fly(dataset, episode, n_cameras, length(episode))
        if episode == last and stage == "rows":
            die_after(dataset.writer, "_save_episode_data")
        elif episode == last and stage == "video":
            die_after(dataset.writer, "_save_episode_video")
        elif episode == last and stage == "unnoted":
            dataset.meta.save_episode = die
        dataset.save_episode(parallel_encoding=False)
    fly(dataset, last + 1, n_cameras, 3)
    if stage == "exit":
        os._exit(1)
    if stage == "full":
        raise OSError(28, "No space left on device")
    die()


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    import lerobot.configs
    import lerobot.datasets.lerobot_dataset  # noqa: F401 - paid once, before the forks

    import datasets

    datasets.disable_progress_bars()
    for case in sys.argv[2:]:
        name, mode, *numbers, stage = case.split(":")
        child = os.fork()
        if child == 0:
            try:
                record(Path(sys.argv[1]) / name, mode, *map(int, numbers), stage)
            except OSError:
                sys.exit(1)  # the interpreter ends in good order
            except BaseException:
                traceback.print_exc()
            os._exit(7)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 7:
            sys.exit(f"{case} did not come so far")
