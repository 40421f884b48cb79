"""The processes of a session, started before any screen: control flies, the recorder keeps, the display shows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from collector.errors import DeviceError
from collector.session import ipc
from collector.session.account import Account
from collector.session.attach import Berth, attach
from collector.session.closing import close
from collector.session.state import Event
from collector.session.words import Said, Words


def _control_entry(
    args: list[str], screen: Connection, recorder: Connection | None, interactive: bool, berth: Berth
) -> None:
    from collector.without_torch import leave_torch_out

    leave_torch_out()
    from collector.session.control import run_control  # imports lerobot: only in that process

    run_control(args, screen, recorder, interactive, berth)


def _recorder_entry(control: Connection, screen: Connection) -> None:
    from collector.session.recorder import run_recorder

    run_recorder(control, screen)


class Processes:
    """Control and recorder, as a display sees them.

    Attributes:
        pipes: What they tell comes here; a pipe goes when its process is gone.
        account: What they have told.
        stopped_by: The signal that asked to end the session; None: none did.
    """

    def __init__(self, pipes: list[Any], started: list[Any]) -> None:
        self.pipes, self._control, self._started = pipes, pipes[0], started
        self.account = Account()
        self.stopped_by: int | None = None
        self._words = Words(self.account)

    @classmethod
    def start(cls, args: list[str], record: bool) -> Processes:
        """Start them.

        Args:
            args: The flags.
            record: Whether flights are recorded.
        """
        spawn = multiprocessing.get_context("spawn")
        control, control_end = spawn.Pipe()
        pipes, ends = [control], [control_end]
        to_recorder: Connection | None = None
        recording: list[Any] = []
        if record:
            recorder, recorder_end = spawn.Pipe()
            to_recorder, to_control = spawn.Pipe()
            pipes.append(recorder)
            ends += [recorder_end, to_recorder, to_control]
            recording = [
                spawn.Process(target=_recorder_entry, args=(to_control, recorder_end), name="recorder")
            ]
        flags = (args, control_end, to_recorder, sys.stdin.isatty(), Berth.make(record))
        started = [spawn.Process(target=_control_entry, args=flags, name="control"), *recording]
        for process in started:
            process.start()
        # Only the children may hold these ends: a pipe closes, and is noticed, when its process dies.
        for end in ends:
            end.close()
        return cls(pipes, started)

    @classmethod
    def attached(cls, session: dict[str, Any]) -> Processes:
        """Attach to those of a session that goes on, as `attach.sessions` names it.

        Raises:
            DeviceError: If it does not answer.
        """
        return cls(attach(session), [])

    def command(self, event: Event, episode: int | None = None) -> None:
        """Ask for an event, of a certain episode where one is meant."""
        ipc.send(self._control, "event", event=event.value, episode=episode, at=time.monotonic())

    def typed(self, data: bytes) -> None:
        """Hand on what was typed, to a pilot that flies by keys."""
        ipc.send(self._control, "keys", data=data.hex(), at=time.monotonic())

    def receive(self, pipe: Any) -> dict[str, Any] | None:
        """Return a message of a pipe that has something; None where that is its end."""
        try:
            return ipc.receive(pipe)
        except EOFError:
            self.pipes.remove(pipe)
            return None

    def take_in(self, message: dict[str, Any]) -> list[Said]:
        """Take a message into the account; return what is to be said of it."""
        if message["kind"] == "view" and not self._started:
            message["stranger"] = True
        self.account.take_in(message)
        return self._words.of(message)

    def end_at_signals(self, say_ending: Callable[[], None]) -> None:
        """From here on, signals that end a program end the session, with everything saved."""

        def stop(number: int, _frame: Any) -> None:
            if number == getattr(signal, "SIGHUP", None) and self.account.config.get("reattach_s"):
                os._exit(128 + number)  # the terminal is lost; the session waits for another
            if self.stopped_by is None:
                say_ending()
            self.stopped_by = number
            self.command(Event.LOST)

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)

    def join(self) -> None:
        """Wait until both have ended.

        Raises:
            DemodeckError: What went wrong in any of them.
        """
        if self.account.replaced:
            # Not our children any more to wait for: the session goes on.
            print("another screen shows this session now", file=sys.stderr)
            os._exit(0)
        for process in self._started:
            process.join()
        if error := self.account.error():
            raise error
        if self.account.closed is None:
            dead = next((process for process in self._started if process.exitcode), None)
            who = "a process of the session" if dead is None else f"the {dead.name} process"
            code = "" if dead is None else f" (exit code {dead.exitcode})"
            root = self.account.flying.get("root", "the dataset")
            raise DeviceError(
                f"{who} died{code}: saved episodes are intact; "
                f"'demodeck recover {root}' saves a flight that is still open"
            )


# Shows a session until its processes have ended.
Display = Callable[[Processes], None]


def run_session(args: list[str], record: bool = True, cockpit: Display | None = None) -> int:
    """Fly as the flags in `args` say, and record or not; return the exit code.

    Args:
        cockpit: The display for `--display=cockpit`.

    Raises:
        DemodeckError: What went wrong in any of the processes, after everything flown is safe.
    """
    return _show(Processes.start(args, record), cockpit)


def attach_session(session: dict[str, Any], cockpit: Display) -> int:
    """Show a session that goes on, as `attach.sessions` names it; return the exit code.

    Raises:
        DemodeckError: If it does not answer, or what went wrong in it.
    """
    return _show(Processes.attached(session), cockpit)


def _show(processes: Processes, cockpit: Display | None) -> int:
    from collector.session.log import Log

    log = Log(processes)

    def say_ending() -> None:
        if processes.account.config["display"] != "cockpit":  # which shows it
            log.say("ending: saving what was flown ...")

    processes.end_at_signals(say_ending)
    log.show()
    if cockpit is not None and processes.pipes:
        cockpit(processes)
    processes.join()
    return close(processes.account, log.say, processes.stopped_by)
