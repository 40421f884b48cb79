"""A look at the connected rig before the first flight: what a pilot wants to know before sitting down."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from collector.robots.protocols import measured
from collector.session.doctor import Finding
from collector.session.rig import Rig
from collector.session.rig_check_cameras import measure_cameras
from collector.session.rig_check_motors import arms_of, check_health, words_of

_MEASURE_S = 1.0
_OLD_DAYS = 90  # a calibration older than this is spoken of: servos are changed, horns slip
_FAR = 20.0  # from the robot to its leader [units]: said, for the robot will go there
_LEAST_FREE_BYTES = 2e9


def look_at(rig: Rig, root: Path | None) -> list[Finding]:
    """Look at a connected rig; nothing moves.

    Args:
        root: Where flights will be recorded; None: nowhere.
    """
    findings: list[Finding] = []
    looks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("robot", lambda: _arms("robot", rig.robot)),
        ("teleoperator", lambda: _pilot(rig)),
        ("cameras", lambda: _cameras(rig)),
    ]
    if root is not None:
        looks.append(("disk", lambda: _disk(root)))
    for what, look in looks:
        try:
            findings += look()
        except Exception as error:  # drivers raise what they like
            findings.append(Finding(what, False, True, f"{words_of(error)}: check its cable and power"))
    return findings


def _arms(what: str, device: Any) -> Iterator[Finding]:
    arms = list(arms_of(device))
    if not arms:
        yield Finding(what, True, True, f"'{device.name}' is connected")
    for side, arm in arms:
        name = f"{what} {side}".rstrip()
        yield _calibration(name, Path(arm.calibration_fpath))
        yield check_health(name, arm)


def _calibration(name: str, file: Path) -> Finding:
    if not file.is_file():
        return Finding(f"{name} calibration", True, False, "none on this machine; the servos' own is used")
    days = (time.time() - file.stat().st_mtime) / 86400
    seen = f"{days:.0f} days old" if days >= 1 else "of today"
    ok = days <= _OLD_DAYS
    return Finding(
        f"{name} calibration",
        ok,
        False,
        seen + ("" if ok else f" (over {_OLD_DAYS}): calibrate anew if it is off"),
    )


def _pilot(rig: Rig) -> Iterator[Finding]:
    yield from _arms("teleoperator", rig.pilot)
    if hasattr(rig.pilot, "observe"):
        return  # it starts from where the robot is
    asked = rig.pilot.get_action()
    at = measured(rig.robot, rig.robot.get_observation())
    apart = {name: abs(float(asked[name]) - float(at[name])) for name in at if name in asked}
    if apart:
        most = max(apart, key=lambda name: apart[name])
        near = apart[most] <= _FAR
        seen = "stands where the robot does" if near else (
            f"stands {apart[most]:.0f} off the robot in {most.removesuffix('.pos')}: the robot will go there slowly"
        )  # fmt: skip
        yield Finding("teleoperator pose", near, False, seen)


def _cameras(rig: Rig) -> Iterator[Finding]:
    known = getattr(rig.robot, "cameras", None) or {}
    timed = {} if rig.simulated else known  # a simulation takes its pictures when it is asked
    clocked = {name: camera for name, camera in timed.items() if hasattr(camera, "latest_timestamp")}
    yield from measure_cameras(clocked, _MEASURE_S)
    for name, shape in rig.robot.observation_features.items():
        if isinstance(shape, tuple) and name not in clocked:
            yield Finding(f"camera {name}", True, True, f"{shape[1]}x{shape[0]}")


def _disk(root: Path) -> Iterator[Finding]:
    folder = next(one for one in (root.absolute(), *root.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(folder).free
    ok = free > _LEAST_FREE_BYTES
    yield Finding("disk", ok, True, f"{free / 1e9:.1f} GB free in {folder}" + ("" if ok else ": free some"))
