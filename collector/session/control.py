"""The control process: owns robot, cameras and teleoperator, and flies the episodes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from collector.errors import UsageError
from collector.session import ipc
from collector.session.attach import Berth
from collector.session.config import RecordConfig, TeleopConfig
from collector.session.devices import register_devices
from collector.session.features import Recording
from collector.session.flights import Flights
from collector.session.fly import DeviceGoneError, FlightResult
from collector.session.helm import Helm
from collector.session.pacing import lateness_ms
from collector.session.port import ScreenPort
from collector.session.realtime import collect_garbage
from collector.session.rig import Rig
from collector.session.state import Event, State
from collector.session.view import View


def parse_record_flags(args: list[str]) -> RecordConfig:
    """Return the checked config of a `demodeck record` command line.

    Raises:
        UsageError: If a flag is unknown, missing or makes no sense.
    """
    from collector.flags import parse_flags

    return parse_flags(RecordConfig, register_devices(args), "record").checked()


def parse_teleop_flags(args: list[str]) -> TeleopConfig:
    """Return the checked config of a `demodeck teleop` command line.

    Raises:
        UsageError: If a flag is unknown, missing or makes no sense.
    """
    from collector.flags import parse_flags

    return parse_flags(TeleopConfig, register_devices(args), "teleop").checked()


def run_control(
    args: list[str], screen: Connection, recorder: Connection | None, interactive: bool, berth: Berth
) -> None:
    """Entry point of the process.

    Args:
        args: The flags.
        screen: The pipe to the screen.
        recorder: The pipe to the recorder; None flies without recording.
        interactive: Whether a person sits at the screen.
        berth: Where another screen can attach.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the screen decides
    port = ScreenPort(screen)
    try:
        if recorder is None:
            _TeleopSession(args, port, interactive, berth).run()
        else:
            _RecordSession(args, port, recorder, interactive, berth).run()
    except BaseException as error:
        port.tell("error", **ipc.error_message(error))
    finally:
        berth.remove()
        port.close()
        if recorder is not None:
            recorder.close()


class _Session:
    """What both kinds of session have: a rig, a helm, and flights."""

    def __init__(
        self, config: Any, screen: ScreenPort, fps: float, interactive: bool, berth: Berth, **told: Any
    ) -> None:
        self._tell = screen.tell
        ignored = [flag for flag in ("display_data",) if getattr(config, flag)]
        self.display = _display(config, interactive)
        self.reattach_s = config.reattach_time_s if self.display == "cockpit" else 0.0
        if self.reattach_s:
            screen.await_others(berth.control, bytes.fromhex(berth.key))
        self._tell(
            "config",
            display=self.display,
            json=config.json,
            ignored=ignored,
            keys=config.keys,
            voice=config.voice,
            sounds=getattr(config, "play_sounds", True),
            reattach_s=self.reattach_s,
            robot=config.robot.type,
            teleop=config.teleop.type,
            **told,
        )
        self.rig = Rig(config.robot, config.teleop, config.safety, fps, config.takeover)
        if hasattr(self.rig.pilot, "feed"):
            self._tell("feed")
        self.helm = Helm(screen, self.reattach_s)
        self.view = self._make_view(config, fps) if self.display == "cockpit" else None
        self.flights = Flights(
            self.rig,
            self.helm,
            self._tell,
            fps=fps,
            reconnect_time_s=config.reconnect_time_s,
            interactive=interactive,
            squeeze=config.squeeze,
            view=self.view,
            practice_seed=config.seed,
        )

    def _make_view(self, config: Any, fps: float) -> View:
        """Make the memory in which the screen sees the flights, and tell the screen of it."""
        features = self.rig.robot.observation_features
        cameras = {name: shape[:2] for name, shape in features.items() if isinstance(shape, tuple)}
        view = View(list(self.rig.robot.action_features), cameras)
        self._tell(
            "view",
            name=view.name,
            joints=view.joints,
            cameras=view.cameras,
            limits=config.safety.limits,
            fps=fps,
        )
        return view

    def _look_at_rig(self, root: Path | None) -> None:
        """Show the person how the rig is, and wait until the first flight is wanted."""
        from collector.session.preflight import look_at

        findings = [vars(finding) for finding in look_at(self.rig, root)]
        self._tell("rig", findings=findings)
        self.helm.take(Event.PAUSE)

    def close(self) -> None:
        """Remove the memory that the screen looks at."""
        if self.view is not None:
            self.view.close()


class _TeleopSession(_Session):
    """Flying without recording, until the person ends it or the time is over."""

    def __init__(self, args: list[str], screen: ScreenPort, interactive: bool, berth: Berth) -> None:
        self.config = parse_teleop_flags(args)
        super().__init__(self.config, screen, self.config.fps, interactive, berth)
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


class _RecordSession(_Session):
    """One recording session, from the flags to the disconnected robot."""

    def __init__(
        self, args: list[str], screen: ScreenPort, recorder: Connection, interactive: bool, berth: Berth
    ) -> None:
        self.recorder = recorder
        self.config = parse_record_flags(args)
        self.data = data = self.config.dataset
        told = {"push": data.push_to_hub, "private": data.private, "repo_id": data.repo_id}
        super().__init__(self.config, screen, data.fps, interactive, berth, **told)
        self.berth = berth
        self.recording = Recording.of(self.rig.robot)
        self.ring = ipc.Ring(self.recording.features)
        self.sink = ipc.RingSink(self.ring, recorder, self.recording, wait=self.rig.lock_step)
        self.helm.handlers |= {Event.TAKE_BACK: self._take_back, Event.BRING_BACK: self._take_back}
        self.helm.between |= {Event.SUCCEED: self._mark, Event.MISS: self._mark}
        self.first = 0  # the session's first episode
        self.saved = 0  # flights handed to the recorder to be kept
        self.partial: set[int] = set()  # episodes that something interrupted: they are kept, and flown again
        self.taken_back: list[int] = []  # episodes, in the order in which they were taken back

    def run(self) -> None:
        try:
            self.first = self._open_dataset()
            with contextlib.closing(self), self.flights.flying():
                self._tell(
                    "flying",
                    root=str(self.data.root),
                    episodes=self.first,
                    wanted=self.data.num_episodes,
                    lock_step=self.rig.lock_step,
                    fps=self.data.fps,
                )
                if self.display == "cockpit" and self.config.rig_check:
                    self._look_at_rig(self.data.root)
                while True:
                    try:
                        if not self._another():
                            break
                        self.flights.align()
                        if self.helm.state is State.READY:
                            self._fly_one()
                    except DeviceGoneError as gone:
                        self.flights.await_device(gone)
                if self.helm.state is not State.STOPPING:
                    self.helm.take(Event.STOP)
                ipc.send(self.recorder, "close")
                closed = self._await_recorder("closed")
                self.helm.take(Event.FINISHED)
            self._tell("done", **{k: v for k, v in closed.items() if k != "kind"})
        finally:
            self.ring.close()

    def _another(self) -> bool:
        """Wait until the next flight may begin; return whether there is to be one.

        In the cockpit the person has the last word: the last flight can be marked or taken back.
        """
        stays = self.display == "cockpit"
        if self._enough() and not stays:
            return False
        if self._enough() and self.helm.state is State.READY:
            self._tell("enough")
            self.helm.take(Event.PAUSE)
        return self.flights.ready() and not self._enough()

    def _open_dataset(self) -> int:
        """Let the recorder create or open the dataset; return how many episodes it holds."""
        ipc.send(
            self.recorder,
            "open",
            root=str(self.data.root),
            resume=self.config.resume,
            fps=self.data.fps,
            robot_type=self.rig.robot.name,
            features=self.recording.features,
            ring=self.ring.name,
            encoder=vars(self.data.rgb_encoder) | {"threads": self.data.encoder_threads},
            lock_step=self.rig.lock_step,
            berth=vars(self.berth) if self.reattach_s else None,
        )
        opened = self._await_recorder("opened")
        if self.reattach_s:
            self.berth.announce(f"recording into {self.data.root}")
        if self.recording.camera_names:
            self._tell("encoder", words=opened["encoder"])
        if opened["recovered"]:
            self._tell("recovered", episodes=opened["recovered"])
        return opened["episodes"]

    def _await_recorder(self, kind: str) -> dict[str, Any]:
        while True:
            try:
                message = ipc.receive(self.recorder)
            except EOFError as error:
                raise ipc.RecorderLostError(ipc.LOST_TEXT) from error
            if message is not None and message["kind"] == "error":
                raise ipc.error_of(message)
            if message is not None and message["kind"] == kind:
                return message

    def _fly_one(self) -> None:
        """Fly and save one episode, and let the scene be put back if another follows."""
        seed = self.config.seed + self.first + self.saved
        self._begin(seed)
        self.sink.lost = 0
        limit_s, episode = self._time_limit_s(), self.first + self.saved
        self._tell("take", number=self._kept() + 1, episode=episode, task=self._task(), limit_s=limit_s)
        self.helm.take(Event.BEGIN)
        self.helm.mark()
        options = {"stop_on_success": self.config.stop_on_success}
        try:
            result = self.flights.fly(seed, self.sink, limit_s, **options)
        except DeviceGoneError as gone:
            self._end(gone.flown, interrupted=True)
            raise
        self._end(result, interrupted=self._was_cut(result))
        if not self._enough() and self.helm.state is State.READY:
            if not self.rig.simulated and self.data.reset_time_s > 0:
                self._reset_phase()
            collect_garbage()

    def _was_cut(self, result: FlightResult) -> bool:
        """Return whether something else than the person or the pilot ended a flight."""
        unseen = result.reason == Event.UNSEEN.value
        return unseen or self.helm.lost_screen or self.helm.state is State.HALTED

    def _own(self) -> range:
        """Return the episodes of this session."""
        return range(self.first, self.first + self.saved)

    def _kept(self) -> int:
        """Return how many whole episodes of this session are kept."""
        return len(set(self._own()) - set(self.taken_back) - self.partial)

    def _enough(self) -> bool:
        return self._kept() >= self.data.num_episodes

    def _time_limit_s(self) -> float:
        limit_s = self.data.episode_time_s
        return min(limit_s, self.rig.robot.task.time_limit_s) if self.rig.simulated else limit_s

    def _task(self) -> str:
        return self.data.single_task or (self.rig.robot.task.instruction if self.rig.simulated else "")

    def _begin(self, seed: int) -> None:
        seeded = self.rig.simulated or hasattr(self.rig.pilot, "observe")
        ipc.send(
            self.recorder,
            "begin",
            task=self._task(),
            action_names=self.recording.action_names,
            seed=seed if seeded else None,
            pilot=self.config.teleop.type,  # type: ignore[union-attr]
            fps=self.data.fps,
        )
        self._await_recorder("ready")  # at once, unless too many flights wait to be sealed

    def _end(self, result: FlightResult, interrupted: bool) -> None:
        if self.helm.state is State.RECORDING:
            self.helm.take(Event.END)
        discard = result.discard or not result.ticks
        summary = {
            "success": result.success,
            "missed_ticks": result.missed_ticks + self.sink.lost,
            "clipped_ticks": sum(result.clipped.values()),
            "interrupted": interrupted,
            "reason": result.reason,
            "camera_faults": json.dumps(result.camera_faults) if result.camera_faults else None,
        }
        if not ipc.send(self.recorder, "end", discard=discard, **summary):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)
        ipc.check_for_error(self.recorder)
        self._tell(
            "flown",
            ticks=result.ticks,
            late_ms=lateness_ms(result.lateness_s),
            lost=self.sink.lost,
            asked_again=result.asked_again,
            clipped=result.clipped,
            discard=discard,
            **summary,
        )
        if not discard:
            if interrupted:
                self.partial.add(self.first + self.saved)
            self.saved += 1
            self.helm.cue("saved")

    def _reset_phase(self) -> None:
        """Let the person put the scene back, flying without recording."""
        self._tell("reset", seconds=self.data.reset_time_s)
        self.helm.mark()
        self.flights.fly(None, None, self.data.reset_time_s)

    def _take_back(self, event: Event, content: dict[str, Any]) -> None:
        """Take a saved episode of this session back, or bring one back that was; by default the last one."""
        episode, own = content.get("episode"), self._own()
        away = event is Event.TAKE_BACK
        candidates = [e for e in own if e not in self.taken_back] if away else self.taken_back
        if episode is None and candidates:
            episode = candidates[-1]
        if episode not in candidates:
            named = "no episode can be" if episode is None else f"episode {episode} cannot be"
            these = ", ".join(map(str, candidates)) or "none"
            why = f"{named} {'taken' if away else 'brought'} back; of this session can be: {these}"
            self.helm.refuse(event, why)
            return
        (self.taken_back.append if away else self.taken_back.remove)(episode)
        kept = self._kept()
        # The recorder tells the screen, once it is on the disk.
        answer = {"kind": event.value, "episode": episode, "kept": kept}
        if not ipc.send(self.recorder, "taken_back", episodes=self.taken_back, answer=answer):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)

    def _mark(self, event: Event, content: dict[str, Any]) -> None:
        """Mark a saved episode of this session as a success or a failure; by default the last one."""
        own = [episode for episode in self._own() if episode not in self.taken_back]
        if not own:
            self.helm.refuse(event, "no flight is running, and none of this session is saved")
            return
        marked = {"episode": own[-1], "success": event is Event.SUCCEED}
        if not ipc.send(self.recorder, "mark", **marked):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)


def _display(config: Any, interactive: bool) -> str:
    """Return which display the flags mean; a simulation in lock-step, which no person flies, needs none of its own."""
    person = interactive and sys.stderr.isatty() and os.environ.get("TERM") not in (None, "dumb")
    if config.display == "cockpit" and not person:
        raise UsageError("--display=cockpit needs a terminal: use log, or none")
    if config.display != "auto":
        return config.display
    return "cockpit" if person and getattr(config.robot, "realtime", True) and not config.json else "log"
