"""What `demodeck doctor` looks at: whatever a session needs of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import DemodeckError, UsageError

if TYPE_CHECKING:
    from collector.dataset.probe import Choice, Measured


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: The thing.
        ok: Whether it is as it should be.
        needed: Whether demodeck cannot do without it.
        seen: What was seen and, where it is not ok, what to do.
    """

    what: str
    ok: bool
    needed: bool
    seen: str


def examine() -> list[Finding]:
    """Look at everything; nothing is changed."""
    return [_python(), _graphics(), *_encoders(), _disk(), _shared_memory(), *_devices(), _hub()]


def parse_cameras(text: str) -> list[tuple[int, int]]:
    """Return (height, width) [px] of each camera of a list such as `640x480,320x240` (width x height).

    Raises:
        UsageError: If it is no such list, or a size that cannot be encoded.
    """
    sizes = []
    for part in text.split(","):
        width, _, height = part.strip().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise UsageError(f"--cameras={text}: write a list of WIDTHxHEIGHT, such as 640x480,640x480")
        if min(int(width), int(height)) < 16 or int(width) % 2 or int(height) % 2:
            raise UsageError(f"--cameras={text}: width and height must be even and at least 16 px")
        sizes.append((int(height), int(width)))
    return sizes


@dataclass(frozen=True)
class EncoderReport:
    """What encoders cost on this machine.

    Attributes:
        sizes: (height, width) [px] of every camera.
        fps: Pictures a second [Hz] of each.
        measured: Every encoder.
        choice: The one that `vcodec=auto` takes.
    """

    sizes: list[tuple[int, int]]
    fps: float
    measured: list[Measured]
    choice: Choice

    def as_json(self) -> dict[str, Any]:
        """Return it with units in the names, as `collector.dataset.probe` has them."""
        rows = [
            {**asdict(one), "verdict": verdict}
            for one, verdict in zip(self.measured, self.choice.verdicts, strict=True)
        ]
        return {
            "cameras": [f"{width}x{height}" for height, width in self.sizes],
            "fps": self.fps,
            "budget_cores": self.choice.budget,
            "chosen": {"vcodec": self.choice.best.vcodec, "preset": self.choice.best.preset},
            "may_lag": self.choice.lags,
            "encoders": rows,
        }

    def as_table(self) -> str:
        """Return it as lines of text."""
        cameras = ", ".join(f"{width}x{height}" for height, width in self.sizes)
        head = ("encoder", "CPU ms", "cores", "kB", "Mbit/s", "PSNR dB", "")
        rows: list[tuple[str, ...]] = [head]
        for one, verdict in zip(self.measured, self.choice.verdicts, strict=True):
            figures = (
                (one.cpu_s, 1e3, 2),
                (one.load, 1, 2),
                (one.bytes_per_frame, 1e-3, 1),
                (one.mbit_s, 1, 1),
                (one.psnr_db, 1, 1),
            )
            texts = ("-" if value is None else f"{scale * value:.{n}f}" for value, scale, n in figures)
            rows.append((one.name, *texts, verdict))
        lines = [f"{row[0]:<18}" + "".join(f"{cell:>8}" for cell in row[1:6]) + f"  {row[6]}" for row in rows]
        what = f"cameras {cameras} at {self.fps:g} Hz; encoding may take {self.choice.budget:.2f} cores"
        legend = "CPU ms and kB: of one frame; cores and Mbit/s: of all cameras together"
        return "\n".join([what, *(line.rstrip() for line in lines), legend])


def examine_encoders(sizes: list[tuple[int, int]], fps: float) -> EncoderReport:
    """Measure every encoder anew, with `demodeck record`'s default quality; recording then goes by the result.

    Raises:
        UsageError: If not one encoder works.
    """
    from collector.dataset.encode import EncoderSettings
    from collector.dataset.probe import choose, measured_here
    from collector.session.config import EncoderFlags

    measured = measured_here(sizes, fps, EncoderSettings.of(EncoderFlags()), renew=True)
    return EncoderReport(sizes, fps, measured, choose(measured))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 12), True, f"{version} (3.12 or newer is needed)")


def _graphics() -> Finding:
    from collector.robots.graphics import choose_backend

    try:
        return Finding("graphics", True, False, f"MuJoCo draws with {choose_backend() or 'its own choice'}")
    except DemodeckError as error:
        return Finding("graphics", False, False, str(error))


def _encoders() -> list[Finding]:
    import av

    findings = []
    for codec in ("libsvtav1", "libx264"):
        there = codec in av.codecs_available
        advice = "" if there else ": install the 'av' wheel from PyPI, which carries it"
        findings.append(Finding(f"encoder {codec}", there, True, f"PyAV {av.__version__}{advice}"))
    return findings


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(
        "disk", free_gb > 2, True, f"{free_gb:.1f} GB free here (2 GB is the least to record with)"
    )


def _shared_memory() -> Finding:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Finding("shared memory", True, True, "managed by the system")
    free_mb = shutil.disk_usage(folder).free / 1e6
    advice = "" if free_mb > 160 else ": the recorder's ring needs 160 MB; in a container raise --shm-size"
    return Finding("shared memory", free_mb > 160, True, f"{free_mb:.0f} MB free{advice}")


def _devices() -> list[Finding]:
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        return [
            Finding(
                "serial ports", False, False, "pyserial is not installed: pip install 'demodeck[hardware]'"
            )
        ]
    ports = [port for port in comports() if port.vid is not None]
    if not ports:
        return [Finding("serial ports", True, False, "no USB serial device (arms) is plugged in")]
    findings = []
    for port in ports:
        usable = os.access(port.device, os.R_OK | os.W_OK)
        advice = (
            "" if usable else ": no right to open it; add yourself to the group 'dialout' and log in again"
        )
        findings.append(Finding(port.device, usable, False, f"{port.description}{advice}"))
    return findings


def _hub() -> Finding:
    from huggingface_hub import get_token
    from huggingface_hub.constants import ENDPOINT

    account = "a token is set" if get_token() else "no token (HF_TOKEN): public reading only"
    return Finding("hub", True, False, f"{os.environ.get('HF_ENDPOINT', ENDPOINT)}, {account}")
