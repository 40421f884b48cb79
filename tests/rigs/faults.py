"""Faults that end a recording session, the same for every recorder, and what is left after them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rigs.commands import PROJECT, Take, children, environment, group_is_gone, running, wait_until
from rigs.fault_rig.log import count_ticks
from rigs.plain_lerobot import Reader
from rigs.witness import Witness

FPS = 30
TAKE_TICKS = 30  # a take lasts a second
SAVED = 4  # takes that are over and saved when the fault strikes; it strikes in or after the next one
MORE_OF_DEVICE = 4  # takes after that one when a device fails: to spare, should whoever strikes come late
_SMALL_FILE = 4096  # [bytes]; no file may grow past this on the "full disk"
_QUIET_S = 0.06  # without a tick for longer than a period, the take is over


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        stage: When it strikes: `flight`, `between` takes, or while a take is `saved`.
        flags: Flags that make a device fail, by dotted name.
        sign: Signal to send.
        target: Process that it strikes: `screen`, `control` or `recorder`; lerobot has one process.
        disk_full: Whether the process may write no more, by its file size limit.
        can_hold: Whether the arm still takes actions.
    """

    stage: str = "flight"
    flags: dict[str, Any] = field(default_factory=dict)
    sign: signal.Signals | None = None
    target: str = "screen"
    disk_full: bool = False
    can_hold: bool = True

    @property
    def by_device(self) -> bool:
        """Whether a device fails by itself, when it is told to."""
        return self.sign is None and not self.disk_full

    @property
    def kills_control(self) -> bool:
        """Whether nobody is left who could hold the arm."""
        return self.sign is signal.SIGKILL and self.target == "control"


@dataclass
class Outcome:
    """What is left after a fault.

    Attributes:
        exit_code: The command's.
        err: What it wrote to stderr.
        error: Why plain lerobot cannot open or read the set; empty where it can.
        saved: How many of the `SAVED` takes are whole: every tick and every picture as it was flown.
        episodes: Episodes in the set.
        partial_ticks: Ticks of the take in which the fault struck that can be read; all as they were flown.
        lost_s: Flown time before the fault that is not in the set [s]; None where the take is lost.
        stalled_s: For how much of the take before the fault the machine itself stood still [s].
        held: Whether the last action is a measured position.
        disconnected: Whether the arm was let go, and nothing was asked of it afterwards.
        acted_on: Whether anything was asked of the arm after the fault.
    """

    exit_code: int
    err: str
    error: str = ""
    saved: int = 0
    episodes: int = 0
    partial_ticks: int = 0
    lost_s: float | None = None
    stalled_s: float = 0.0
    held: bool = False
    disconnected: bool = False
    acted_on: bool = False

    def left_safe(self, fault: Fault) -> bool:
        """Return whether the arm was held and let go or, where nobody was left to do so, left alone.

        A session that has outlived the fault and ended in order need not have held it.
        """
        if fault.kills_control:
            return not self.acted_on
        if self.exit_code == 0:
            return self.disconnected
        return self.disconnected and (self.held or not fault.can_hold)


def flags_of(fault: Fault) -> dict[str, Any]:
    """Return the flags of a session in which the fault can strike."""
    # To spare, as above.
    n_more = 1 if fault.stage == "save" else MORE_OF_DEVICE if fault.by_device else 6
    return {
        "dataset.fps": FPS,
        "dataset.episode_time_s": TAKE_TICKS / FPS,
        "dataset.reset_time_s": 1 if fault.stage == "between" else 0,
        "dataset.num_episodes": SAVED + n_more,
        "robot.n_cameras": 1,
        **fault.flags,
    }


def inflict(
    fault: Fault, recorder: str, folder: Path, reader: Reader, flags: dict[str, Any] | None = None
) -> Outcome:
    """Record on `recorder` until the fault has ended it, recover where there is a command to, and look.

    Raises:
        RuntimeError: If nothing was flown.
        TimeoutError: If the session does not come to the fault, or leaves a process behind.
        subprocess.TimeoutExpired: If the session does not end.
    """
    take = Take(recorder, folder, flags_of(fault) | (flags or {}))
    if fault.by_device:
        take.flags |= dict.fromkeys(("robot.fault_on", "teleop.fault_on"), folder / "now")
    env = environment(folder.parent / "home")  # shared: a recorder may keep what it measured of the machine
    struck_s = None
    if fault.disk_full:
        env["PYTHONDONTWRITEBYTECODE"] = "1"  # Python 3.12.1 would leave modules half-written
    with running(take.command(), folder, env) as process, Witness(folder / "witness") as witness:
        moment = _Moment(fault.stage, take)
        wait_until(lambda: process.poll() is not None or moment.has_come(), "the moment of the fault")
        if process.poll() is None:
            struck_s = _strike(fault, take, process)
        exit_code = process.wait(timeout=300)
        wait_until(lambda: group_is_gone(process.pid), "every process of the session has ended")
    outcome = Outcome(exit_code, (folder / "stderr").read_text())
    if recorder == "demodeck":
        recover = [sys.executable, str(PROJECT / "demodeck.py"), "recover", str(take.root)]
        subprocess.run(recover, env=env, cwd=folder, capture_output=True, timeout=300, check=False)
    struck_s = _judge(outcome, take, struck_s, reader)
    outcome.stalled_s = witness.stalled_s(struck_s - 2 * TAKE_TICKS / FPS, struck_s)
    return outcome


class _Moment:
    """Looks for the moment at which a fault is to strike: `SAVED` takes are over, and the next has begun or is."""

    def __init__(self, stage: str, take: Take) -> None:
        self._stage, self._take = stage, take
        self._n_takes = SAVED + (stage != "flight")  # that are over by then
        self._ticks_before: int | None = None  # of them

    def has_come(self) -> bool:
        ticks = count_ticks(self._take.log)
        if self._ticks_before is None:
            if self._over(ticks):
                self._ticks_before = ticks
            return False
        if self._stage == "save":
            last = [entry["t"] for entry in self._take.entries() if entry["what"] == "observe"][-1]
            return self._take.recorder == "demodeck" or time.perf_counter() - last > _QUIET_S
        return ticks >= self._ticks_before + (20 if self._stage == "flight" else 10)

    def _over(self, ticks: int) -> bool:
        """Return whether the takes before the fault's are over."""
        if self._take.recorder == "demodeck":  # which flies on between takes, for as long as it likes
            return (self._take.folder / "stderr").read_text().count(" ticks, late by ") >= self._n_takes
        between = TAKE_TICKS if self._stage == "between" else 0
        return ticks >= self._n_takes * TAKE_TICKS + SAVED * between


def _strike(fault: Fault, take: Take, process: subprocess.Popen[str]) -> float:
    """Strike, and return the moment, `time.perf_counter()` [s]."""
    pid = process.pid
    if take.recorder == "demodeck":
        pid = children(process)["recorder" if fault.disk_full else fault.target]
    moment = time.perf_counter()
    if fault.by_device:
        (take.folder / "now").touch()
    elif fault.disk_full:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_SMALL_FILE, _SMALL_FILE))
    elif fault.sign is signal.SIGINT:
        os.killpg(process.pid, fault.sign)  # as Ctrl-C in a terminal does
    else:
        os.kill(pid, fault.sign)  # type: ignore[arg-type]
    return moment


def _judge(outcome: Outcome, take: Take, struck_s: float | None, reader: Reader) -> float:
    """Note what is left; return when the fault struck, `time.perf_counter()` [s]."""
    entries = take.entries()
    ticks = {entry["tick"]: entry for entry in entries if entry["what"] == "observe"}
    acts = [entry for entry in entries if entry["what"] == "act"]
    if not acts:
        last = outcome.err.strip().splitlines()[-1:]
        raise RuntimeError(f"no flight: exit code {outcome.exit_code}, {last}")
    failed_s = [entry["t"] for entry in entries if entry["what"] == "fault"]
    struck_s = failed_s[0] if failed_s else acts[-1]["t"] if struck_s is None else struck_s
    outcome.acted_on = any(entry["t"] > struck_s + 0.5 / FPS for entry in acts)
    let_go = [i for i, entry in enumerate(entries) if entry["what"] == "disconnect"]
    outcome.disconnected = bool(let_go) and all(e["what"] != "act" for e in entries[let_go[-1] :])
    measured = [ticks[tick]["q"] for tick in sorted(ticks)[-5:]]
    outcome.held = any(_near(acts[-1]["q"], q) for q in measured)

    read = reader.read(take.root)
    outcome.error = read.get("error", "")
    episodes = read.get("episodes", [])
    outcome.episodes = len(episodes)
    outcome.saved = sum(
        len(episode["ticks"]) == TAKE_TICKS and _as_flown(episode, ticks) for episode in episodes[:SAVED]
    )
    for episode in episodes[SAVED : SAVED + 1]:
        if _as_flown(episode, ticks):
            outcome.partial_ticks = len(episode["ticks"])
            last = ticks[episode["ticks"][-1]]["t"]
            # Of a take that was flown to its end, nothing is lost however long ago that was.
            whole = len(episode["ticks"]) == TAKE_TICKS
            outcome.lost_s = 0.0 if whole else max(0.0, struck_s - last)
    return struck_s


def _near(a: list[float], b: list[float]) -> bool:
    return max(abs(x - y) for x, y in zip(a, b)) < 1e-3


def _as_flown(episode: dict[str, Any], ticks: dict[int, dict[str, Any]]) -> bool:
    """Return whether an episode's ticks follow each other, each with the pictures that the arm gave for it.

    A number may be unreadable, for some encoders blend neighbouring pictures, but not another picture's.
    """
    found = episode["ticks"]
    if not found or found != [tick for tick in sorted(ticks) if found[0] <= tick <= found[-1]]:
        return False
    (numbers,) = episode["pictures"].values()
    right = all(number in (*ticks[k]["pictures"], None) for k, number in zip(found, numbers, strict=True))
    return right and numbers.count(None) <= max(1, 0.2 * len(numbers))


_KILL = signal.SIGKILL
DEVICE_FAULTS = {
    "robot raises once": Fault(flags={"robot.fault": "observe_raises"}),
    "robot refuses an action": Fault(flags={"robot.fault": "act_raises"}),
    "robot unplugged": Fault(flags={"robot.fault": "unplugged"}, can_hold=False),
    "robot's disconnect fails, Ctrl-C": Fault(flags={"robot.fault": "disconnect_raises"}, sign=signal.SIGINT),
    "teleoperator raises once": Fault(flags={"teleop.fault": "raises"}),
    "teleoperator unplugged": Fault(flags={"teleop.fault": "unplugged"}),
    "camera raises": Fault(flags={"robot.fault": "camera_raises"}),
}
SIGNAL_FAULTS = {
    "SIGINT in flight": Fault(sign=signal.SIGINT),
    "SIGTERM in flight": Fault(sign=signal.SIGTERM),
    "SIGHUP in flight": Fault(sign=signal.SIGHUP),
}
KILL_FAULTS = {
    f"kill -9 {target}, {words}": Fault(stage=stage, sign=_KILL, target=target)
    for stage, words in (("flight", "in flight"), ("between", "between takes"), ("save", "while saving"))
    for target in ("control", "recorder", "screen")
}
DISK_FAULTS = {
    "disk full in flight": Fault(disk_full=True),
    "disk full while saving": Fault(stage="save", disk_full=True),
}
ALL_FAULTS: dict[str, Fault] = {**KILL_FAULTS, **SIGNAL_FAULTS, **DEVICE_FAULTS, **DISK_FAULTS}

# Not every one of these has to end the session: the ones above do.
SURVIVABLE_FAULTS: dict[str, Fault] = {
    "robot's bus silent for one tick": Fault(flags={"robot.fault": "blip"}),
    "camera freezes": Fault(flags={"robot.fault": "camera_freezes"}),
    "camera skips every third picture": Fault(flags={"robot.fault": "camera_skips"}),
    "camera 0.3 s behind": Fault(flags={"robot.fault": "camera_lags"}),
}
