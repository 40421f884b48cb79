"""The recorder process: drains the ring into journals and seals them into the dataset, behind the flights.

Nothing here can delay a tick. When control dies, what was flown is sealed as an interrupted episode.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
import traceback
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from collector.dataset.encode import EncoderSettings
from collector.dataset.journal import SYNC_S, JournalWriter, list_journals, read_journal
from collector.dataset.labels import Labels
from collector.dataset.probe import settings_for
from collector.dataset.rewrite import TAKEN_BACK, TAKEN_BACK_LIST, compact, note_taken_back
from collector.dataset.schema import normalised
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError
from collector.session import ipc
from collector.session.attach import Berth
from collector.session.port import ScreenPort
from collector.session.realtime import prompt
from collector.session.recovery import open_interrupted, recover_journals, sole_writer
from collector.session.verdict.judge import History, Take, judge

_MAX_UNSEALED = 8  # flights waiting to be sealed before the next may begin
_TOLD_S = 1.0  # how often the screen is told in flight what waits
_IDLE_S = 0.05  # how often a journal is looked after when no tick comes


def run_recorder(from_control: Connection, to_screen: Connection) -> None:
    """Entry point of the process; ends when control says `close` or is gone."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the screen decides
    try:
        opening = ipc.receive(from_control)
    except EOFError:
        return
    if opening is None or opening["kind"] != "open":
        return
    screen = ScreenPort(to_screen)
    if berth := opening["berth"]:
        screen.await_others(berth["recorder"], bytes.fromhex(berth["key"]))
        Berth(**berth).keep_output("recorder")
    try:
        with sole_writer(Path(opening["root"])):
            _Recorder(from_control, screen, opening).run()
    except Exception as error:
        content = ipc.error_message(error)
        ipc.send(from_control, "error", **content)
        screen.tell("error", **content)


class _Recorder:
    def __init__(self, control: Connection, screen: ScreenPort, opening: dict[str, Any]) -> None:
        self.control, self.screen = control, screen
        self.root = Path(opening["root"])
        self.fps = opening["fps"]
        self.features = {k: {**v, "shape": tuple(v["shape"])} for k, v in opening["features"].items()}
        self.videos = [name for name, f in self.features.items() if f["dtype"] == "video"]
        self.lock_step = opening["lock_step"]
        self.create = {"fps": self.fps, "features": self.features, "robot_type": opening["robot_type"]}
        self._writer = self._open_writer(opening["resume"])
        self.encoder = self._choose_encoder(opening["encoder"])
        self.ring = ipc.Ring(self.features, opening["ring"])
        # A flight that waits to be saved is whole on the disk meanwhile: closing does not wait for saving.
        self.closing = ThreadPoolExecutor(1, thread_name_prefix="closing")
        self.sealing = ThreadPoolExecutor(1, thread_name_prefix="sealing")
        self.unsealed: list[Future] = []
        self.flights: list[str] = []  # flight ids of this session, in the order of their episodes
        self.journal: JournalWriter | None = None
        self.header: dict[str, Any] = {}
        self._next_told_s = 0.0
        self._history, self._judged = History(), 0  # the verdicts of this session

    def _open_writer(self, resume: bool) -> DatasetWriter | None:
        """Open the dataset that is to be recorded on; None where it is made with the first flight."""
        if not (self.root / "meta" / "info.json").exists():
            normalised(self.features)  # what cannot be stored is refused before anything moves
            if not list_journals(self.root):
                return None
            if resume:
                return open_interrupted(self.root)
        if list_journals(self.root) and not resume:
            raise UsageError(
                f"{self.root} holds a flight that was interrupted: add --resume=true to save it and record on, run "
                f"'demodeck recover {self.root}', or choose another --dataset.root"
            )
        if not resume:
            raise UsageError(
                f"{self.root} holds a dataset already: add --resume=true to record on, "
                "or choose another --dataset.root"
            )
        return DatasetWriter.open(self.root, fps=self.fps, features=self.features)

    def _choose_encoder(self, flags: dict[str, Any]) -> EncoderSettings:
        """Return what the flags say; `auto` stays with a dataset's H.264, else takes what this machine can afford."""
        if flags["vcodec"] == "auto" and self._writer and self.videos:
            known = (self._writer.info["features"][self.videos[0]].get("info") or {}).get("video.codec")
            flags = flags | ({"vcodec": "h264"} if known == "h264" else {})
        if self.lock_step:
            return EncoderSettings.of(flags)  # nothing can be late, and only the speed counts
        return settings_for(flags, [self.features[name]["shape"][:2] for name in self.videos], self.fps)

    @property
    def writer(self) -> DatasetWriter:
        """The dataset's writer. A session that never flies leaves no empty dataset behind."""
        if self._writer is None:
            self._writer = DatasetWriter.create(self.root, **self.create)
        return self._writer

    def run(self) -> None:
        recovered = recover_journals(self._writer, self.root) if self._writer else []
        episodes = self._writer.num_episodes if self._writer else 0
        self.first = episodes
        ipc.send(self.control, "opened", episodes=episodes, recovered=recovered, encoder=self.encoder.words())
        try:
            with contextlib.nullcontext() if self.lock_step else prompt():
                self._record_flights()
            self._drain()
            ipc.send(self.control, "closed", **self._close_dataset())
        except EOFError:
            # Control died in flight: what reached us becomes an episode, marked as interrupted.
            if self.journal is not None:
                lost = {
                    "success": None,
                    "missed_ticks": 0,
                    "interrupted": True,
                    "reason": "control process lost",
                }
                self._end(lost)
            self._drain()
        except BaseException as error:
            # The failed frames still point into the ring, which could not be closed then.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            self.ring.close()  # first: what follows may fail, on a full disk
            self.closing.shutdown()
            self.sealing.shutdown()
            if self._writer:
                self._writer.close()

    def _record_flights(self) -> None:
        """Take what control sends, until it says `close`.

        Raises:
            EOFError: If control is gone.
        """
        while True:
            if not self.control.poll(_IDLE_S):
                if self.journal is not None:
                    self.journal.flush_if_due()
                continue
            message = ipc.receive(self.control)
            if message is None:
                self._tick()
                self._tell_backlog()
            elif message["kind"] == "begin":
                self._begin(message)
            elif message["kind"] == "end":
                self._end(message)
            elif message["kind"] == "taken_back":
                self._note_taken_back(message["episodes"])
                self.screen.tell(**message["answer"])
            elif message["kind"] == "mark":
                self.unsealed.append(self.sealing.submit(self._mark, message["episode"], message["success"]))
            else:
                break

    def _begin(self, message: dict[str, Any]) -> None:
        self._drain(leave=_MAX_UNSEALED)
        self.header = {
            "flight_id": uuid.uuid4().hex,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "robot_type": self.create["robot_type"],
            **{k: v for k, v in message.items() if k != "kind"},
        }
        folder = self.root / ".journal" / f"flight-{self.header['flight_id']}"
        self.journal = JournalWriter(
            folder,
            self.header,
            self.features,
            self.fps,
            self.encoder,
            patient=self.lock_step,
            sync_every_s=SYNC_S,
        )
        ipc.send(self.control, "ready")

    def _note_taken_back(self, episodes: list[int]) -> None:
        """Note on the disk which episodes of this session are not to be kept, in place of what was noted before."""
        flights = [self.flights[episode - self.first] for episode in episodes]
        self._history.leave_out(episodes)
        note_taken_back(self.root, flights)

    def _close_dataset(self) -> dict[str, Any]:
        """Write exact statistics, leave out what was taken back and merge the files; return what to tell."""
        writer = self._writer
        if not writer or not writer.num_episodes:
            return {"episodes": 0, "taken_back": 0, "kept_in": None}
        writer.close()
        noted = self.root / TAKEN_BACK_LIST
        taken = writer.episodes_of(json.loads(noted.read_text())["flight_ids"]) if noted.exists() else []
        if len(taken) == writer.num_episodes:
            taken = []  # a dataset holds at least one episode: the list stays, for the next session's end
        compact(self.root, without=taken)
        kept_in = str(self.root / TAKEN_BACK) if taken else None
        return {"episodes": writer.num_episodes - len(taken), "taken_back": len(taken), "kept_in": kept_in}

    def _tick(self) -> None:
        tick = self.ring.take()
        try:
            if self.journal is not None:
                columns = {name: tick[name] for name in self.features if name not in self.videos}
                self.journal.add(columns, {name: tick[name] for name in self.videos})
        finally:
            self.ring.release()

    def _end(self, message: dict[str, Any]) -> None:
        journal, self.journal = self.journal, None
        if journal is None:
            return
        if message.get("discard") or journal.n_frames == 0:
            self.unsealed.append(self.sealing.submit(journal.abandon))
            return
        self.flights.append(self.header["flight_id"])
        clipped = message.pop("clipped", {})
        end = {k: v for k, v in message.items() if k not in ("kind", "discard")}
        closed = self.closing.submit(journal.close, end)
        self.unsealed.append(self.sealing.submit(self._seal, journal, closed, end, clipped))
        self._tell_backlog(journal)

    def _tell_backlog(self, ended: JournalWriter | None = None) -> None:
        """Tell the screen what waits to be saved: now and then, and when a flight has ended."""
        now_s, journal = time.monotonic(), ended or self.journal
        if journal is None or (ended is None and now_s < self._next_told_s):
            return
        self._next_told_s = now_s + _TOLD_S
        self.screen.tell(
            "sealing",
            flights=sum(not sealed.done() for sealed in self.unsealed),
            pictures=journal.backlog(),
            limit=_MAX_UNSEALED,
            told=ended is not None,
        )

    def _seal(
        self, journal: JournalWriter, closed: Future[None], end: dict[str, Any], clipped: dict[str, int]
    ) -> None:
        closed.result()
        n_frames = journal.n_frames
        self._judge(journal.folder, end, clipped)
        n_bytes = sum(file.stat().st_size for file in journal.folder.rglob("*") if file.is_file())
        episode = self.writer.save(journal.folder)
        faults = json.loads(end.get("camera_faults") or "[]")
        self.screen.tell(
            "saved",
            episode=episode,
            frames=n_frames,
            bytes=n_bytes,
            **end | {"camera_faults": len(faults)},
        )

    def _judge(self, folder: Path, end: dict[str, Any], clipped: dict[str, int]) -> None:
        """Tell the screen the verdict on a flight that was just closed, before it is saved."""
        with contextlib.suppress(DataError):  # what is wrong with it is said when it is saved
            flight = read_journal(folder)
            take = Take(
                flight.fps,
                flight.columns,
                episode=self.first + self._judged,
                action_names=flight.header.get("action_names", ()),
                missed_ticks=end["missed_ticks"],
                clipped=clipped,
                camera_faults=json.loads(end.get("camera_faults") or "[]"),
                success=end["success"],
                reason=end["reason"],
                interrupted=end["interrupted"],
            )
            verdict = judge(take, self._history)
            self._history.add(verdict.features)
            self.screen.tell("verdict", episode=take.episode, **verdict.message())
        self._judged += 1

    def _mark(self, episode: int, success: bool) -> None:
        """Write down what the person holds a saved episode to be."""
        Labels(self.root).set([episode], "success", success, author="pilot")
        self.screen.tell("marked", episode=episode, success=success)

    def _drain(self, leave: int = 0) -> None:
        """Wait until at most `leave` flights are unsealed; raise what went wrong in sealing."""
        while len(self.unsealed) > leave:
            self.unsealed.pop(0).result()
        while self.unsealed and self.unsealed[0].done():
            self.unsealed.pop(0).result()
