"""The control process: owns robot, cameras and teleoperator, and flies the episodes."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from collector.robots.protocols import Simulated
from collector.session import ipc
from collector.session.config import RecordConfig
from collector.session.devices import connect, make_pilot, make_robot, register_devices
from collector.session.features import Recording, check_pilot_fits
from collector.session.fly import FlightResult, fly, is_lock_step
from collector.session.pacing import lateness_ms
from collector.session.realtime import collect_garbage, undisturbed
from collector.session.safety import hold, release
from collector.session.state import Event, State, step
from collector.teleoperators.protocols import Fitting


def parse_record_flags(args: list[str]) -> RecordConfig:
    """Return the checked config of a `demodeck record` command line.

    Raises:
        UsageError: If a flag is unknown, missing or makes no sense.
    """
    from collector.flags import parse_flags

    return parse_flags(RecordConfig, register_devices(args), "record").checked()


def run_control(args: list[str], screen: Connection, recorder: Connection) -> None:
    """Entry point of the process: `args` are the flags; `screen` and `recorder` the pipes to the others."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the screen decides
    try:
        _Session(args, screen, recorder).run()
    except BaseException as error:
        ipc.send_unless_stalled(screen, "error", **ipc.error_message(error))
    finally:
        screen.close()
        recorder.close()


class _Session:
    """One recording session, from the flags to the disconnected robot."""

    def __init__(self, args: list[str], screen: Connection, recorder: Connection) -> None:
        self.screen, self.recorder = screen, recorder
        self.config = parse_record_flags(args)
        self.data = self.config.dataset
        self._tell(
            "config",
            display=self.config.display,
            json=self.config.json,
            push=self.data.push_to_hub,
            private=self.data.private,
            repo_id=self.data.repo_id,
            ignored=[f for f in ("display_data",) if getattr(self.config, f)],
        )
        self.robot = make_robot(self.config.robot)
        self.pilot = make_pilot(self.config.teleop)
        if isinstance(self.pilot, Fitting):
            self.pilot.fit_to(self.robot)
        check_pilot_fits(self.robot, self.pilot)
        self.simulated = isinstance(self.robot, Simulated)
        self.recording = Recording.of(self.robot)
        self.ring = ipc.Ring(self.recording.features)
        self.state = State.READY
        self.lost_screen = False
        self.sink: ipc.RingSink | None = None
        self.first = 0  # the session's first episode
        self.saved = 0  # flights handed to the recorder to be kept
        self.taken_back: list[int] = []  # episodes, in the order in which they were taken back

    def run(self) -> None:
        try:
            self.first = self._open_dataset()
            # The teleoperator first, so that the robot is never left powered and idle while it starts.
            connect(self.pilot, "teleoperator")
            connect(self.robot, "robot")
            self._tell(
                "flying",
                root=str(self.data.root),
                episodes=self.first,
                wanted=self.data.num_episodes,
                lock_step=is_lock_step(self.robot),
                fps=self.data.fps,
            )
            with contextlib.ExitStack() as stack:
                if not is_lock_step(self.robot):
                    self._tell("realtime", refused=stack.enter_context(undisturbed()))
                self._fly_all()
            if self.state is State.READY:
                self._take(Event.STOP)
            ipc.send(self.recorder, "close")
            closed = self._await_recorder("closed")
            self._take(Event.FINISHED)
            self._tell("done", **{k: v for k, v in closed.items() if k != "kind"})
        except BaseException:
            self._take(Event.FAIL)
            raise
        finally:
            # Whatever the end: its last order is to stay where it is, not to go where it was asked to.
            if failed := hold(self.robot, self.sink.measured if self.sink else None):
                self._tell("unheld", why=failed)
            release(self.robot, self.pilot)
            self.ring.close()

    def _open_dataset(self) -> int:
        """Let the recorder create or open the dataset; return how many episodes it holds."""
        ipc.send(
            self.recorder,
            "open",
            root=str(self.data.root),
            resume=self.config.resume,
            fps=self.data.fps,
            robot_type=self.robot.name,
            features=self.recording.features,
            ring=self.ring.name,
            encoder=vars(self.data.rgb_encoder) | {"threads": self.data.encoder_threads},
            lock_step=is_lock_step(self.robot),
        )
        opened = self._await_recorder("opened")
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

    def _fly_all(self) -> None:
        self.sink = sink = ipc.RingSink(
            self.ring, self.recorder, self.recording, wait=is_lock_step(self.robot)
        )
        while not self._enough() and self.state is State.READY:
            seed = self.config.seed + self.first + self.saved
            self._begin(seed)
            sink.lost = 0
            self.state = step(self.state, Event.BEGIN).state
            result = fly(
                self.robot,
                self.pilot,
                fps=self.data.fps,
                seed=seed,
                sink=sink,
                time_limit_s=self._time_limit_s(),
                stop_on_success=self.config.stop_on_success,
                poll=self._poll,
                on_camera_fault=lambda fault: self._tell("camera", fault=asdict(fault), words=fault.words()),
            )
            self._end(result, sink.lost)
            self.saved += not result.discard
            if (
                not self._enough()
                and self.state is State.READY
                and not self.simulated
                and self.data.reset_time_s > 0
            ):
                self._reset_phase()
            collect_garbage()

    def _enough(self) -> bool:
        return self.saved - len(self.taken_back) >= self.data.num_episodes

    def _time_limit_s(self) -> float:
        limit_s = self.data.episode_time_s
        return min(limit_s, self.robot.task.time_limit_s) if self.simulated else limit_s

    def _begin(self, seed: int) -> None:
        task = self.data.single_task or (self.robot.task.instruction if self.simulated else "")
        seeded = self.simulated or hasattr(self.pilot, "observe")
        ipc.send(
            self.recorder,
            "begin",
            task=task,
            seed=seed if seeded else None,
            pilot=self.config.teleop.type,  # type: ignore[union-attr]
            fps=self.data.fps,
        )
        self._await_recorder("ready")  # at once, unless too many flights wait to be sealed

    def _end(self, result: FlightResult, lost: int) -> None:
        if self.state is State.RECORDING:
            self.state = step(self.state, Event.END).state
        summary = {
            "success": result.success,
            "missed_ticks": result.missed_ticks + lost,
            "interrupted": self.lost_screen,
            "reason": result.reason,
            "camera_faults": json.dumps(result.camera_faults) if result.camera_faults else None,
        }
        if not ipc.send(self.recorder, "end", discard=result.discard, **summary):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)
        ipc.check_for_error(self.recorder)
        self._tell(
            "flown",
            ticks=result.ticks,
            late_ms=lateness_ms(result.lateness_s),
            lost=lost,
            asked_again=result.asked_again,
            discard=result.discard,
            **summary,
        )

    def _reset_phase(self) -> None:
        """Let the person put the scene back, flying without recording."""
        self._tell("reset", seconds=self.data.reset_time_s)
        fly(
            self.robot,
            self.pilot,
            fps=self.data.fps,
            time_limit_s=self.data.reset_time_s,
            poll=lambda: self._poll(resetting=True),
        )

    def _poll(self, resetting: bool = False) -> Event | None:
        """Return the event that ends the present flight, if one has come from the screen."""
        try:
            if not self.screen.poll():
                return None
            message = ipc.receive(self.screen)
        except (EOFError, OSError):
            message = {"kind": "event", "event": Event.LOST.value}
        if message is None or message.get("kind") != "event":
            return None
        event = Event(message["event"])
        self.lost_screen |= event is Event.LOST
        if resetting and event is Event.END:
            return event  # "the scene is ready": go on with the next flight
        if not self._take(event):
            return None
        if event in (Event.TAKE_BACK, Event.BRING_BACK):
            self._take_back(event, message.get("episode"))
            return None  # the flight goes on
        return event

    def _take_back(self, event: Event, episode: int | None) -> None:
        """Take a saved episode of this session back, or bring one back that was; by default the last one."""
        own = range(self.first, self.first + self.saved)
        away = event is Event.TAKE_BACK
        candidates = [e for e in own if e not in self.taken_back] if away else self.taken_back
        if episode is None and candidates:
            episode = candidates[-1]
        if episode not in candidates:
            named = "no episode can be" if episode is None else f"episode {episode} cannot be"
            these = ", ".join(map(str, candidates)) or "none"
            why = f"{named} {'taken' if away else 'brought'} back; of this session can be: {these}"
            self._tell("refused", event=event.value, why=why)
            return
        (self.taken_back.append if away else self.taken_back.remove)(episode)
        kept = self.saved - len(self.taken_back)
        # The recorder tells the screen, once it is on the disk.
        answer = {"kind": event.value, "episode": episode, "kept": kept}
        if not ipc.send(self.recorder, "taken_back", episodes=self.taken_back, answer=answer):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)

    def _take(self, event: Event) -> bool:
        """Apply an event; return whether it was taken, and tell the screen where it was refused."""
        answer = step(self.state, event)
        self.state = answer.state
        if answer.refused:
            self._tell("refused", event=event.value, why=answer.refused)
        return answer.refused is None

    def _tell(self, kind: str, **content: Any) -> None:
        ipc.send_unless_stalled(self.screen, kind, **content)
