"""The review room's player on two cameras of 640x480 at 30 fps: frames shown, processor time, keys, memory.

    python tests/benchmarks/bench_player.py [--seconds 10] [--keys 200] [--size 160x48] [--speeds 1,2,8] [--json]

A real Textual app on a pseudo-terminal that is drained as fast as it writes. Two sets with the same pictures: one as
`demodeck record` encodes it (AV1, a keyframe every second frame), one as strangers do (h264, a keyframe every 250
frames). Frames count as shown when the picture of exactly that frame (at speeds that leave frames out: of that step)
is in every pane while it is due. Processor time is that of the screen's thread, and of the whole process with the
decoders, for each frame that is shown. A key's time runs from its byte until the terminal got what it changed.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[2]
FPS, HEIGHT, WIDTH = 30, 480, 640
CAMERAS = ("observation.images.front", "observation.images.wrist")


def pictures(n: int, camera: int) -> list[np.ndarray]:
    """Return moving pictures with a camera's noise, uint8, (480, 640, 3)."""
    rng = np.random.default_rng(camera)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = [rng.normal(0, 3, (HEIGHT, WIDTH, 3)) for _ in range(8)]
    made = []
    for k in range(n):
        turn = 2 * np.pi * k / 90
        ground = np.stack([x * 0.3, y * 0.4, (x + y) * 0.15 + 40 * camera], axis=2)
        ground[np.hypot(x - 320 - 200 * np.cos(turn), y - 240 - 140 * np.sin(turn)) < 70] = 240, 200, 40
        made.append(np.clip(ground + noise[k % 8], 0, 255).astype(np.uint8))
    return made


def make_set(root: Path, seconds: float) -> None:
    """Record a flight with the project's own writer and encoder."""
    from collector.dataset.journal import JournalWriter
    from collector.dataset.schema import scalar, vector, video
    from collector.dataset.writer import DatasetWriter

    joints = [f"joint_{i}.pos" for i in range(6)]
    features = {
        "observation.state": vector(joints),
        "action": vector(joints),
        "clock.tick": scalar("float64"),
    }
    features |= {camera: video(HEIGHT, WIDTH) for camera in CAMERAS}
    writer = DatasetWriter.create(root, fps=FPS, features=features, robot_type="none")
    n, folder = int(seconds * FPS), root / ".journal" / "flight"
    seen = [pictures(n, i) for i in range(len(CAMERAS))]
    journal = JournalWriter(folder, {"task": "Turn", "pilot": "scripted"}, features, FPS)
    for t in range(n):
        asked = np.sin(t / 20 + np.arange(6)).astype(np.float32) * 60
        row = {"observation.state": asked - 1, "action": asked, "clock.tick": t / FPS}
        journal.add(row, {camera: seen[i][t] for i, camera in enumerate(CAMERAS)})
    journal.close({})
    writer.save(folder)
    writer.close()


def encode_as_strangers_do(root: Path) -> None:
    """Encode every video again as h264 with a keyframe every 250 frames."""
    import av

    for path in sorted(root.glob("videos/**/*.mp4")):
        with av.open(str(path)) as container:
            images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        with av.open(str(path), "w", format="mp4") as sink:
            stream = sink.add_stream(
                "libx264", rate=Fraction(FPS), options={"g": "250", "preset": "veryfast"}
            )
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for i, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                sink.mux(stream.encode(frame))
            sink.mux(stream.encode())


def child(root: str, seconds: float, speeds: list[float], result: str) -> None:
    """Play in this terminal, then wait for keys; `q` ends."""
    from textual.app import App

    from collector.dataset.reader import Dataset
    from curation.tui.player import Player
    from curation.tui.player.transport import SPEEDS

    class Counted(Player):
        def __init__(self, dataset: Dataset) -> None:
            super().__init__(dataset)
            self.held = 0

        def _look(self) -> None:
            super()._look()
            self.held = max(self.held, self.n_bytes)

    class Bench(App):
        BINDINGS = [("q", "quit", "quit")]

        def compose(self):
            yield Counted(Dataset.open(root))

        def on_mount(self) -> None:
            self.run_worker(self.measure())

        async def measure(self) -> None:
            import asyncio

            player, found = self.query_one(Counted), {"speeds": {}}
            player.focus()
            before_kb = rss_kb()
            began_s = time.monotonic()
            player.show(0)
            while not player.settled:
                await asyncio.sleep(0.002)
            found["first_ms"] = 1e3 * (time.monotonic() - began_s)
            for speed in speeds:
                player.action_first()
                player.action_speed(SPEEDS.index(speed) - SPEEDS.index(player._transport.speed))
                while not player.settled:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.5)
                thread_s, process_s, began_s = time.thread_time(), time.process_time(), time.monotonic()
                player.action_play()
                while player.playing and time.monotonic() - began_s < seconds:
                    await asyncio.sleep(0.05)
                took_s = time.monotonic() - began_s
                player._transport.pause()
                found["speeds"][speed] = {
                    "due": player._tally.due,
                    "shown": player._tally.shown,
                    "seconds": took_s,
                    "ui_ms": 1e3 * (time.thread_time() - thread_s) / max(1, player._tally.shown),
                    "all_ms": 1e3 * (time.process_time() - process_s) / max(1, player._tally.shown),
                }
            player.action_speed(SPEEDS.index(1.0) - SPEEDS.index(player._transport.speed))
            player.action_first()
            while not player.settled:
                await asyncio.sleep(0.01)
            found |= {"held_mb": player.held / 1e6, "grown_mb": (rss_kb() - before_kb) / 1e3}
            Path(result).write_text(json.dumps(found))

    Bench().run()


def rss_kb() -> int:
    """Return the peak of this process's memory [kB]; what `getrusage` tells, a child has from its parent."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])


class Terminal:
    """A pseudo-terminal with a program in it, drained by a thread."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(PROJECT)}
        env |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        self.seen, self.n_bytes, self.changed = b"", 0, threading.Condition()
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        try:
            while chunk := os.read(self.master, 1 << 16):
                with self.changed:
                    self.seen = (self.seen + chunk)[-400_000:]
                    self.n_bytes += len(chunk)
                    self.changed.notify()
        except OSError:
            pass

    def answer_ms(self, key: bytes, wanted: str) -> float:
        """Press a key, and return how long it took until the terminal got what it asks for [ms]."""
        with self.changed:
            self.seen = b""
            began_s = time.monotonic()
            os.write(self.master, key)
            pattern = re.compile(wanted.encode())
            if not self.changed.wait_for(lambda: pattern.search(self.seen), 20):
                raise RuntimeError(f"no '{wanted}' after a key")
        return 1e3 * (time.monotonic() - began_s)


def measure(root: Path, seconds: float, speeds: list[float], keys: int, size: tuple[int, int]) -> dict:
    """Run the player on a set; return what it told, and the keys' times."""
    result = root.with_suffix(".json")
    result.unlink(missing_ok=True)
    speeds_text = ",".join(f"{speed:g}" for speed in speeds)
    command = [sys.executable, __file__, "--child", str(root), "--result", str(result)]
    terminal = Terminal([*command, "--seconds", str(seconds), "--speeds", speeds_text], *size)
    while not result.exists() or not result.read_text():
        if terminal.process.poll() is not None:
            raise RuntimeError(terminal.seen.decode(errors="replace")[-3000:])
        time.sleep(0.1)
    found = json.loads(result.read_text())
    time.sleep(1)
    length = int(seconds * FPS)
    steps = [
        terminal.answer_ms(b"\x1b[C", f" frame {(i % (length - 1)) + 1} of")
        for i in range(min(keys, length - 2))
    ]
    os.write(terminal.master, b"\x1b[H ")  # to the first frame, and play
    time.sleep(0.2)
    playing = []
    for i in range(keys):
        # `v` is answered by the next plots' title, while pictures play.
        wanted = "lateness" if i % 2 == 0 else "action, state"
        playing.append(terminal.answer_ms(b"v", wanted))
        if i % 40 == 39:
            os.write(terminal.master, b"\x1b[H")
            time.sleep(0.05)
    os.write(terminal.master, b"q")
    terminal.process.wait(30)
    for name, times in (("step", steps), ("playing", playing)):
        found[name] = {
            "n": len(times),
            "p50": float(np.quantile(times, 0.5)),
            "p99": float(np.quantile(times, 0.99)),
        }
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--size", default="160x48")
    parser.add_argument("--speeds", default="1,2,8")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    speeds = [float(speed) for speed in flags.speeds.split(",")]
    if flags.child:
        child(flags.child, flags.seconds, speeds, flags.result)
        return
    columns, rows = (int(n) for n in flags.size.split("x"))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        make_set(root, flags.seconds)
        found["AV1, g=2"] = measure(root, flags.seconds, speeds, flags.keys, (columns, rows))
        encode_as_strangers_do(root)
        found["h264, g=250"] = measure(root, flags.seconds, speeds, flags.keys, (columns, rows))
    found["load"] = os.getloadavg()[0]
    if flags.json:
        print(json.dumps(found))
        return
    print(f"load of the machine: {found.pop('load'):.1f} on {os.cpu_count()} cores")
    for name, one in found.items():
        memory = f"held {one['held_mb']:.1f} MB, process grown by {one['grown_mb']:.0f} MB"
        print(f"{name}: first picture {one['first_ms']:.0f} ms, {memory}")
        for speed, at in one["speeds"].items():
            print(
                f"  {speed}x: {at['shown']} of {at['due']} frames in {at['seconds']:.1f} s; "
                f"screen {at['ui_ms']:.1f} ms a frame, whole process {at['all_ms']:.1f} ms"
            )
        for key in ("step", "playing"):
            print(
                f"  key, {key}: p50 {one[key]['p50']:.0f} ms, p99 {one[key]['p99']:.0f} ms (n = {one[key]['n']})"
            )


if __name__ == "__main__":
    main()
