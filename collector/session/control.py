"""The control process: owns robot, cameras and teleoperator, and flies the episodes."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection
from typing import Any

from collector.robots.protocols import Simulated
from collector.session import ipc
from collector.session.config import RecordConfig
from collector.session.devices import connect, make_pilot, make_robot, register_devices
from collector.session.features import Recording, check_pilot_fits
from collector.session.fly import FlightResult, fly, is_lock_step
from collector.session.safety import hold, release
from collector.session.state import Event, State, step


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
        check_pilot_fits(self.robot, self.pilot)
        self.simulated = isinstance(self.robot, Simulated)
        self.recording = Recording.of(self.robot)
        self.ring = ipc.Ring(self.recording.features)
        self.state = State.READY
        self.lost_screen = False

    def run(self) -> None:
        try:
            first = self._open_dataset()
            # The teleoperator first, so that the robot is never left powered and idle while it starts.
            connect(self.pilot, "teleoperator")
            connect(self.robot, "robot")
            self._tell(
                "flying",
                root=str(self.data.root),
                episodes=first,
                wanted=self.data.num_episodes,
                lock_step=is_lock_step(self.robot),
                fps=self.data.fps,
            )
            self._fly_all(first)
            if self.state is State.READY:
                self._take(Event.STOP)
            ipc.send(self.recorder, "close")
            closed = self._await_recorder("closed")
            self._take(Event.FINISHED)
            self._tell("done", episodes=closed["episodes"], recorded=closed["episodes"] - first)
        except BaseException:
            self._take(Event.FAIL)
            hold(self.robot)
            raise
        finally:
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
        )
        opened = self._await_recorder("opened")
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

    def _fly_all(self, first: int) -> None:
        sink = ipc.RingSink(self.ring, self.recorder, self.recording, wait=is_lock_step(self.robot))
        kept = 0
        while kept < self.data.num_episodes and self.state is State.READY:
            seed = self.config.seed + first + kept
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
            )
            self._end(result, seed, sink.lost)
            kept += not result.discard
            if kept < self.data.num_episodes and self.state is State.READY and not self.simulated:
                self._reset_phase()

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

    def _end(self, result: FlightResult, seed: int, lost: int) -> None:
        if self.state is State.RECORDING:
            self.state = step(self.state, Event.END).state
        summary = {
            "success": result.success,
            "missed_ticks": result.missed_ticks + lost,
            "interrupted": self.lost_screen,
            "reason": result.reason,
        }
        if not ipc.send(self.recorder, "end", discard=result.discard, **summary):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)
        ipc.check_for_error(self.recorder)
        late = sorted(result.lateness_s)
        p99_ms = 1000 * late[int(0.99 * (len(late) - 1))] if late else None
        self._tell(
            "flown", ticks=result.ticks, late_p99_ms=p99_ms, lost=lost, discard=result.discard, **summary
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
        return event if self._take(event) else None

    def _take(self, event: Event) -> bool:
        """Apply an event; return whether it was taken, and tell the screen where it was refused."""
        answer = step(self.state, event)
        self.state = answer.state
        if answer.refused:
            self._tell("refused", event=event.value, why=answer.refused)
        return answer.refused is None

    def _tell(self, kind: str, **content: Any) -> None:
        ipc.send_unless_stalled(self.screen, kind, **content)
