"""Small datasets for the player: pictures that tell their frame, videos as strangers encode them, and an app."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from textual.app import App

from collector.dataset.journal import JournalWriter
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import compact
from collector.dataset.schema import scalar, vector, video
from collector.dataset.writer import DatasetWriter
from curation.tui.player import Player

FPS, HEIGHT, WIDTH = 30, 48, 64
JOINTS = ["pan.pos", "lift.pos", "gripper.pos"]


def picture(camera: int, episode: int, frame: int) -> np.ndarray:
    """Return a picture like no other: bars in the binary digits of the frame, on the camera's ground."""
    image = np.full((HEIGHT, WIDTH, 3), (40 + 60 * camera, 60 * episode, 90), np.uint8)
    for bit in range(8):
        if frame >> bit & 1:
            image[:, 8 * bit : 8 * bit + 6] = (250, 250, 20)
    return image


def make_set(root, cameras=2, lengths=(40, 30, 36), g=2):
    """Record a dataset."""
    keys = [f"observation.images.cam{i}" for i in range(cameras)]
    features = {"observation.state": vector(JOINTS), "action": vector(JOINTS)}
    features |= {key: video(HEIGHT, WIDTH) for key in keys}
    features |= {"clock.tick": scalar("float64"), "next.reward": scalar("float32")}
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="none")
    for episode, length in enumerate(lengths):
        folder = root / ".journal" / f"flight-{episode}"
        encoder = {"vcodec": "h264", "preset": "ultrafast", "crf": 18, "g": g}
        journal = JournalWriter(folder, {"task": "Nod", "pilot": "scripted"}, features, FPS, encoder)
        for t in range(length):
            asked = np.array([np.sin(t / 5), episode + t / 10, t % 7], np.float32)
            row = {"observation.state": asked - 0.1, "action": asked, "clock.tick": t / FPS + 0.001 * (t % 3)}
            row["next.reward"] = np.float32(t)
            journal.add(row, {key: picture(i, episode, t) for i, key in enumerate(keys)})
        journal.close({})
        writer.save(folder)
    writer.close()
    compact(root)  # all episodes in one file, as a session leaves them
    return root


def encode_as_strangers_do(root, g=250, bf=3):
    """Encode every video again, with keyframes far apart and frames that refer to later ones."""
    for path in sorted(root.glob("videos/**/*.mp4")):
        with av.open(str(path)) as container:
            images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        with av.open(str(path), "w", format="mp4") as sink:
            options = {"g": str(g), "bf": str(bf), "crf": "18", "sc_threshold": "0"}
            stream = sink.add_stream("libx264", rate=Fraction(FPS), options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for i, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                for packet in stream.encode(frame):
                    sink.mux(packet)
            for packet in stream.encode():
                sink.mux(packet)


def store_as_images(root, camera="observation.images.cam0"):
    """Turn a camera's video into pictures in the data file, as lerobot stores them without videos."""
    dataset = Dataset.open(root)
    images = []
    for episode in range(dataset.num_episodes):
        for image in dataset.frames(episode, camera):
            sink = io.BytesIO()
            Image.fromarray(image).save(sink, "PNG")
            images.append({"bytes": sink.getvalue(), "path": None})
    (path,) = set(dataset.data_files)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pq.read_table(path).append_column(camera, pa.array(images, kind)), path)
    info = json.loads((root / "meta/info.json").read_text())
    info["features"][camera]["dtype"] = "image"
    (root / "meta/info.json").write_text(json.dumps(info))


class Room(App):
    """Nothing but a player, and what it said."""

    def __init__(self, root, **kwargs):
        super().__init__()
        self.dataset = Dataset.open(root)
        self.player = Player(self.dataset, **kwargs)
        self.moved, self.failed = [], []

    def compose(self):
        yield self.player

    def on_mount(self):
        self.player.focus()

    def on_player_moved(self, event):
        self.moved.append(event.frame)

    def on_player_failed(self, event):
        self.failed.append(event.words)


def run(test, root, size=(100, 30)):
    """Run `test(pilot, app, player)` in a room, and end its threads."""

    async def main():
        app = Room(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(pilot, app, app.player)
        return app

    return asyncio.run(main())


async def settled(pilot, player, looks=20_000):
    """Wait until everything is shown that is due."""
    for _ in range(looks):
        await asyncio.sleep(0.002)  # a pilot's pause waits for an idle machine
        if player.settled:
            await pilot.pause()
            return
    raise AssertionError("it was never all shown")


async def until(pilot, holds, looks=20_000):
    """Wait until `holds()`."""
    for _ in range(looks):
        if holds():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came to hold")


def told(app):
    """Return what notifications said."""
    return [notification.message for notification in app._notifications]


def text_of(app):
    """Return what is on the screen, a line a row."""
    strips = app.screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips)


_MADE = {}


def shared(tmp_path_factory, kind):
    """Return the folder of a dataset that all tests of a run read: `own`, `foreign`, `images` or `blind`."""
    if kind not in _MADE:
        root = tmp_path_factory.mktemp(kind) / "set"
        if kind == "own":
            make_set(root)
        elif kind == "blind":
            make_set(root, cameras=0, lengths=(40,))
        else:
            shutil.copytree(shared(tmp_path_factory, "own"), root)
            encode_as_strangers_do(root) if kind == "foreign" else store_as_images(root)
        _MADE[kind] = root
    return _MADE[kind]
