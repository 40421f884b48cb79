"""Cameras: what OpenCV and RealSense can open, with one picture of each on request."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import DeviceError, StorageError
from collector.session.inventory.rights import trouble

NOT_INSTALLED = "OpenCV is not installed: pip install 'demodeck[hardware]'"
_QUERYCAP, _CAPTURE = 0x80685600, 0x1  # VIDIOC_QUERYCAP and V4L2_CAP_VIDEO_CAPTURE of videodev2.h
_SETTLE = 15  # pictures until a camera's own exposure has settled


@dataclass
class CameraSeen:
    """One camera.

    Attributes:
        source: Device file, index, address or serial number.
        name: What the system calls it.
        width, height: Size that it gives unasked [px].
        fps: Pictures a second that it promises then; None where it does not say.
        fourcc: Its pixel format then.
        problem: Why it cannot be used, and what to do; None where it can.
        picture: File of the picture that was taken.
        flags: How to put it into `--robot.cameras`.
    """

    source: str
    name: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    fourcc: str = ""
    problem: str | None = None
    picture: str | None = None
    flags: str = ""

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        if self.problem:
            return [f"{self.source}  {self.name}".rstrip(), f"  {self.problem}"]
        rate = f" at {self.fps:g} Hz" if self.fps else ""
        profile = f"{self.width}x{self.height}{rate} {self.fourcc}".rstrip()
        lines = [f"{self.source}  {self.name}  {profile}".replace("    ", "  "), f"    {self.flags}"]
        return [*lines, f"  picture: {self.picture}"] if self.picture else lines


def list_cameras(extra: Sequence[str] = (), pictures: Path | None = None) -> list[CameraSeen]:
    """Return the cameras of the system and those in `extra` (device files, indexes, addresses, videos).

    Args:
        pictures: Folder for one picture of each; None takes none.

    Raises:
        DeviceError: If OpenCV is not installed.
        StorageError: If the folder cannot be made.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what is wrong with a camera is said by us
    try:
        import cv2
    except ImportError as error:
        raise DeviceError(NOT_INSTALLED) from error
    if pictures is not None:
        try:
            pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder {pictures} for pictures cannot be made: {error}") from error
    found = [
        _look(cv2, source, name, pictures) for source, name in [*_of_system(), *((e, "") for e in extra)]
    ]
    return [*found, *_realsense()]


def _of_system() -> Iterator[tuple[str, str]]:
    """Give (source, name) of the system's cameras."""
    if sys.platform == "linux":
        devices = sorted(Path("/dev").glob("video*"), key=lambda path: int("0" + path.name[5:]))
        for device in devices:
            card, captures = capabilities(device)
            if captures:
                yield str(device), card
    else:
        yield from ((str(index), "") for index in range(10))


def capabilities(device: Path) -> tuple[str, bool]:
    """Return a V4L2 device's name, and whether it gives pictures: a camera has device files for other things too."""
    name = ""
    with contextlib.suppress(OSError):
        name = Path("/sys/class/video4linux", device.name, "name").read_text().strip()
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return name, True  # why it cannot be opened is for the list to say
    try:
        answer = fcntl.ioctl(descriptor, _QUERYCAP, bytes(104))
    except OSError:
        return name, True
    finally:
        os.close(descriptor)
    card, capability, of_this_file = answer[16:48], *struct.unpack("<II", answer[84:92])
    return card.split(b"\0")[0].decode(errors="replace") or name, bool(
        (of_this_file or capability) & _CAPTURE
    )


def _look(cv2: Any, source: str, name: str, pictures: Path | None) -> CameraSeen:
    seen = CameraSeen(source, name)
    if source.startswith("/dev/"):
        seen.problem = trouble(source, "video4linux")
        if seen.problem:
            return seen
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    try:
        if not capture.isOpened():
            seen.problem = "does not open: check its cable, and that it is a camera"
            return seen
        seen.width, seen.height = (
            int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        seen.fps = capture.get(cv2.CAP_PROP_FPS) or None
        code = int(capture.get(cv2.CAP_PROP_FOURCC))
        seen.fourcc = "".join(chr(code >> 8 * i & 0xFF) for i in range(4)).strip("\0 ")
        seen.flags = _flags(seen)
        if pictures is not None:
            seen.picture, seen.problem = _take(cv2, capture, source, pictures)
    finally:
        capture.release()
    return seen


def _flags(seen: CameraSeen) -> str:
    rate = f"{seen.fps:g}" if seen.fps and seen.fps == int(seen.fps) else "30"
    source = f"type: opencv, index_or_path: {seen.source}"
    return (
        f'--robot.cameras="{{front: {{{source}, width: {seen.width}, height: {seen.height}, fps: {rate}}}}}"'
    )


def _take(cv2: Any, capture: Any, source: str, pictures: Path) -> tuple[str | None, str | None]:
    """Return the file of a picture, or why there is none."""
    picture = None
    for _ in range(_SETTLE):
        got, latest = capture.read()
        picture = latest if got else picture
    if picture is None:
        return None, "opens, but sends no picture: another camera may use up its USB socket's bandwidth"
    path = pictures / f"{re.sub(r'[^A-Za-z0-9]+', '_', source).strip('_')}.png"
    if not cv2.imwrite(str(path), picture):
        raise StorageError(f"{path} may not be written: check the folder's rights")
    return str(path), None


def _realsense() -> list[CameraSeen]:
    """Return Intel's cameras where their driver is installed."""
    try:
        import pyrealsense2  # noqa: F401
        from lerobot.cameras.realsense import RealSenseCamera

        found = RealSenseCamera.find_cameras()
    except Exception:
        return []  # no driver, or none that works here
    seen = []
    for one in found:
        profile = one.get("default_stream_profile", {})
        size = {key: profile.get(key) for key in ("width", "height", "fps")}
        source = f"type: intelrealsense, serial_number_or_name: '{one.get('id')}'"
        asked = ", ".join(f"{key}: {value}" for key, value in size.items() if value)
        flags = f'--robot.cameras="{{front: {{{source}, {asked}}}}}"'
        seen.append(CameraSeen(str(one.get("id")), str(one.get("name")), **size, flags=flags))
    return seen
