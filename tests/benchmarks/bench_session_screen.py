"""What a screen costs control: `demodeck record` with the cockpit beside the same without any display, taking turns.

    python tests/benchmarks/bench_session_screen.py [--seconds 20] [--rounds 3]

The simulated rig without faults, once with two cameras of 640x480 at 30 Hz and once with joints alone at 100 Hz. The
cockpit draws on a pseudo-terminal of 160x48 that is drained as fast as it writes. Lateness against t0 + k / fps of the
flight's first tick, from the rig's own log; lost: ticks that the time would have held and the set does not. Processor
time of each process is read twice in the flight, a second after its begin and a second before its end. A drawn frame
is a batch of output that the terminal shows at once (its mode 2026).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from recorder_bench import table  # noqa: E402
from rigs.commands import Take, children, environment, wait_until  # noqa: E402
from rigs.fault_rig.log import count_ticks  # noqa: E402

from collector.dataset.reader import Dataset  # noqa: E402

COLUMNS, ROWS = 160, 48
_FRAME = b"\x1b[?2026h"  # begins a batch
_ASKED, _ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"  # whether there are batches: yes
_EDGE_S = 1.0  # of a flight's begin and end, in which no processor time is read
_LEGS = {
    "two cameras, 30 Hz": {"robot.n_cameras": 2, "robot.width": 640, "robot.height": 480, "dataset.fps": 30},
    "joints, 100 Hz": {"dataset.fps": 100},
}


@dataclass
class Told:
    """What a display was seen to cost, of all its rounds."""

    late_ms: list[np.ndarray] = field(default_factory=list)
    lost: int = 0
    flown_s: float = 0.0
    frames: int = 0
    cpu_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("control", "screen"), 0.0))


class Drained:
    """A terminal that takes whatever it is sent, and counts the frames."""

    def __init__(self) -> None:
        self.ours, self.its = pty.openpty()
        fcntl.ioctl(self.its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.frames = 0
        self.last = b""
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):  # it is closed
            while part := os.read(self.ours, 1 << 16):
                if _ASKED in rest + part:
                    os.write(self.ours, _ANSWER)
                self.frames += (rest + part).count(_FRAME)
                rest = part[1 - len(_FRAME) :]
                self.last = (self.last + part)[-3000:]

    def close(self) -> None:
        """Close it."""
        for descriptor in (self.its, self.ours):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@contextlib.contextmanager
def session(take: Take, display: str, env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], Drained]]:
    """Run a session on a drained terminal; none of it outlives the block."""
    terminal = Drained()
    command = [*take.command(), f"--display={display}", "--rig_check=false"]
    process: subprocess.Popen[str] = subprocess.Popen(
        command, cwd=take.folder, env=env, stdin=terminal.its, stdout=terminal.its, stderr=terminal.its,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process, terminal
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        terminal.close()


def fly(folder: Path, display: str, flags: dict[str, int], seconds: float, told: Told) -> None:
    """Fly one flight of so many seconds, and add what it cost."""
    folder.mkdir(parents=True)
    one: dict[str, object] = {
        "dataset.num_episodes": 1,
        "dataset.episode_time_s": seconds,
        "dataset.rgb_encoder.vcodec": "h264",
    }
    take = Take("demodeck", folder, {**flags, **one})
    runtime = tempfile.mkdtemp(prefix="bench")  # no other session is found there
    env = environment(folder.parent / "home") | {"XDG_RUNTIME_DIR": runtime, "TERM": "xterm-256color"}
    env = {name: value for name, value in env.items() if name != "NO_COLOR"} | {"COLORTERM": "truecolor"}
    with session(take, display, env) as (process, terminal):
        running = lambda: process.poll() is None  # noqa: E731
        wait_until(lambda: not running() or count_ticks(take.log) > 5, "the flight")
        if not running():
            raise SystemExit(f"the session ended with {process.returncode}: {terminal.last!r}")
        time.sleep(_EDGE_S)
        pids = children(process)
        before, frames, began_s = _cpu(pids), terminal.frames, time.monotonic()
        time.sleep(seconds - 2 * _EDGE_S)
        after, flown_s = _cpu(pids), time.monotonic() - began_s
        told.frames += terminal.frames - frames
        told.flown_s += flown_s
        for name in told.cpu_s:
            told.cpu_s[name] += after[name] - before[name]
        wait_until(lambda: not running() or _saved(take), "the flight is saved")
        if display == "cockpit":  # goes on after the last flight, and closes the summary
            for _ in range(100):
                if not running():
                    break
                os.write(terminal.ours, b"q")
                time.sleep(0.3)
        process.wait(60)
    ticks_s, recorded = _ticks(take)
    fps = Dataset.open(take.root).fps
    told.late_ms.append(1e3 * (ticks_s - ticks_s[0] - np.arange(len(ticks_s)) / fps))
    told.lost += round(fps * seconds) - recorded


def _cpu(pids: dict[str, int]) -> dict[str, float]:
    times = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
    return {name: one.user + one.system for name, one in times.items()}


def _saved(take: Take) -> bool:
    return any(take.root.glob("meta/episodes/*/*.parquet"))


def _ticks(take: Take) -> tuple[np.ndarray, int]:
    """Return when each recorded tick began [s], and how many are recorded."""
    from rigs.fault_rig.motion import ticks_of

    rows = ticks_of(Dataset.open(take.root).columns(["observation.state"])["observation.state"])
    moments = {entry["tick"]: entry["t"] for entry in take.entries() if entry["what"] == "observe"}
    return np.array([moments[tick] for tick in range(rows[0], rows[-1] + 1)]), len(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of a flight")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each display")
    args = parser.parse_args()
    print(f"{args.rounds} x {args.seconds:g} s each, load {os.getloadavg()[0]:.1f} at the start\n")
    table.head(
        "rig", "display", "late p50 [ms]", "p99", "max", "lost ticks", "control's CPU [% of a core]",
        "screen's CPU [% of a core]", "frames a second", "screen's CPU [ms a frame]",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-screen-", ignore_cleanup_errors=True) as folder:
        for rig, flags in _LEGS.items():
            told = {"cockpit": Told(), "none": Told()}
            for n in range(args.rounds):
                for display, one in told.items():
                    fly(
                        Path(folder) / f"{flags['dataset.fps']}-{n}-{display}",
                        display,
                        flags,
                        args.seconds,
                        one,
                    )
            for display, one in told.items():
                share = {name: 100 * cpu_s / one.flown_s for name, cpu_s in one.cpu_s.items()}
                a_frame = 1e3 * one.cpu_s["screen"] / one.frames if one.frames else ""
                table.row(
                    rig, display, *table.quantiles(np.concatenate(one.late_ms)), one.lost, share["control"],
                    share["screen"], one.frames / one.flown_s if one.frames else "", a_frame,
                )  # fmt: skip
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
