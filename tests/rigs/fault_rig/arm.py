"""A robot whose measured joints tell the tick, whose pictures tell the capture, and which fails on request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lerobot.robots import Robot, RobotConfig

from rigs.fault_rig import camera
from rigs.fault_rig.log import Log
from rigs.fault_rig.motion import JOINTS, positions

FAULTS = (
    "",
    "unplugged",  # observing and acting raise ConnectionError from the tick on
    "blip",  # observing raises ConnectionError once
    "observe_raises",  # observing raises RuntimeError once
    "act_unplugged",  # acting raises ConnectionError from the tick on
    "act_raises",  # acting raises RuntimeError once
    "disconnect_raises",
    *camera.FAULTS,
)


_lives: dict[Path | None, int] = {}  # last tick of an arm that a session has made anew, by its log


@RobotConfig.register_subclass("rig_arm")
@dataclass(kw_only=True)
class RigArmConfig(RobotConfig):
    """What the arm has, and when it fails."""

    n_cameras: int = 0
    height: int = 64
    width: int = 64
    camera_fps: float = 30
    fault: str = ""
    fault_at: int = 0  # tick, counted from 0, at which the fault begins
    fault_on: Path | None = None  # a file with which it begins; instead of fault_at
    lag_s: float = 0.3  # how old the pictures of a camera that lags are [s]
    log: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fault not in FAULTS:
            raise ValueError(f"fault '{self.fault}' is none of {', '.join(FAULTS[1:])}")


class RigArm(Robot):
    """Six joints that move by themselves and 0 to 2 cameras; each observation is a tick."""

    config_class = RigArmConfig
    name = "rig_arm"

    def __init__(self, config: RigArmConfig) -> None:
        super().__init__(config)
        self.config = config
        self.cameras = {
            name: camera.RigCamera(config.height, config.width, config.camera_fps, seed)
            for seed, name in enumerate(("front", "wrist")[: config.n_cameras])
        }
        self._log = Log(config.log)
        self._connected = False
        self._tick = _lives.get(config.log, -1)
        self._once = config.log in _lives and self._due()

    @cached_property
    def observation_features(self) -> dict[str, Any]:
        pictures = dict.fromkeys(self.cameras, (self.config.height, self.config.width, 3))
        return {**dict.fromkeys(JOINTS, float), **pictures}

    @cached_property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(JOINTS, float)

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        return True

    def calibrate(self) -> None:
        """Nothing to calibrate."""

    def configure(self) -> None:
        """Nothing to configure."""

    def connect(self, calibrate: bool = True) -> None:
        self._fail("unplugged", ConnectionError("no such port"))
        for name, device in self.cameras.items():
            device.lag_s = self.config.lag_s
            device.fault = self.config.fault if name == "front" and self._due() else ""
            device.connect()
        self._connected = True
        self._log.add("connect")

    def get_observation(self) -> dict[str, Any]:
        moment = time.perf_counter()
        self._tick += 1
        _lives[self.config.log] = self._tick
        self._fail("unplugged", ConnectionError("the bus does not answer: no status packet"))
        self._fail("blip", ConnectionError("the bus does not answer: no status packet"), once=True)
        self._fail("observe_raises", RuntimeError("register 56 holds nonsense"), once=True)
        joints = positions(self._tick)
        pictures, numbers = {}, []
        try:
            for name, device in self.cameras.items():
                if name == "front" and self._due():
                    device.fault = self.config.fault
                pictures[name], number = device.read_numbered()
                numbers.append(number)
        finally:
            self._log.add("observe", moment, tick=self._tick, q=list(joints.values()), pictures=numbers)
        return {**joints, **pictures}

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        moment = time.perf_counter()
        self._fail("unplugged", ConnectionError("the bus does not answer: write failed"))
        self._fail("act_unplugged", ConnectionError("the bus does not answer: write failed"))
        self._fail("act_raises", RuntimeError("goal out of range"), once=True)
        sent = {name: float(action[name]) for name in JOINTS}
        self._log.add("act", moment, tick=self._tick, q=list(sent.values()))
        return sent

    def disconnect(self) -> None:
        self._log.add("disconnect")
        self._connected = False
        for device in self.cameras.values():
            device.disconnect()
        if self.config.fault == "disconnect_raises":
            raise ConnectionError("torque could not be switched off: no status packet")

    def _due(self) -> bool:
        if self.config.fault_on is not None:
            return self.config.fault_on.exists()
        return self._tick >= self.config.fault_at

    def _fail(self, fault: str, error: Exception, once: bool = False) -> None:
        if self.config.fault != fault or not self._due() or (once and self._once):
            return
        self._once = True
        self._log.add("fault", fault=fault)
        raise error
