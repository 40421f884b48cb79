"""What else a recording machine does meanwhile: `python -m recorder_bench.load encode|draw`."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rigs.commands import environment, running


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Encode video with libx264 without a pause, and draw a camera into a terminal at 30 fps, while it runs."""
    env = environment(folder / "home")
    env["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent.parent)
    with contextlib.ExitStack() as stack:
        for kind in ("encode", "draw"):
            place = folder / f"load-{kind}"
            place.mkdir(parents=True)
            stack.enter_context(running([sys.executable, "-m", "recorder_bench.load", kind], place, env))
        yield


def _encode(parent: int) -> None:
    import av

    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (480, 640, 3), np.uint8) for _ in range(8)]
    while os.getppid() == parent:
        with av.open(os.devnull, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=30, options={"threads": "1"})
            stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
            for i in range(300):
                frame = av.VideoFrame.from_ndarray(pictures[i % len(pictures)], format="rgb24")
                container.mux(stream.encode(frame))
                if os.getppid() != parent:
                    break


def _draw(parent: int) -> None:
    """Write 160x48 cells of half blocks, two pixels a cell, in true colour."""
    master, slave = pty.openpty()
    threading.Thread(
        target=lambda: [None for _ in iter(lambda: os.read(master, 1 << 16), b"")], daemon=True
    ).start()
    picture = np.random.default_rng(0).integers(0, 255, (96, 160, 3), np.uint8)
    due = time.perf_counter()
    while os.getppid() == parent:
        picture = np.roll(picture, 1, axis=1)
        rows = []
        for y in range(0, 96, 2):
            pairs = np.concatenate([picture[y], picture[y + 1]], axis=1).tolist()
            cells = (f"\x1b[38;2;{a};{b};{c}m\x1b[48;2;{d};{e};{f}m▀" for a, b, c, d, e, f in pairs)
            rows.append("".join(cells))
        os.write(slave, ("\x1b[H" + "\r\n".join(rows)).encode())
        due += 1 / 30
        time.sleep(max(0.0, due - time.perf_counter()))


if __name__ == "__main__":
    {"encode": _encode, "draw": _draw}[sys.argv[1]](os.getppid())
