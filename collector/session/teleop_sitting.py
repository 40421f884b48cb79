"""Flying without recording, until the person ends it or the time is over."""

from __future__ import annotations

import contextlib
from typing import Any

from collector.session.attach import Berth
from collector.session.config import TeleopConfig
from collector.session.fly import DeviceGoneError, FlightResult
from collector.session.pacing import lateness_ms
from collector.session.port import ScreenPort
from collector.session.sitting import Sitting
from collector.session.state import Event, State


class TeleopSitting(Sitting):
    """Flying without recording, until the person ends it or the time is over."""

    def __init__(self, config: TeleopConfig, screen: ScreenPort, interactive: bool, berth: Berth) -> None:
        self.config = config
        super().__init__(config, screen, config.fps, interactive, berth)
        if self.reattach_s:
            berth.announce(f"flying {self.config.robot.type}")
        self.takes = 0
        self.helm.between |= dict.fromkeys((Event.SUCCEED, Event.MISS), self._refuse_mark)

    def _refuse_mark(self, event: Event, content: dict[str, Any]) -> None:
        self.helm.refuse(event, "nothing is recorded: 'demodeck record' does")

    def run(self) -> None:
        config = self.config
        flown = FlightResult()
        with contextlib.closing(self), self.flights.flying():
            self._tell("teleop", fps=config.fps, seconds=config.teleop_time_s)
            if self.display == "cockpit" and config.rig_check:
                self._look_at_rig(None)
            while True:
                try:
                    if not self.flights.ready():
                        break
                    self.flights.align()
                    if self.helm.state is not State.READY:
                        continue
                    self.takes += 1
                    self._tell("take", number=self.takes, episode=0, task="", limit_s=config.teleop_time_s)
                    self.helm.take(Event.BEGIN)
                    flown = self.flights.fly(config.seed, None, config.teleop_time_s)
                    self._told(flown)
                    if flown.reason in ("time", "pilot"):
                        break
                    if self.helm.state is State.RECORDING:
                        self.helm.take(Event.END)
                except DeviceGoneError as gone:
                    self.flights.await_device(gone)
            if self.helm.state in (State.READY, State.RECORDING):
                self.helm.take(Event.STOP)
        self.helm.take(Event.FINISHED)
        self._tell("done", episodes=0, taken_back=0, kept_in=None)

    def _told(self, flown: FlightResult) -> None:
        self._tell(
            "flown",
            ticks=flown.ticks,
            late_ms=lateness_ms(flown.lateness_s),
            lost=0,
            asked_again=flown.asked_again,
            clipped=flown.clipped,
            discard=False,
            missed_ticks=flown.missed_ticks,
            reason=flown.reason,
        )
