"""What `demodeck doctor` looks at on a rig's cameras: rate, size, light, and the USB that they share."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.session.doctor import Finding
from collector.session.exposure import Exposure, Verdict
from collector.session.inventory.rights import trouble
from collector.session.rig_check_motors import words_of

MEASURE_S = 2.0
_FIRST_S = 3.0  # a camera may take so long to its first picture
_LEAST_RATE = 0.85  # of the rate that was asked for
_STOOD_STILL_S = 0.03  # between two looks at the cameras: then it is the machine that was slow, and no camera
_TRIES = 3
_USB_SHARE = 0.8  # of a bus that cameras may take together
_BITS = {"MJPG": 2.4, "JPEG": 2.4, "H264": 0.3, "NV12": 12.0, "YU12": 12.0}  # a pixel; all others 16 (YUYV)


def check_cameras(cameras: dict[str, Any], measure_s: float = MEASURE_S) -> Iterator[Finding]:
    """Open all cameras, measure them together, as they will be used, and give what was found; they stay open.

    Args:
        cameras: lerobot cameras by name.
        measure_s: How long [s].
    """
    opened = {}
    for name, camera in cameras.items():
        problem = _open(camera)
        if problem:
            yield Finding(f"camera {name}", False, True, problem)
        else:
            opened[name] = camera
    yield from measure_cameras(opened, measure_s)
    yield from check_usb(opened)


def _open(camera: Any) -> str | None:
    """Open a camera; return why it does not."""
    path = getattr(camera, "index_or_path", None)
    if isinstance(path, int):
        path = f"/dev/video{path}"
    if str(path).startswith("/dev/"):
        problem = trouble(str(path), "video4linux")
        if problem:
            return f"{path} {problem}"
    try:
        if not camera.is_connected:
            camera.connect(warmup=False)
    except Exception as error:
        words = words_of(error).partition("Run `lerobot-find")[0].rstrip(". ")
        return f"{words}: 'demodeck devices' lists cameras with what they can do"
    return None


class _Seen:
    """What was seen of one camera while it was measured."""

    def __init__(self, camera: Any, measure_s: float) -> None:
        self.camera, self.measure_s = camera, measure_s
        self.moments: list[float] = []
        self.shape: tuple[int, ...] | None = None
        self.exposure = Exposure()
        self.light: Verdict | None = None

    def look(self, now_s: float) -> bool:
        """Take the newest picture, if it is new; return whether measuring is over."""
        moment = getattr(self.camera, "latest_timestamp", None)
        if moment is not None and (not self.moments or moment != self.moments[-1]):
            self.moments.append(moment)
            picture = getattr(self.camera, "latest_frame", None)
            if picture is not None:
                self.shape = picture.shape
                self.light = self.exposure.see(picture, now_s)
        if not self.moments:
            return now_s > _FIRST_S
        return time.perf_counter() - self.moments[0] > self.measure_s

    def finding(self, name: str) -> Finding:
        what, camera = f"camera {name}", self.camera
        if not self.moments or self.shape is None:
            return Finding(
                what, False, True, f"opens, but sends no picture for {_FIRST_S:.0f} s: plug it in anew"
            )
        gaps = len(self.moments) - 1
        rate = gaps / (self.moments[-1] - self.moments[0]) if gaps else 0.0
        if time.perf_counter() - self.moments[-1] > max(0.5, self.measure_s / 4):
            return Finding(what, False, True, f"stopped after {gaps + 1} pictures: check its cable")
        height, width = self.shape[:2]
        asked, size = camera.fps or 0, (camera.width or width, camera.height or height)
        seen = f"{width}x{height} at {rate:.1f} Hz" + (f" (asked: {asked:g})" if asked else "")
        if (width, height) != size:
            return Finding(what, False, True, f"{seen}, but {size[0]}x{size[1]} was asked for: set its size")
        if rate < _LEAST_RATE * asked:
            advice = "more light, 'fourcc: MJPG', a lower rate or another USB socket"
            return Finding(what, False, True, f"{seen}: too slow; {advice} may help")
        if self.light is not None:
            words = {"dark": "is dark: uncover its lens, switch the light on"}
            return Finding(what, False, False, f"{seen}; {words.get(self.light.kind, 'is overexposed')}")
        return Finding(what, True, True, seen)


def measure_cameras(cameras: dict[str, Any], measure_s: float) -> Iterator[Finding]:
    """Measure open cameras together, again where the machine stood still; their names and what was found."""
    for _ in range(_TRIES):
        seen = {name: _Seen(camera, measure_s) for name, camera in cameras.items()}
        clocked = {name: one for name, one in seen.items() if hasattr(one.camera, "latest_timestamp")}
        findings, steady = _measure(clocked)
        if steady or all(finding.ok for finding in findings.values()):
            break
    for name in seen:
        silent = Finding(f"camera {name}", True, False, "opens; it does not say when its pictures are taken")
        yield findings.get(name, silent)


def _measure(seen: dict[str, _Seen]) -> tuple[dict[str, Finding], bool]:
    """Look at cameras until each was seen for long enough; return what was found, and whether no look came late."""
    start = looked_s = time.perf_counter()
    waiting, steady = dict(seen), True
    while waiting:
        before_s, looked_s = looked_s, time.perf_counter()
        steady &= looked_s - before_s < _STOOD_STILL_S
        waiting = {name: one for name, one in waiting.items() if not one.look(looked_s - start)}
        time.sleep(0.001)
    findings = {name: one.finding(name) for name, one in seen.items()}
    return findings, steady and time.perf_counter() - looked_s < _STOOD_STILL_S


def check_usb(cameras: dict[str, Any], sys_root: Path = Path("/sys")) -> Iterator[Finding]:
    """Give, for each USB bus with cameras on it, what they need of it; nothing where the system does not tell."""
    buses: dict[tuple[str, float], list[tuple[str, float]]] = defaultdict(list)
    for name, camera in cameras.items():
        bus = usb_bus(camera, sys_root)
        if bus is not None:
            buses[bus].append((name, needed_mbit_s(camera)))
    for (bus_name, speed), users in buses.items():
        need, most = sum(mbit_s for _, mbit_s in users), _USB_SHARE * speed
        names = ", ".join(name for name, _ in users)
        seen = f"{names} need {need:.0f} of {most:.0f} Mbit/s"
        advice = "" if need <= most else ": set 'fourcc: MJPG', or plug one into another bus"
        yield Finding(f"USB bus {bus_name}", need <= most, False, seen + advice)


def usb_bus(camera: Any, sys_root: Path) -> tuple[str, float] | None:
    """Return (number, speed [Mbit/s]) of the USB bus that a V4L2 camera is on."""
    source = getattr(camera, "index_or_path", None)
    number = source if isinstance(source, int) else Path(str(source)).resolve().name.removeprefix("video")
    place = (sys_root / "class" / "video4linux" / f"video{number}" / "device").resolve()
    for folder in (place, *place.parents):
        try:
            return (folder / "busnum").read_text().strip(), float((folder / "speed").read_text())
        except (OSError, ValueError):
            continue
    return None


def needed_mbit_s(camera: Any) -> float:
    """Return what a camera's pictures take of its bus [Mbit/s], by size, rate and pixel format."""
    capture = getattr(camera, "videocapture", None)
    code = int(capture.get(6)) if capture is not None else 0  # 6: CAP_PROP_FOURCC
    fourcc = "".join(chr(code >> 8 * i & 0xFF) for i in range(4))
    asked = getattr(camera.config, "fourcc", None)
    bits = _BITS.get(fourcc if code > 0 else (asked or ""), 16.0)
    return bits * (camera.width or 0) * (camera.height or 0) * (camera.fps or 0) / 1e6
