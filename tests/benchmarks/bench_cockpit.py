"""What one camera picture of 160x48 cells costs the screen's process: ours beside the usual ways to draw it.

    python tests/benchmarks/bench_cockpit.py [--rounds 6] [--frames 25] [--no-noise] [--json]

A real Textual app on a pseudo-terminal of 200x60 that is drained as fast as it writes. The ways take turns on the same
moving pictures of 800x480 pixels, shrunk by the same function. Processor time of the whole process from the new picture
until the terminal has its bytes: layout, segments, encoding and the thread that writes. Processor time, not wall
time, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import gc
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import numpy as np
from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from collector.tui.draw.camera import CameraPane
from collector.tui.draw.halfblocks import ColourMode, dots

PROJECT = Path(__file__).parents[2]
COLUMNS, ROWS = 160, 48
PICTURES = 24
WARM_UP = 3
LEAST_PERIOD_S = 1 / 15


def moving_pictures(noise: bool) -> list[np.ndarray]:
    """Return pictures of a bright disc over slanted colours, with a camera's noise: uint8, (480, 800, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:480, 0:800]
    made = []
    for k in range(PICTURES):
        turn = 2 * np.pi * k / PICTURES
        ground = np.stack([x * 0.25 + 20 * k % 60, y * 0.4, (x + y) * 0.15], axis=2)
        ground[np.hypot(x - 400 - 250 * np.cos(turn), y - 240 - 150 * np.sin(turn)) < 90] = 240, 200, 40
        if noise:
            ground = ground + rng.normal(0, 4, ground.shape)
        made.append(np.clip(ground, 0, 255).astype(np.uint8))
    return made


def cells_of(picture: np.ndarray) -> list[list[tuple[list[int], list[int]]]]:
    """Return rows of (upper, lower) colours."""
    grid = dots(picture, COLUMNS, ROWS).tolist()
    return [list(zip(upper, lower)) for upper, lower in zip(grid[0::2], grid[1::2])]


def style_of(upper: list[int], lower: list[int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))


class TextPane(Static):
    """A `Static` with one Rich `Text`, a span a cell."""

    def show(self, picture: np.ndarray) -> None:
        text = Text(no_wrap=True)
        for row in cells_of(picture):
            for upper, lower in row:
                text.append("▀", style_of(upper, lower))
            text.append("\n")
        self.update(text)


class SegmentsPane(Static):
    """A `Static` with a segment a cell, which is what rich-pixels renders a picture to."""

    def show(self, picture: np.ndarray) -> None:
        segments = []
        for row in cells_of(picture):
            segments += [Segment("▀", style_of(upper, lower)) for upper, lower in row]
            segments.append(Segment.line())
        self.update(Segments(segments))


class LinesPane(Widget):
    """Textual's line API with a segment a cell."""

    cells: list[list[tuple[list[int], list[int]]]] = []

    def show(self, picture: np.ndarray) -> None:
        self.cells = cells_of(picture)
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return ROWS

    def render_line(self, y: int) -> Strip:
        if y >= len(self.cells):
            return Strip.blank(COLUMNS)
        return Strip([Segment("▀", style_of(upper, lower)) for upper, lower in self.cells[y]], COLUMNS)


class OurPane(CameraPane):
    """The camera pane, a title line above the same cells."""

    def __init__(self, colours: ColourMode = ColourMode.TRUE) -> None:
        super().__init__("wrist", colours=colours)
        self.styles.height = ROWS + 1


WAYS = {
    "`CameraPane`": OurPane,
    "`CameraPane`, 256 colours": lambda: OurPane(ColourMode.PALETTE),
    "`render_line`, a Segment a cell": LinesPane,
    "`Static`, Segments (as rich-pixels)": SegmentsPane,
    "`Static`, rich `Text`": TextPane,
}


class Bench(App):
    CSS = "OurPane, TextPane, SegmentsPane, LinesPane { width: 160; height: 48; }"

    def __init__(self, rounds: int, frames: int, pictures: list[np.ndarray]) -> None:
        super().__init__()
        self.rounds, self.frames, self.pictures = rounds, frames, pictures
        self.took_ms: dict[str, list[float]] = {name: [] for name in WAYS}
        self.drawn = asyncio.Event()

    def post_display_hook(self) -> None:
        self.drawn.set()

    def on_mount(self) -> None:
        self.run_worker(self.measure())

    async def measure(self) -> None:
        try:
            for _ in range(self.rounds):
                for name, make in WAYS.items():
                    pane = make()
                    await self.mount(pane)
                    gc.collect()
                    took = [await self.frame(pane, picture) for picture in self.some_pictures()]
                    self.took_ms[name] += took[WARM_UP:]
                    await pane.remove()
        finally:
            self.exit(self.took_ms)

    def some_pictures(self) -> list[np.ndarray]:
        return [self.pictures[k % PICTURES] for k in range(WARM_UP + self.frames)]

    async def frame(self, pane, picture: np.ndarray) -> float:
        """Return the processor time of one frame [ms]."""
        self.drawn.clear()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        pane.show(picture)
        await asyncio.wait_for(self.drawn.wait(), 30)
        # The writer's thread goes on after the frame is composed; the rest of the period is its.
        await asyncio.sleep(max(0.03, LEAST_PERIOD_S - (time.monotonic() - began_s)))
        return (time.process_time() - began_cpu_s) * 1e3


def child(args: argparse.Namespace) -> int:
    took_ms = Bench(args.rounds, args.frames, moving_pictures(not args.no_noise)).run()
    Path(args.child).write_text(json.dumps(took_ms))
    return 0


def on_a_terminal(command: list[str]) -> int:
    """Run a command on a pseudo-terminal of 200x60, read what it writes and return how many bytes that was."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(PROJECT)}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=env, start_new_session=True)
    os.close(its)
    taken = bytearray()

    def drain() -> None:
        try:
            while part := os.read(ours, 1 << 16):
                taken.extend(part)
        except OSError:
            return  # the other end was closed

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    if process.wait() != 0:
        raise SystemExit(f"the app ended with {process.returncode}: {bytes(taken[-2000:])!r}")
    thread.join(5)
    os.close(ours)
    return len(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="turns of each way")
    parser.add_argument("--frames", type=int, default=25, help="pictures a turn")
    parser.add_argument("--no-noise", action="store_true", help="pictures without a camera's noise")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "took.json"
        sent = on_a_terminal([sys.executable, *sys.argv, "--child", str(result)])
        took_ms = json.loads(result.read_text())
    if args.json:
        json.dump(took_ms, sys.stdout)
        print()
        return 0
    if not sent:
        raise SystemExit("the terminal got nothing: nothing was measured")
    ours = np.percentile(took_ms["`CameraPane`"], [50, 99])
    print("| way | frames | CPU p50 [ms] | p99 [ms] | p50 to ours | p99 to ours |\n|---|---|---|---|---|---|")
    for name, took in took_ms.items():
        p50, p99 = np.percentile(took, [50, 99])
        print(f"| {name} | {len(took)} | {p50:.1f} | {p99:.1f} | {p50 / ours[0]:.1f} | {p99 / ours[1]:.1f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
