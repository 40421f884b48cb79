"""What `demodeck doctor` looks at: whatever a session needs of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from collector.errors import DemodeckError


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
