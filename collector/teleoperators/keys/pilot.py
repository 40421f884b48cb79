"""lerobot's `Teleoperator` over keys: presses to motion."""

from __future__ import annotations

import time
from typing import Any, Protocol

from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.session.keystream import LEFT, RELEASE, REPEAT, Key, KeyStream
from collector.session.state import Event
from collector.teleoperators.keys.config import KeysConfig
from collector.teleoperators.keys.hand import Hand
from collector.teleoperators.keys.layout import read_layout
from collector.teleoperators.motion.steered import SteeredPilot
from collector.teleoperators.motion.wish import Wish


class Source(Protocol):
    """Where keys come from that nobody feeds."""

    def read(self) -> list[Key]:
        """Return the keys that came since the last call; raises ConnectionError where it is gone."""
        ...

    def close(self) -> None:
        """Leave it as it was found."""
        ...


class Keys(SteeredPilot):
    """Flies a robot by keys; see `default.toml` for what does what.

    In a session the screen owns the terminal and `feed`s what is typed; the session's own keys are left to it.
    Without one (`lerobot-record`) a terminal is opened here.
    """

    config_class = KeysConfig
    name = "keys"
    config: KeysConfig

    def __init__(self, config: KeysConfig) -> None:
        super().__init__(config)
        self._layout = read_layout(config.mapping)
        self._in_session = False
        self._source: Source | None = None
        self._connected = False
        self._begin()

    def _begin(self) -> None:
        self._stream = KeyStream()
        self._gear = self._layout.first_gear
        opposite: dict[str, str] = {}
        for up, down in self._layout.pairs(self.mode):
            opposite |= {up: down, down: up}
        opposite.pop("", None)
        self._moving = frozenset(opposite)
        self._hand = Hand(
            self.config.style, self.config.step_s, self.config.latch_s, opposite, self._layout.stop
        )

    def __str__(self) -> str:
        return "keys"

    def fit_to(self, robot: Any) -> None:
        """Take the keys, units and mode of a lerobot `Robot`; whoever shows it also feeds what is typed."""
        super().fit_to(robot)
        self._in_session = True
        self._begin()

    def reset(self, seed: int) -> None:
        """Begin an episode; what was pressed before does not act in it."""
        super().reset(seed)
        self._hand.stop()

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def gear(self) -> int:
        """The gear, 1 being the slowest."""
        return self._gear + 1

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Load the arm's kinematics, and open what the keys come from, unless a session feeds them.

        Raises:
            DeviceError: If there is no terminal or input device to open.
            MismatchError: If the robot's model is not the robot's.
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._ready()
        self._begin()
        source = self.config.source
        if source == "auto":
            source = "session" if self._in_session else "terminal"
        if source == "terminal":
            from collector.teleoperators.keys.terminal import Terminal

            self._source = Terminal(self.config.terminal)
        elif source == "evdev":
            from collector.teleoperators.keys.evdev_source import EvdevKeyboard

            self._source = EvdevKeyboard(self.config.device)
        self._connected = True

    @check_if_not_connected
    def disconnect(self) -> None:
        """Leave the terminal as it was.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._connected = False
        if self._source is not None:
            self._source.close()
            self._source = None

    def feed(self, data: bytes, moment_s: float) -> None:
        """Take what was typed, as the terminal sent it, however it is split.

        Args:
            data: The bytes; keys that are not bound do nothing.
            moment_s: When they came [s], by `time.monotonic` (on Linux and macOS the same in every process).
        """
        for key in self._stream.feed(data):
            self._take(key, moment_s)

    def session_events(self) -> list[Event]:
        """None: the session's keys are the screen's."""
        return []

    def cue(self, cue: str) -> None:
        """Do nothing: keys are not felt. After a halt or pause no key acts on."""
        if cue in ("halt", "pause", "gone", "discard", "end", "succeed", "miss"):
            self._hand.stop()

    def _take(self, key: Key, moment_s: float) -> None:
        if key.name in (self._layout.faster, self._layout.slower) and key.kind not in (REPEAT, RELEASE):
            step = 1 if key.name == self._layout.faster else -1
            self._gear = min(max(self._gear + step, 0), len(self._layout.speeds) - 1)
        elif key.name in self._moving or key.name == self._layout.stop or key is LEFT:
            self._hand.take(key, moment_s)

    def _wish(self, dt_s: float) -> Wish:
        now_s = time.monotonic()
        if self._source is not None:
            for key in self._source.read():
                self._take(key, now_s)
        shares = self._hand.shares(dt_s, now_s)

        def share(up: str, down: str) -> float:
            return shares.get(up, 0.0) - shares.get(down, 0.0)

        layout, speed = self._layout, self._layout.speeds[self._gear]
        rates = {axis: share(*pair) * speed for axis, pair in layout.axes[self.mode].items()}
        return Wish(
            rates={axis: rate for axis, rate in rates.items() if rate},
            closing=share(layout.close, layout.open) * layout.grip_rate,
        )
