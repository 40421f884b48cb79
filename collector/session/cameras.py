"""When each picture was really taken; a camera that froze, skips, lags or has bad light caught in the flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from collector.session import exposure

_LEAST_LIMIT_S = 0.15
_LIMIT_PERIODS = 3.0  # a camera may be silent for so many of its own periods
_NOISY_PICTURES = (
    30  # after so many pictures that all differ, equal ones are not a still scene but a frozen camera
)
_WINDOW_S = 2.0  # over which a camera's rate is taken
_LEAST_RATE = 0.85  # of the rate it promises, or of control's where that is lower
_MOST_FAULTS = 200  # noted of one flight: enough to see what happened
_LIGHT_WORDS: dict[str, Callable[[float], str]] = {
    "dark": lambda mean: (
        f"is dark: mean brightness {mean:.0f} of 255 (limit {exposure.DARK_MEAN:.0f}): switch the light on, "
        "uncover its lens"
    ),
    "overexposed": lambda share: (
        f"is overexposed: {share:.0%} of the picture is white (limit {exposure.WHITE_SHARE:.0%}): lower its "
        "exposure or the light"
    ),
    "drifts": lambda gain: (
        f"shows the same scene {gain:.2g} times as bright as at the flight's start (allowed: "
        f"{1 / exposure.DRIFT:.1f} to {exposure.DRIFT:.1f}): keep the light constant and fix its exposure"
    ),
}


@dataclass
class CameraFault:
    """A stretch of a flight in which a camera did not show what was before it.

    Attributes:
        camera: Its name.
        kind: `froze` (no new picture), `repeats` (new pictures, all the same), `late` (pictures too old),
            `skipped` (a gap between two pictures), `slow` (too few pictures for two seconds), or of the light
            `dark`, `overexposed` or `drifts`.
        from_s, to_s: From the last good picture to the next one, or to the flight's end [s].
        limit_s: What is allowed [s]; of `slow`, the mean time between two pictures.
        seen: Of the light, when it was noticed; see `exposure.Verdict`.
    """

    camera: str
    kind: str
    from_s: float
    to_s: float
    limit_s: float
    seen: float | None = None

    def words(self) -> str:
        """Return it in a sentence that says what was seen and what is allowed."""
        if self.seen is not None:
            return f"camera '{self.camera}' {_LIGHT_WORDS[self.kind](self.seen)}"
        seconds = self.to_s - self.from_s
        what = {
            "froze": f"sent no picture for {seconds:.2f} s",
            "repeats": f"sent the same picture for {seconds:.2f} s",
            "late": f"shows what was {seconds:.2f} s ago",
            "skipped": f"left a gap of {seconds:.2f} s between two pictures",
            "slow": f"sends fewer than {1 / self.limit_s:.1f} pictures a second",
        }[self.kind]
        return f"camera '{self.camera}' {what} (limit {self.limit_s:.2f} s): check its cable and light"


class _Camera:
    def __init__(self, name: str, camera: Any, fps: float) -> None:
        self.name, self.camera = name, camera
        period_s = 1.0 / (getattr(camera, "fps", None) or fps)
        self.limit_s = max(_LEAST_LIMIT_S, _LIMIT_PERIODS * period_s)
        # Pictures of a camera faster than control are skipped by control itself.
        self.gap_s = max(2.5 * period_s, 1.5 / fps + period_s)
        self.before: tuple[Any, float | None] = (None, None)
        self.captured_s: float | None = None
        self.changed_s = 0.0  # when the picture last differed from the one before
        self.sample = b""
        self.differed = 0
        self.open: CameraFault | None = None
        promised = getattr(camera, "fps", None)
        self.mean_gap_s = None if not promised else 1.0 / (_LEAST_RATE * min(promised, fps))
        self.recent: deque[float] = deque()  # when the last pictures were taken, holes left out [s]
        self.holes_s = 0.0  # in which it froze or lagged, which is said already
        self.slow: CameraFault | None = None
        self.exposure = exposure.Exposure()
        self.light: CameraFault | None = None

    def note(self) -> None:
        self.before = (getattr(self.camera, "latest_frame", None), self.timestamp())

    def timestamp(self) -> float | None:
        return getattr(self.camera, "latest_timestamp", None)

    def capture_moment(self, picture: Any) -> float | None:
        """Return the `time.perf_counter()` at which `picture` was taken, or None where the camera does not say."""
        moment = self.timestamp()
        if getattr(self.camera, "latest_frame", None) is picture:
            return moment
        # Another picture has come since this one was handed out: was this the one from before?
        frame, before = self.before
        return before if frame is picture else moment


class CameraWatch:
    """Looks at every picture of one flight.

    Args:
        robot: A lerobot `Robot`.
        fps: Control rate [Hz].
        said: Called with each fault as soon as it is seen; None looks at the clocks only.

    Attributes:
        faults: All of the flight so far.
    """

    def __init__(self, robot: Any, fps: float, said: Callable[[CameraFault], None] | None = None) -> None:
        known = getattr(robot, "cameras", None) or {}
        names = [name for name, kind in robot.observation_features.items() if isinstance(kind, tuple)]
        self._cameras = [_Camera(name, known.get(name), fps) for name in names]
        self._said = said
        self.faults: list[CameraFault] = []

    def before_observation(self) -> None:
        """Note which picture each camera has now, so that the one handed out can be told apart."""
        for camera in self._cameras:
            camera.note()

    def captured_s(
        self, observation: dict[str, Any], observed_s: float, of_perf_counter: Callable[[float], float]
    ) -> dict[str, float]:
        """Return when each camera's picture was taken [s], and check it.

        Args:
            observation: What `get_observation` gave.
            observed_s: When it gave that [s].
            of_perf_counter: Turns a `time.perf_counter()` [s] into the flight's time [s].
        """
        moments = {}
        for camera in self._cameras:
            moment = camera.capture_moment(observation[camera.name])
            # A camera that does not say when it captured took its picture while we asked for it.
            captured_s = observed_s if moment is None else of_perf_counter(moment)
            moments[camera.name] = captured_s
            if self._said is not None:
                self._check(camera, observation[camera.name], captured_s, observed_s)
        return moments

    def end(self, now_s: float) -> list[dict[str, Any]]:
        """End the flight; return its faults as plain dictionaries."""
        for camera in self._cameras:
            for fault in (camera.open, camera.slow, camera.light):
                if fault is not None:
                    fault.to_s = now_s
        return [{k: v for k, v in asdict(fault).items() if v is not None} for fault in self.faults]

    def _check(self, camera: _Camera, picture: np.ndarray, captured_s: float, now_s: float) -> None:
        last_s, camera.captured_s = camera.captured_s, captured_s
        sample = picture[::31, ::31].tobytes()
        same, camera.sample = sample == camera.sample, sample
        if last_s is None:
            camera.changed_s = now_s
            return
        if not same:
            camera.changed_s = now_s
            camera.differed += 1
        elif captured_s != last_s and camera.differed < _NOISY_PICTURES:
            camera.differed = 0  # a new picture like the one before: this camera has no noise
        noisy = camera.differed >= _NOISY_PICTURES
        age_s, gap_s, still_s = now_s - captured_s, captured_s - last_s, now_s - camera.changed_s
        if captured_s == last_s and age_s > camera.limit_s:
            self._bad(camera, "froze", captured_s, now_s)
        elif noisy and still_s > camera.limit_s:
            self._bad(camera, "repeats", camera.changed_s, now_s)
        elif age_s > camera.limit_s:
            self._bad(camera, "late", captured_s, now_s)
        else:
            if camera.open is not None:
                camera.open.to_s, camera.open = captured_s, None
                camera.holes_s = captured_s - camera.recent[-1] if camera.recent else 0.0
            elif gap_s > camera.gap_s:
                self._note(CameraFault(camera.name, "skipped", last_s, captured_s, camera.gap_s))
        if captured_s != last_s:
            self._check_light(camera, picture, now_s)
        if camera.mean_gap_s is not None and camera.open is None:
            self._check_rate(camera, camera.mean_gap_s, captured_s, now_s)

    def _check_rate(self, camera: _Camera, mean_gap_s: float, captured_s: float, now_s: float) -> None:
        recent, window_from_s = camera.recent, now_s - camera.holes_s - _WINDOW_S
        seen_s = captured_s - camera.holes_s
        if not recent or recent[-1] != seen_s:
            recent.append(seen_s)
        while len(recent) > 1 and recent[1] <= window_from_s:
            recent.popleft()
        if recent[0] > window_from_s:
            return  # not flown long enough
        if (len(recent) - 1) * mean_gap_s < _WINDOW_S:
            if camera.slow is None:
                camera.slow = CameraFault(camera.name, "slow", now_s - _WINDOW_S, now_s, mean_gap_s)
                self._note(camera.slow)
            camera.slow.to_s = now_s
        elif camera.slow is not None:
            camera.slow.to_s, camera.slow = now_s, None

    def _check_light(self, camera: _Camera, picture: np.ndarray, now_s: float) -> None:
        verdict = camera.exposure.see(picture, now_s)
        if camera.light is not None and (verdict is None or verdict.kind != camera.light.kind):
            camera.light.to_s, camera.light = now_s, None
        if verdict is None:
            return
        if camera.light is None:
            camera.light = CameraFault(
                camera.name, verdict.kind, verdict.since_s, now_s, exposure.PATIENCE_S, verdict.seen
            )
            self._note(camera.light)
        camera.light.to_s = now_s

    def _bad(self, camera: _Camera, kind: str, from_s: float, to_s: float) -> None:
        if camera.open is not None and camera.open.kind == kind:
            camera.open.to_s = to_s
            return
        camera.open = CameraFault(camera.name, kind, from_s, to_s, camera.limit_s)
        self._note(camera.open)

    def _note(self, fault: CameraFault) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)
            if self._said is not None:
                self._said(fault)
