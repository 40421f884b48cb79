"""What recording and mere flying share: align, fly, pause, halt, wait for a device that is gone, end safely."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from collector.errors import DemodeckError, DeviceError
from collector.robots.protocols import measured
from collector.session.fly import DeviceGoneError, FlightResult, Sink, Tick, ask, fly
from collector.session.helm import Helm
from collector.session.realtime import ordinary, undisturbed
from collector.session.rig import Rig
from collector.session.squeeze import DoubleSqueeze
from collector.session.state import Event, State
from collector.session.view import View

_LOOK_S = 0.02  # how often the person is listened to while nothing is flown
_SCENE_S = 0.1  # how often the cameras are shown while nothing is flown
_MOTORS_S = 2.0  # how often the motors' heat is told
_RETRY_S = 0.5  # pause between two tries to reach a device that is gone


class Flights:
    """The flights of one session.

    Args:
        rig: Robot and pilot.
        helm: What the person asks for.
        tell: Sends the screen a message.
        fps: Control rate [Hz].
        reconnect_time_s: How long a device that is gone is waited for [s]; 0 ends the session at once.
        interactive: Whether a person can answer; else the session goes on by itself after a pause.
        squeeze: Whether a double squeeze of the leader's gripper starts and ends flights.
        view: Where a screen sees the flight; None: no screen does.
        practice_seed: The seed by which a simulated scene is placed for practice.
        takeover_after_s: How late in a flight who can take over does so by itself [s]; None: never.
    """

    def __init__(
        self,
        rig: Rig,
        helm: Helm,
        tell: Callable[..., None],
        *,
        fps: float,
        reconnect_time_s: float,
        interactive: bool,
        squeeze: bool,
        view: View | None = None,
        practice_seed: int = 0,
        takeover_after_s: float | None = None,
    ) -> None:
        self.rig, self.helm = rig, helm
        self._tell, self._fps, self._reconnect_time_s = tell, fps, reconnect_time_s
        self._interactive = interactive or hasattr(rig.pilot, "session_events") or squeeze
        self._view, self._practice_seed = view, practice_seed
        self._takeover_tick = None if takeover_after_s is None else max(1, round(takeover_after_s * fps))
        self._ticks = 0  # of this flight
        self._next_look_s = self._next_motors_s = 0.0
        self._squeeze = DoubleSqueeze() if squeeze else None
        helm.rig = rig
        helm.handlers |= {Event.CLUTCH: self._clutch, Event.TAKE_OVER: self._take_over}
        if self._squeeze is not None:
            helm.gestures = self._squeeze.events

    @contextlib.contextmanager
    def flying(self) -> Iterator[None]:
        """Connect, fly in real time where that is allowed, and leave the robot safe whatever the end is."""
        failed = True
        try:
            self.rig.connect()
            with contextlib.ExitStack() as stack:
                if not self.rig.lock_step:
                    self._tell("realtime", refused=stack.enter_context(undisturbed()))
                yield
            failed = False
        except BaseException:
            self.helm.take(Event.FAIL)
            raise
        finally:
            halted = self.helm.halted
            # Whatever the end: its last order is to stay where it is, not to go where it was asked to.
            if why := self.rig.hold():
                self._tell("unheld", why=why)
            elif not failed and not halted and (why := self.rig.rest()):
                self._tell("unrested", why=why)
            self.rig.release(failed or halted)

    def ready(self) -> bool:
        """Wait while the session is paused or the robot halted; return whether the next flight may begin.

        Raises:
            DeviceError: If the robot is halted and no person can free it.
            DeviceGoneError: If a device does not answer in practice.
        """
        told: State | None = None
        while self.helm.state in (State.PAUSED, State.HALTED, State.PRACTISING):
            if self.helm.state is State.PRACTISING:
                self._practise()
                told = None
                continue
            if self.helm.state is not told:
                told = self.helm.state
                if why := self.rig.hold():
                    self._tell("unheld", why=why)
                self._tell(told.value, by_itself=not self._interactive)
            if not self._interactive:
                if self.helm.state is State.HALTED:
                    raise DeviceError(
                        "the robot was halted, and nobody is there to free it: see above for why"
                    )
                self.helm.take(Event.END)
            self._watch_pilot()
            self._show_scene()
            self.helm.poll()
            time.sleep(_LOOK_S)
        return self.helm.state is State.READY

    def _practise(self) -> None:
        """Fly without recording until the person or the pilot ends it."""
        self._tell("practice")
        self.helm.mark()
        self.fly(self._practice_seed if self.rig.simulated else None, None, None)
        if self.helm.state is State.PRACTISING:
            self.helm.take(Event.END)

    def align(self) -> None:
        """Take the robot slowly to where a leader arm stands, or a program begins, before anything is recorded.

        Raises:
            DeviceGoneError: If a device does not answer.
        """
        rig = self.rig
        if not rig.simulated and getattr(rig.pilot, "flies_by_itself", False):
            # A program begins where its demonstrations did, not wherever the flight before ended.
            if why := rig.rest(lambda: self.helm.poll() is not None):
                self._tell("unrested", why=why)
            return
        if rig.simulated or hasattr(rig.pilot, "observe") or rig.continues():
            return  # the one is placed anew by the flight, the other starts from what it sees
        rig.guard.ease()
        reached = lambda: Event.END if rig.guard.aligned else None  # noqa: E731
        self._tell("aligning")
        fly(rig.robot, rig.pilot, fps=self._fps, poll=lambda: self.helm.poll() or reached(), guard=rig.guard,
            spare=self._spare)  # fmt: skip

    def put_scene_back(self, seconds: float) -> None:
        """Give a person time to put the scene back: who steers may fly meanwhile; a program's robot stands still.

        Args:
            seconds: How long, unless the person goes on before.

        Raises:
            DeviceGoneError: If a device does not answer.
        """
        if not getattr(self.rig.pilot, "flies_by_itself", False):
            self.fly(None, None, seconds)
            return
        if why := self.rig.hold():
            self._tell("unheld", why=why)
        ends_s = time.monotonic() + seconds
        while self.helm.state is State.READY and time.monotonic() < ends_s and self.helm.poll() is None:
            self._show_scene()
            time.sleep(_LOOK_S)

    def fly(
        self, seed: int | None, sink: Sink | None, time_limit_s: float | None, **options: Any
    ) -> FlightResult:
        """Fly once, as `collector.session.fly.fly` does, with everything watched.

        Raises:
            DeviceGoneError: If a device does not answer.
        """
        rig, self._ticks = self.rig, 0
        rig.guard.begin()
        if self._view is not None:
            self._view.begin()
        if not rig.lock_step and (rig.simulated or not rig.continues()):
            rig.guard.ease()
        return fly(
            rig.robot,
            rig.pilot,
            fps=self._fps,
            seed=seed,
            sink=sink,
            time_limit_s=time_limit_s,
            poll=self.helm.poll,
            on_camera_fault=lambda fault: self._tell("camera", fault=asdict(fault), words=fault.words()),
            guard=None if rig.lock_step and not rig.guard.limits else rig.guard,
            spare=self._spare,
            **options,
        )

    def await_device(self, gone: DeviceGoneError) -> None:
        """Hold the robot and look for a device that is gone until it is back, the time is over or the person ends.

        Raises:
            DeviceGoneError: If it does not come back.
        """
        self.helm.take(Event.GONE)
        if why := self.rig.hold():
            self._tell("unheld", why=why)
        if self.helm.state is not State.WAITING or self._reconnect_time_s <= 0:
            raise gone
        self._tell("gone", what=gone.what, why=str(gone), seconds=self._reconnect_time_s)
        deadline = time.monotonic() + self._reconnect_time_s
        next_try = time.monotonic()
        while self.helm.state is State.WAITING:
            if time.monotonic() >= next_try:
                try:
                    with contextlib.nullcontext() if self.rig.lock_step else ordinary():
                        self.rig.rebuild(gone.what)
                    self.helm.take(Event.BACK)
                    self._tell("back", what=gone.what)
                    return
                except DemodeckError:
                    next_try = time.monotonic() + _RETRY_S
            if time.monotonic() > deadline:
                raise gone
            self.helm.poll()
            time.sleep(_LOOK_S)

    def _spare(self, tick: Tick) -> None:
        self.rig.spare()
        self._ticks += 1
        if self._ticks == self._takeover_tick and not tick.intervention:
            self.helm.request(Event.TAKE_OVER)
        if self._view is not None:
            at = measured(self.rig.robot, tick.observation)
            self._view.add(tick, at, self._fps, getattr(self.rig.pilot, "input_age_s", 0.0))
        if self._squeeze is not None:
            self._squeeze.see(self.rig.guard.asked, time.monotonic())
        fault = self.rig.motors.look(time.monotonic()) if self.rig.motors else None
        if fault is not None:
            self._tell("motor", words=fault.words())
            if fault.halts:
                self.helm.request(Event.HALT)
        if self.rig.motors and self.rig.motors.seen and time.monotonic() >= self._next_motors_s:
            self._next_motors_s = time.monotonic() + _MOTORS_S
            self._tell("motors", **self.rig.motors.hottest())

    def _show_scene(self) -> None:
        """Between flights a screen shows what the cameras see, as well as they can be read then."""
        if self._view is not None and time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + _SCENE_S
            with contextlib.suppress(Exception):  # what is wrong is said when it is flown again
                self._view.show(self.rig.robot.get_observation())

    def _watch_pilot(self) -> None:
        """Between flights a leader's gripper must be read for its squeeze to be seen."""
        if self._squeeze is not None:
            with contextlib.suppress(Exception):  # if it is gone, the next flight says so
                self._squeeze.see(self.rig.pilot.get_action(), time.monotonic())

    def _clutch(self, event: Event, content: dict[str, Any]) -> None:
        self.rig.guard.clutched = not self.rig.guard.clutched
        self._tell("clutch", held=self.rig.guard.clutched)

    def _take_over(self, event: Event, content: dict[str, Any]) -> None:
        if not hasattr(self.rig.pilot, "take_over"):
            self.helm.refuse(
                event,
                "nobody can take over: give the person an arm or a pad by --takeover.type=so101_leader (pad, ...)",
            )
            return
        person = ask(self.rig.pilot, self.rig.pilot.take_over, FlightResult())
        self.rig.guard.ease(from_command=True)
        self._tell("took_over", person=person)
