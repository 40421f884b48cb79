"""The screen's side of a session: starts control and recorder, passes keys and signals on, says what is."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from collector.errors import DemodeckError, DeviceError
from collector.session import ipc, keys
from collector.session.state import Event

_TOLD_EVERY_S = 5.0  # how often a lock-step session, which flies many flights a minute, says how far it is


def _control_entry(
    args: list[str], screen: Connection, recorder: Connection | None, interactive: bool
) -> None:
    from collector.session.control import run_control  # imports lerobot: only in that process

    run_control(args, screen, recorder, interactive)


def _recorder_entry(control: Connection, screen: Connection) -> None:
    from collector.session.recorder import run_recorder

    run_recorder(control, screen)


def run_session(args: list[str], record: bool = True) -> int:
    """Fly as the flags in `args` say, and record or not; return the exit code.

    Raises:
        DemodeckError: What went wrong in any of the processes, after everything flown is safe.
    """
    return _Screen(args, record).run()


class _Screen:
    def __init__(self, args: list[str], record: bool) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.control, control_end = spawn.Pipe()
        self.pipes: list[Any] = [self.control]
        ends = [control_end]
        to_recorder: Connection | None = None
        recording: list[Any] = []
        if record:
            recorder, recorder_end = spawn.Pipe()
            to_recorder, to_control = spawn.Pipe()
            self.pipes.append(recorder)
            ends += [recorder_end, to_recorder, to_control]
            recording = [
                spawn.Process(target=_recorder_entry, args=(to_control, recorder_end), name="recorder")
            ]
        flags = (args, control_end, to_recorder, sys.stdin.isatty())
        self.processes = [spawn.Process(target=_control_entry, args=flags, name="control"), *recording]
        for process in self.processes:
            process.start()
        # Only the children may hold these ends: a pipe closes, and is noticed, when its process dies.
        for end in ends:
            end.close()
        self.config: dict[str, Any] = {"display": "log", "json": False}
        self.keyboard: keys.KeyReader | None = None
        self.flying: dict[str, Any] = {}
        self.errors: list[dict[str, Any]] = []
        self.saved: list[dict[str, Any]] = []
        self.lateness: list[dict[str, float]] = []  # of each flight [ms]
        self.ticks = 0
        self.clipped: dict[str, int] = {}  # ticks that safety changed, by why
        self.taken_back = 0
        self.done = False
        self.stopped_by: int | None = None
        self.started = self.told = time.monotonic()

    def run(self) -> int:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._on_signal)
        pipes = self.pipes
        with keys.terminal_keys() as keyboard:
            self.keyboard = keyboard
            while pipes:
                for ready in wait([*pipes, *([] if keyboard is None else [keyboard])]):  # type: ignore[list-item]
                    if isinstance(ready, keys.KeyReader):
                        events, typed = ready.read()
                        for event, episode in events:
                            self._command(event, episode)
                        if self.config.get("feed"):
                            ipc.send(self.control, "keys", data=typed.hex(), at=time.monotonic())
                    elif not self._hear(ready):
                        pipes.remove(ready)
        for process in self.processes:
            process.join()
        return self._finish()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self.stopped_by is None:
            self._say("ending: saving what was flown ...")
        self.stopped_by = number
        self._command(Event.LOST)

    def _command(self, event: Event, episode: int | None = None) -> None:
        ipc.send(self.control, "event", event=event.value, episode=episode, at=time.monotonic())

    def _hear(self, pipe: Any) -> bool:
        """Take one message; return False where the process at the other end is gone."""
        try:
            message = ipc.receive(pipe)
        except EOFError:
            return False
        if message is not None:
            getattr(self, f"_on_{message.pop('kind')}")(message)
        return True

    def _on_config(self, message: dict[str, Any]) -> None:
        self.config = message
        if message["ignored"]:
            self._say(f"not used here: --{', --'.join(message['ignored'])}")

    def _on_flying(self, message: dict[str, Any]) -> None:
        self.flying, self.started = message, time.monotonic()
        held = f", which holds {message['episodes']} episodes" if message["episodes"] else ""
        self._say(
            f"recording {message['wanted']} flights at {message['fps']} Hz into {message['root']}{held}"
        )
        if not message["lock_step"] and sys.stdin.isatty():
            self._say(keys.HELP)

    def _on_feed(self, message: dict[str, Any]) -> None:
        self.config["feed"] = True
        if self.keyboard is not None:
            self.keyboard.ask_for_releases()

    def _on_recovered(self, message: dict[str, Any]) -> None:
        self._say(
            f"saved {len(message['episodes'])} interrupted flight(s) as episode(s) {message['episodes']}"
        )

    def _on_reset(self, message: dict[str, Any]) -> None:
        self._say(f"put the scene back: {message['seconds']:g} s, or right arrow when it is ready")

    def _on_refused(self, message: dict[str, Any]) -> None:
        self._say(f"'{message['event']}' refused: {message['why']}")

    def _on_encoder(self, message: dict[str, Any]) -> None:
        self._say(f"video: {message['words']}")

    def _on_unheld(self, message: dict[str, Any]) -> None:
        self._say(f"the robot could not be asked to hold still: {' '.join(message['why'].split())}")

    def _on_unrested(self, message: dict[str, Any]) -> None:
        self._say(f"the robot did not reach its rest pose: {message['why']}")

    def _on_aligning(self, message: dict[str, Any]) -> None:
        self._say("the robot goes slowly to where the leader stands ...")

    def _on_gone(self, message: dict[str, Any]) -> None:
        self._alarm(
            f"{message['why']}\nthe {message['what']} is looked for, for {message['seconds']:g} s: "
            "what was flown is kept; q ends the session"
        )

    def _on_back(self, message: dict[str, Any]) -> None:
        self._alarm(f"the {message['what']} is back")

    def _on_paused(self, message: dict[str, Any]) -> None:
        self._say("paused" + (": going on" if message["by_itself"] else ": right arrow goes on"))

    def _on_halted(self, message: dict[str, Any]) -> None:
        self._alarm("HALTED: the robot is held where it is; right arrow frees it, q ends the session")

    def _on_clutch(self, message: dict[str, Any]) -> None:
        self._say(
            "the robot is held: c lets it follow again" if message["held"] else "the robot follows again"
        )

    def _on_took_over(self, message: dict[str, Any]) -> None:
        self._say("you fly (o hands back)" if message["person"] else "the pilot flies again (o takes over)")

    def _on_motor(self, message: dict[str, Any]) -> None:
        self._alarm(message["words"])

    def _on_teleop(self, message: dict[str, Any]) -> None:
        self.flying = {**message, "episodes": 0}
        self.started = time.monotonic()
        limit = f", for {message['seconds']:g} s" if message["seconds"] else ""
        self._say(f"flying at {message['fps']} Hz, nothing is recorded{limit}")
        if sys.stdin.isatty():
            self._say(keys.HELP_TELEOP)

    def _on_realtime(self, message: dict[str, Any]) -> None:
        for words in message["refused"]:
            self._say(words)

    def _on_camera(self, message: dict[str, Any]) -> None:
        self._say(f"at {message['fault']['from_s']:.1f} s: {message['words']}")

    def _on_take_back(self, message: dict[str, Any]) -> None:
        self._say(f"episode {message['episode']} taken back (b brings it back); {message['kept']} kept")

    def _on_bring_back(self, message: dict[str, Any]) -> None:
        self._say(f"episode {message['episode']} is kept again; {message['kept']} kept")

    def _on_sealing(self, message: dict[str, Any]) -> None:
        if message["flights"] > 1 or message["pictures"] > self.flying.get("fps", 30):
            self._say(
                f"still saving {message['flights']} of at most {message['limit']} flights behind this one, "
                f"{message['pictures']} pictures to encode"
            )

    def _on_flown(self, message: dict[str, Any]) -> None:
        late = message["late_ms"]
        self.ticks += message["ticks"]
        for why, n in message["clipped"].items():
            self.clipped[why] = self.clipped.get(why, 0) + n
        if late is not None:
            self._say(
                f"{message['ticks']} ticks, late by {late['p50']:.3f} ms (p50), {late['p99']:.3f} (p99), "
                f"{late['max']:.3f} at most"
            )
            self.lateness.append(late)
        if message["discard"]:
            self._say("flight thrown away; flying it again")
        if message["lost"]:
            self._say(f"the recorder could not keep up: {message['lost']} ticks were not recorded")
        if message["clipped"]:
            why = ", ".join(f"{name} {n}" for name, n in sorted(message["clipped"].items()))
            self._say(f"safety changed what was asked for, in ticks: {why}")
        if message["asked_again"]:
            self._say(f"a device did not answer at once {message['asked_again']} times: check its cable")

    def _on_saved(self, message: dict[str, Any]) -> None:
        self.saved.append(message)
        now, wanted = time.monotonic(), self.flying.get("wanted", 0)
        if not self.flying.get("lock_step"):
            outcome = {True: "success, ", False: "no success, ", None: ""}[message["success"]]
            seconds = message["frames"] / self.flying.get("fps", 30)
            self._say(
                f"episode {message['episode']} saved: {seconds:.1f} s, {outcome}"
                f"{message['missed_ticks']} late ticks, ended by {message['reason']}"
                + (f", {message['camera_faults']} camera faults" if message["camera_faults"] else "")
            )
        elif now - self.told > _TOLD_EVERY_S or len(self.saved) == wanted:
            self.told = now
            per_minute = 60 * len(self.saved) / (now - self.started)
            self._say(f"{len(self.saved)} of {wanted} flights saved, {per_minute:.0f} a minute")

    def _on_done(self, message: dict[str, Any]) -> None:
        self.done = True
        if message["taken_back"]:
            self._say(f"{message['taken_back']} episodes taken back; they lie in {message['kept_in']}")
        self.taken_back = message["taken_back"]

    def _on_error(self, message: dict[str, Any]) -> None:
        self.errors.append(message)

    def _finish(self) -> int:
        if self.errors:
            raise ipc.error_of(min(self.errors, key=lambda message: message["at"]))
        if not self.done:
            raise self._lost_process()
        if "root" not in self.flying:
            if self.config["json"]:
                print(
                    json.dumps({"ticks": self.ticks, "lateness_ms": self.lateness, "clipped": self.clipped})
                )
            return 0 if self.stopped_by in (None, signal.SIGINT) else 128 + self.stopped_by
        frames = sum(message["frames"] for message in self.saved)
        succeeded = sum(message["success"] is True for message in self.saved)
        root = self.flying["root"]
        seconds = time.monotonic() - self.started
        taken_back = f" ({self.taken_back} taken back)" if self.taken_back else ""
        self._say(
            f"{len(self.saved)} flights{taken_back}, {frames} frames, {succeeded} successful, "
            f"in {seconds:.0f} s: {root}\n"
            f"next: demodeck score {root}"
        )
        if self.config["push"] and self.saved and self.stopped_by is None:
            self._push(Path(root))
        if self.config["json"]:
            summary = {
                "root": root,
                "episodes": len(self.saved),
                "taken_back": self.taken_back,
                "frames": frames,
                "successful": succeeded,
                "missed_ticks": sum(message["missed_ticks"] for message in self.saved),
                "clipped": self.clipped,
                "camera_faults": sum(message["camera_faults"] for message in self.saved),
                "lateness_ms": self.lateness,
            }
            print(json.dumps(summary))
        return 0 if self.stopped_by is None else 128 + self.stopped_by

    def _lost_process(self) -> DemodeckError:
        dead = next((process for process in self.processes if process.exitcode), self.processes[0])
        root = self.flying.get("root", "the dataset")
        return DeviceError(
            f"the {dead.name} process died (exit code {dead.exitcode}): saved episodes are intact; "
            f"'demodeck recover {root}' saves a flight that is still open"
        )

    def _push(self, root: Path) -> None:
        import huggingface_hub

        from collector.hub.client import push_mirror

        if not huggingface_hub.get_token() and "HF_ENDPOINT" not in os.environ:
            self._say("not pushed: no Hub account is set up (HF_TOKEN); 'demodeck publish' pushes it later")
            return
        pushed = push_mirror(
            root, self.config["repo_id"], message="Record", tag="v3.0", private=self.config["private"]
        )
        self._say(f"pushed: {pushed.url}")

    def _alarm(self, text: str) -> None:
        """Say it with the terminal's bell."""
        self._say(text + ("\a" if sys.stderr.isatty() else ""))

    def _say(self, text: str) -> None:
        if self.config["display"] == "log":
            print(text, file=sys.stderr, flush=True)
