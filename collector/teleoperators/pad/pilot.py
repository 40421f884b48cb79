"""lerobot's `Teleoperator` over a pad: sticks to motion, buttons to the session."""

from __future__ import annotations

import time
from typing import Any

from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.session.state import Event
from collector.teleoperators.motion.steered import SteeredPilot
from collector.teleoperators.motion.wish import Wish
from collector.teleoperators.pad.config import PadConfig
from collector.teleoperators.pad.cues import CUES
from collector.teleoperators.pad.device import Controls, PadDevice
from collector.teleoperators.pad.mapping import axis_value, read_mapping
from collector.teleoperators.pad.names import STICKS, TRIGGERS
from collector.teleoperators.pad.presses import Presses
from collector.teleoperators.pad.shaping import shape, shape_stick


class Pad(SteeredPilot):
    """Flies a robot by the sticks, triggers and buttons of a gamepad; see `default.toml` for what does what.

    It is `Steering` and `Fitting`: the session shows it the robot, and asks it for what its buttons say. Without a
    session (`lerobot-record`) the flags name the joints and where they begin, and the buttons of the session do
    nothing.
    """

    config_class = PadConfig
    name = "pad"

    def __init__(self, config: PadConfig) -> None:
        super().__init__(config)
        self._mapping = read_mapping(config.mapping)
        self._wanted = config.device
        self._device: PadDevice | None = None
        self._begin()

    def _begin(self) -> None:
        self._presses = Presses(self._mapping.session, self._mapping.hold_s)
        self._events: list[Event] = []
        self._gear = self._mapping.first_gear
        self._rest: float | None = None  # the gripper's trigger when first seen; it acts once it leaves that

    def __str__(self) -> str:
        return self._device.name if self._device else f"pad {self._wanted}".rstrip()

    @property
    def is_connected(self) -> bool:
        """Whether it was connected; a pad that has been unplugged since is only told by `get_action`."""
        return self._device is not None

    @property
    def feedback_features(self) -> dict[str, type]:
        """None that lerobot knows; `cue` is what is felt."""
        return {}

    @property
    def gear(self) -> int:
        """The gear, 1 being the slowest."""
        return self._gear + 1

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Open the pad and load the arm's kinematics.

        Raises:
            DeviceError: If there is no such pad, or pygame is missing.
            MismatchError: If the robot's model is not the robot's.
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._ready()  # takes a second the first time: not at the first tick
        self._device = PadDevice(self._wanted)
        self._begin()

    @check_if_not_connected
    def disconnect(self) -> None:
        """Let go of the pad.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        assert self._device is not None
        self._device.close()
        self._device = None

    def session_events(self) -> list[Event]:
        """Return what the buttons have asked for since the last call, oldest first, and forget it.

        Never raises for a pad that is gone: `get_action` says so.
        """
        if self._device is not None:
            try:
                self._look()
            except ConnectionError:
                pass
        events, self._events = self._events, []
        return events

    def cue(self, cue: str) -> None:
        """Let the pilot feel and see what happened, where the pad can; returns at once."""
        said = CUES.get(cue)
        if said is None or self._device is None:
            return
        self._device.rumble(said.low, said.high, said.seconds)
        if said.light is not None:
            self._device.light(*said.light)

    def _look(self) -> Controls:
        """Return what the controls say, and take what the buttons ask for.

        Raises:
            ConnectionError: If the pad is gone.
        """
        assert self._device is not None
        controls = self._device.look()
        for button, down in controls.changes:
            if down and button == self._mapping.gear_up:
                self._gear = min(self._gear + 1, len(self._mapping.speeds) - 1)
            elif down and button == self._mapping.gear_down:
                self._gear = max(self._gear - 1, 0)
        self._events += self._presses.feed(controls.changes, time.monotonic())
        return controls

    def _wish(self, dt_s: float) -> Wish:
        controls = self._look()
        mapping = self._mapping
        values: dict[str, float] = dict.fromkeys(controls.held, 1.0)
        for x, y in STICKS:
            values[x], values[y] = shape_stick(controls.axes[x], controls.axes[y], *mapping.stick)
        for trigger in TRIGGERS:
            values[trigger] = shape(controls.axes[trigger], *mapping.trigger)
        speed = mapping.speeds[self._gear]
        rates: dict[str, Any] = {}
        if not mapping.clutch or values.get(mapping.clutch):
            axes = mapping.axes[self.mode].items()
            rates = {axis: axis_value(parts, values) * speed for axis, parts in axes}
        return Wish(
            rates={axis: rate for axis, rate in rates.items() if rate},
            closed=self._closed(values),
            closing=values.get(mapping.close, 0.0) - values.get(mapping.open, 0.0),
            frame="tool" if mapping.tool and values.get(mapping.tool) else None,
        )

    def _closed(self, values: dict[str, float]) -> float | None:
        """Return how far the gripper shall be closed; None until its trigger was touched, and without one."""
        follow = self._mapping.follow
        if not follow:
            return None
        pulled = values[follow]
        if self._rest is None:
            self._rest = pulled
        if self._rest >= 0 and abs(pulled - self._rest) < 0.02:
            return None
        self._rest = -1.0  # touched: from now on the gripper follows
        return pulled
