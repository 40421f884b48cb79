"""Which arm a set of servos may be, and the flags that fly it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from collector.session.inventory.servos import Servo

FOLLOWER_VOLTS = 9.0  # leaders are supplied with 5 V


@dataclass(frozen=True)
class Arm:
    """A kind of arm: its name, the model of each servo by id, and lerobot's types for it."""

    name: str
    models: dict[int, str]
    robot: str | None = None
    teleop: str | None = None


def _same(model: str, ids: range) -> dict[int, str]:
    return dict.fromkeys(ids, model)


ARMS = (
    Arm("SO-100/101", _same("STS3215", range(1, 7)), "so101_follower", "so101_leader"),
    Arm("LeKiwi", _same("STS3215", range(1, 10)), "lekiwi"),
    Arm("Koch", _same("XL430-W250", range(1, 3)) | _same("XL330-M288", range(3, 7)), "koch_follower"),
    Arm("Koch", _same("XL330-M077", range(1, 7)), teleop="koch_leader"),
    Arm("OMX", _same("XL430-W250", range(11, 14)) | _same("XL330-M288", range(14, 17)), "omx_follower"),
    Arm("OMX", _same("XL330-M288", range(1, 6)) | {6: "XL330-M077"}, teleop="omx_leader"),
)


@dataclass(frozen=True)
class Guess:
    """What an arm may be.

    Attributes:
        words: In words, with what is missing of it.
        flags: Each a set of flags that use it.
    """

    words: str
    flags: tuple[str, ...]


def guess(servos: list[Servo], port: str) -> Guess:
    """Return which arm the servos of a port may be."""
    found = {servo.servo_id: servo.model for servo in servos}
    arm = max(ARMS, key=lambda arm: len(arm.models.items() & found.items()) - _differences(arm, found))
    if len(arm.models.items() & found.items()) < len(arm.models) / 2:
        return Guess("no arm that lerobot knows", ())
    role, flags = _role(arm, servos, port)
    words = f"{arm.name} {role}"
    missing = sorted(arm.models.keys() - found.keys())
    wrong = [f"{i} is {found[i]}, not {m}" for i, m in sorted(arm.models.items()) if found.get(i, m) != m]
    extra = sorted(found.keys() - arm.models.keys())
    complaints = [
        *([f"servo {_listed(missing)} does not answer: check its cable and id"] if missing else []),
        *([f"servo {', '.join(wrong)}"] if wrong else []),
        *(
            [f"servo {_listed(extra)} does not belong to it: was an id set twice or wrongly?"]
            if extra
            else []
        ),
    ]
    if complaints:
        return Guess(f"{words}, incomplete: {'; '.join(complaints)}", ())
    return Guess(words, flags)


def _differences(arm: Arm, found: dict[int, str]) -> int:
    return len(arm.models.keys() ^ found.keys())


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids))


def _role(arm: Arm, servos: list[Servo], port: str) -> tuple[str, tuple[str, ...]]:
    """Return whether it leads or follows, as far as that can be told, and the flags."""
    robot = f"--robot.type={arm.robot} --robot.port={port}" if arm.robot else None
    teleop = f"--teleop.type={arm.teleop} --teleop.port={port}" if arm.teleop else None
    both = tuple(flags for flags in (robot, teleop) if flags)
    if robot is None or teleop is None:
        return ("leader" if robot is None else "follower" if arm.name != "LeKiwi" else "robot"), both
    if calibrated := _calibrated_as(arm, servos):
        part, name = calibrated
        kept = robot if part == "robots" else teleop
        flag = "robot" if part == "robots" else "teleop"
        role = "follower" if part == "robots" else "leader"
        return f"{role}, calibrated as '{name}'", (f"{kept} --{flag}.id={name}",)
    volts = [servo.volts for servo in servos if servo.volts is not None]
    if volts and min(volts) > FOLLOWER_VOLTS:
        return f"follower (a leader is not supplied with {min(volts):.0f} V)", (robot,)
    return "leader or follower", both


def calibration_folder() -> Path:
    """Return where lerobot keeps calibration files: `robots` and `teleoperators`, each with a folder a kind."""
    from huggingface_hub.constants import HF_HOME

    home = os.environ.get("HF_LEROBOT_HOME") or f"{HF_HOME}/lerobot"
    return Path(os.environ.get("HF_LEROBOT_CALIBRATION") or f"{home}/calibration").expanduser()


def _calibrated_as(arm: Arm, servos: list[Servo]) -> tuple[str, str] | None:
    """Return (`robots` or `teleoperators`, id) of the one calibration file that the servos hold, if it is one."""
    held = {servo.servo_id: servo.limits for servo in servos}
    fitting = []
    for path in calibration_folder().glob("*/*/*.json"):
        try:
            joints = json.loads(path.read_text()).values()
            file = {one["id"]: (one["homing_offset"], one["range_min"], one["range_max"]) for one in joints}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # not one of lerobot's
        if file == held:
            fitting.append((path.parent.parent.name, path.stem))
    return fitting[0] if len(fitting) == 1 else None
