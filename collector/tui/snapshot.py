"""One look at a session: everything that the cockpit draws, read once and never changed."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.session.account import Account, TakeNow
from collector.session.state import State
from collector.session.view import Rows, View
from collector.tui.headline import Headline, headline

WINDOW_S = 10.0  # of the joints that are shown
_RATE_S = 2.0  # over which rates are taken
_SILENT_S = 0.5  # a camera that is silent for longer has frozen
_DARK_MEAN = 16.0  # of 255


@dataclass(frozen=True)
class CameraSeen:
    """One camera.

    Attributes:
        name: Its name.
        number: Counts its pictures.
        picture: The newest, uint8, (height, width, 3), thinned out; None before the first.
        age_s: How old it was when the robot was observed [s]; None where nothing is flown.
        fps: How many pictures were shown a second; None where nothing is flown.
        warning: What is wrong with it in a few words; None: nothing.
    """

    name: str
    number: int
    picture: np.ndarray | None
    age_s: float | None = None
    fps: float | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Loop:
    """How control keeps its time.

    Attributes:
        hz: Ticks a second over the last seconds; None where nothing is flown.
        late_p99_ms: 99th percentile of how late ticks began [ms].
        missed: Ticks of the last seconds that began more than half a period late.
        input_age_ms: How old the pilot's newest input was [ms].
    """

    hz: float | None = None
    late_p99_ms: float | None = None
    missed: int = 0
    input_age_ms: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """One look at a session.

    Attributes:
        now_s: When, of `time.monotonic()`.
        headline: What the session is doing.
        state: Its state.
        config, flying: As told; see `Account`.
        take: The flight that goes on, or the last one.
        elapsed_s: How long it has been going on [s]; None where none is.
        wanted: Flights to be kept; None where nothing is recorded.
        kept, cut, failed, taken_back, discarded: Counts of this session's flights.
        last: The `saved` message of the last saved episode; None before.
        last_success: What it is held to be.
        verdict: The `verdict` message of that episode; None before it comes.
        cameras: Of each, what it shows.
        rows: The last ticks; None before any.
        joints: Names of the robot's joints.
        limits: Lowest and highest by joint, where the pilot set them.
        loop: How control keeps its time.
        backlog: Flights and pictures that wait to be saved, and how many flights may.
        disk_minutes: How long can be recorded until the disk is full; None where unknown.
        motors: Name, temperature and limit of the hottest motor; empty where none tells.
        rig: What was found of the rig before the first flight.
        begun: Whether a flight was begun in this session.
    """

    now_s: float
    headline: Headline
    state: State
    config: dict[str, Any]
    flying: dict[str, Any]
    take: TakeNow
    elapsed_s: float | None = None
    wanted: int | None = None
    kept: int = 0
    cut: int = 0
    failed: int = 0
    taken_back: int = 0
    discarded: int = 0
    last: dict[str, Any] | None = None
    last_success: bool | None = None
    verdict: dict[str, Any] | None = None
    cameras: tuple[CameraSeen, ...] = ()
    rows: Rows | None = None
    joints: tuple[str, ...] = ()
    limits: dict[str, tuple[float, float]] | None = None
    loop: Loop = Loop()
    backlog: dict[str, int] | None = None
    disk_minutes: float | None = None
    motors: dict[str, Any] | None = None
    rig: tuple[dict[str, Any], ...] = ()
    begun: bool = False
    clutched: bool = False
    person_flies: bool | None = None


class Poller:
    """Makes snapshots of a session.

    Args:
        account: What the session has told.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._view: View | None = None
        self._closed = False
        self._free: tuple[float, int] | None = None  # when the disk was looked at, and its free bytes
        self._seen: dict[str, tuple[int, float]] = {}  # number of each camera's picture, and when it was new

    def look(self) -> Snapshot:
        """Return what there is to see now."""
        account, now_s = self._account, time.monotonic()
        if self._view is None and account.view is not None and not self._closed:
            told = account.view
            with contextlib.suppress(FileNotFoundError):  # the session has just ended
                self._view = View(told["joints"], told["cameras"], told["name"], told.get("stranger", False))
        flies = account.state in (State.RECORDING, State.PRACTISING) or account.reset_until_s is not None
        rows = self._view.rows(WINDOW_S) if self._view else None
        fps = float(account.flying.get("fps", 0)) or None
        last = max(account.saved, default=None)
        kept = account.kept
        return Snapshot(
            now_s,
            headline(account, now_s),
            account.state,
            account.config,
            account.flying,
            account.take,
            elapsed_s=now_s - account.since_s
            if account.state in (State.RECORDING, State.PRACTISING)
            else None,
            wanted=account.flying.get("wanted"),
            kept=len(kept),
            cut=len(account.cut),
            failed=sum(account.successes.get(episode) is False for episode in kept),
            taken_back=len(account.taken_back),
            discarded=account.discarded,
            last=None if last is None else account.saved[last],
            last_success=None if last is None else account.successes[last],
            verdict=None if last is None else account.verdicts.get(last),
            cameras=self._cameras(now_s, rows, flies),
            rows=rows,
            joints=tuple(self._view.joints) if self._view else (),
            limits=self._limits(),
            loop=_loop(rows, now_s, fps) if flies and rows is not None else Loop(),
            backlog=account.backlog,
            disk_minutes=self._disk_minutes(now_s),
            motors=account.motors,
            rig=tuple(account.rig),
            begun=account.take.number > 0,
            clutched=account.clutched,
            person_flies=account.person_flies,
        )

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._view is not None:
            self._view.close()
            self._view = None

    def _limits(self) -> dict[str, tuple[float, float]]:
        given = self._account.view["limits"] if self._account.view else {}
        return {name.removesuffix(".pos"): (limit[0], limit[1]) for name, limit in given.items()}

    def _cameras(self, now_s: float, rows: Rows | None, flies: bool) -> tuple[CameraSeen, ...]:
        if self._view is None:
            return ()
        seen = []
        for number, name in enumerate(self._view.cameras):
            count, picture = self._view.picture(name)
            before, new_s = self._seen.get(name, (0, now_s))
            if count != before:
                new_s = now_s
            self._seen[name] = (count, new_s)
            age_s = fps = None
            if flies and rows is not None and len(rows.time_s):
                age_s = float(rows.camera_age_s[-1, number])
                fps = _camera_fps(rows.time_s, rows.camera_age_s[:, number], now_s)
            # Before this flight there may have been nothing to see.
            silent_s = now_s - max(new_s, self._account.since_s) if flies else 0.0
            warning = self._warning(name, picture, age_s, silent_s)
            seen.append(CameraSeen(name, count, picture, age_s, fps, warning))
        return tuple(seen)

    def _warning(
        self, name: str, picture: np.ndarray | None, age_s: float | None, silent_s: float
    ) -> str | None:
        if silent_s > _SILENT_S:
            return f"frozen {silent_s:.1f} s"
        if age_s is not None and age_s > _SILENT_S / 2:
            return f"late {age_s:.2f} s"
        if picture is not None and picture[::8, ::8].mean() < _DARK_MEAN:
            return "dark"
        return None

    def _disk_minutes(self, now_s: float) -> float | None:
        account = self._account
        fps, root = account.flying.get("fps"), account.flying.get("root")
        if not account.frames or not fps or root is None:
            return None
        if self._free is None or now_s - self._free[0] > 5:
            folder = next(one for one in (Path(root), *Path(root).parents) if one.is_dir())
            self._free = now_s, shutil.disk_usage(folder).free
        a_frame = sum(message["bytes"] for message in account.saved.values()) / account.frames
        return self._free[1] / max(1.0, a_frame) / fps / 60


def _camera_fps(times_s: np.ndarray, ages_s: np.ndarray, now_s: float) -> float | None:
    """Return how many new pictures a second the last ticks observed."""
    recent = times_s > now_s - _RATE_S
    times_s, ages_s = times_s[recent], ages_s[recent]
    if len(times_s) < 2:
        return None
    # The same picture is older by one tick at the next one, give or take what the ticks' ends are apart.
    new = np.diff(ages_s) < np.diff(times_s) / 2
    return float(new.sum() / max(1e-6, times_s[-1] - times_s[0]))


def _loop(rows: Rows, now_s: float, fps: float | None) -> Loop:
    recent = rows.time_s > now_s - _RATE_S
    times_s, late_ms = rows.time_s[recent], rows.late_ms[recent]
    if len(times_s) < 2 or fps is None:
        return Loop()
    return Loop(
        hz=float((len(times_s) - 1) / max(1e-6, times_s[-1] - times_s[0])),
        late_p99_ms=float(np.quantile(late_ms, 0.99)),
        missed=int((late_ms > 500 / fps).sum()),
        input_age_ms=float(1000 * rows.input_age_s[recent][-1]),
    )
