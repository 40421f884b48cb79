"""The recorder process: drains the ring into journals and seals them into the dataset, behind the flights.

Nothing here can delay a tick. When control dies, what was flown is sealed as an interrupted episode.
"""

from __future__ import annotations

import contextlib
import signal
import traceback
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from collector.dataset.journal import JournalWriter, list_journals, read_journal
from collector.dataset.rewrite import compact
from collector.dataset.schema import normalised
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError
from collector.session import ipc

_MAX_UNSEALED = 8  # flights waiting to be sealed before the next may begin


@contextlib.contextmanager
def sole_writer(root: Path) -> Iterator[None]:
    """Hold the dataset's writer lock.

    Raises:
        UsageError: If another process is writing to the dataset.
    """
    from filelock import FileLock, Timeout

    (root / ".journal").mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".journal" / "lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout as error:
        raise UsageError(f"{root} is being recorded by another process: end that one first") from error
    finally:
        if not (root / "meta").exists():
            # Nothing was flown: leave no trace, so that the same command works again.
            (root / ".journal" / "lock").unlink(missing_ok=True)
            for folder in (root / ".journal", root):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def recover_journals(writer: DatasetWriter, root: Path) -> list[int]:
    """Save every flight that a crash left in the journal; return the episodes they became.

    A flight without a single whole tick is removed: it holds nothing.
    """
    episodes = []
    for folder in list_journals(root):
        if read_journal(folder).n_frames == 0:
            JournalWriter.discard(folder)
        else:
            episodes.append(writer.save(folder))
    return episodes


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
    try:
        with sole_writer(Path(opening["root"])):
            _Recorder(from_control, to_screen, opening).run()
    except Exception as error:
        content = ipc.error_message(error)
        ipc.send(from_control, "error", **content)
        ipc.send_unless_stalled(to_screen, "error", **content)


class _Recorder:
    def __init__(self, control: Connection, screen: Connection, opening: dict[str, Any]) -> None:
        self.control, self.screen = control, screen
        self.root = Path(opening["root"])
        self.fps = opening["fps"]
        self.features = {k: {**v, "shape": tuple(v["shape"])} for k, v in opening["features"].items()}
        self.videos = [name for name, f in self.features.items() if f["dtype"] == "video"]
        self.encoder = SimpleNamespace(**opening["encoder"])
        self.create = {"fps": self.fps, "features": self.features, "robot_type": opening["robot_type"]}
        self._writer = self._open_writer(opening["resume"])
        self.ring = ipc.Ring(self.features, opening["ring"])
        self.sealing = ThreadPoolExecutor(1, thread_name_prefix="sealing")
        self.unsealed: list[Future] = []
        self.journal: JournalWriter | None = None
        self.header: dict[str, Any] = {}

    def _open_writer(self, resume: bool) -> DatasetWriter | None:
        """Open the dataset that is to be recorded on; None where it is made with the first flight."""
        if not (self.root / "meta" / "info.json").exists():
            normalised(self.features)  # what cannot be stored is refused before anything moves
            return None
        if not resume:
            raise UsageError(
                f"{self.root} holds a dataset already: add --resume=true to record on, "
                "or choose another --dataset.root"
            )
        return DatasetWriter.open(self.root, fps=self.fps, features=self.features)

    @property
    def writer(self) -> DatasetWriter:
        """The dataset's writer. A session that never flies leaves no empty dataset behind."""
        if self._writer is None:
            self._writer = DatasetWriter.create(self.root, **self.create)
        return self._writer

    def run(self) -> None:
        recovered = recover_journals(self._writer, self.root) if self._writer else []
        episodes = self._writer.num_episodes if self._writer else 0
        ipc.send(self.control, "opened", episodes=episodes, recovered=recovered)
        try:
            while (message := ipc.receive(self.control)) is None or message["kind"] != "close":
                if message is None:
                    self._tick()
                elif message["kind"] == "begin":
                    self._begin(message)
                elif message["kind"] == "end":
                    self._end(message)
            self._drain()
            if self._writer and self._writer.num_episodes:
                self._writer.close()
                compact(self.root)
            ipc.send(self.control, "closed", episodes=self._writer.num_episodes if self._writer else 0)
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
            self.sealing.shutdown()
            if self._writer:
                self._writer.close()
            self.ring.close()

    def _begin(self, message: dict[str, Any]) -> None:
        self._drain(leave=_MAX_UNSEALED)
        self.header = {
            "flight_id": uuid.uuid4().hex,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{k: v for k, v in message.items() if k != "kind"},
        }
        folder = self.root / ".journal" / f"flight-{self.header['flight_id']}"
        self.journal = JournalWriter(folder, self.header, self.features, self.fps, self.encoder)

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
            journal.abandon()
            return
        end = {k: v for k, v in message.items() if k not in ("kind", "discard")}
        self.unsealed.append(self.sealing.submit(self._seal, journal, end))

    def _seal(self, journal: JournalWriter, end: dict[str, Any]) -> None:
        journal.close(end)
        n_frames = journal.n_frames
        episode = self.writer.save(journal.folder)
        ipc.send_unless_stalled(self.screen, "saved", episode=episode, frames=n_frames, **end)

    def _drain(self, leave: int = 0) -> None:
        """Wait until at most `leave` flights are unsealed; raise what went wrong in sealing."""
        while len(self.unsealed) > leave:
            self.unsealed.pop(0).result()
        while self.unsealed and self.unsealed[0].done():
            self.unsealed.pop(0).result()


def recover(root: Path) -> list[int]:
    """Save what a crash left in a dataset's journal; return the episodes that it became.

    Raises:
        DataError: If there is no dataset or journal at `root`.
        UsageError: If the dataset is being recorded just now.
    """
    if not (root / "meta" / "info.json").exists():
        raise DataError(f"no dataset at {root}: meta/info.json is missing")
    with sole_writer(root):
        writer = DatasetWriter.open(root)
        try:
            return recover_journals(writer, root)
        finally:
            writer.close()
