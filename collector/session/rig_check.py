"""`demodeck doctor --config_path rig.yaml`: the whole rig looked at in some ten seconds; nothing moves."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import DemodeckError
from collector.robots.protocols import Simulated
from collector.session.config import DatasetFlags, RecordConfig
from collector.session.doctor import Finding
from collector.session.fly import is_lock_step
from collector.session.rig_check_cameras import check_cameras
from collector.session.rig_check_motors import (
    arms_of,
    check_calibration,
    check_health,
    check_servos,
    counted,
    open_bus,
    words_of,
)
from collector.session.safety import close_parts

TICKS = 200
_PICTURE_BYTES = 20_000  # of one encoded picture of 640x480, where nothing was measured
_SPARE_BYTES = 1e9
_SETTLED = 5  # ticks before the clock counts


@dataclass(kw_only=True)
class RigConfig(RecordConfig):
    """What `demodeck record` is told; only the robot is needed."""

    dataset: DatasetFlags = field(default_factory=DatasetFlags)


def examine_rig(args: list[str], said: Callable[[Finding], None] = lambda finding: None) -> list[Finding]:
    """Look at the rig that the flags of `demodeck record` describe.

    Args:
        args: The flags.
        said: Called with each finding as soon as there is one.
    """
    return _Check(said).run(args)


class _Check:
    def __init__(self, said: Callable[[Finding], None]) -> None:
        self._said = said
        self.findings: list[Finding] = []

    def run(self, args: list[str]) -> list[Finding]:
        from collector.session.devices import make_pilot, make_robot, register_devices

        try:
            from collector.flags import parse_flags

            config = parse_flags(RigConfig, register_devices(args), "doctor")
            logging.getLogger("lerobot").setLevel(logging.CRITICAL)  # what is wrong is said by the findings
        except DemodeckError as error:
            self._add(Finding("config", False, True, words_of(error)))
            return self.findings
        self._add(Finding("config", True, True, _config_words(config, args)))
        robot = self._made("robot", lambda: make_robot(config.robot))
        pilot = None
        if config.teleop is None:
            self._add(Finding("teleoperator", False, False, "none is given: add --teleop.type=NAME"))
        else:
            pilot = self._made("teleoperator", lambda: make_pilot(config.teleop))
        try:
            self._look(config, robot, pilot)
        finally:
            for device in (robot, pilot):
                if device is not None:
                    _let_go(device)
        return self.findings

    def _look(self, config: RigConfig, robot: Any, pilot: Any) -> None:
        if robot is not None and pilot is not None:
            self._guard("teleoperator fits", True, lambda: [_fits(robot, pilot)])
        if robot is not None:
            # Before threads of cameras run, which would be counted.
            self._guard("encoder", False, lambda: _encoder_and_disk(config, robot))
        cameras = {} if isinstance(robot, Simulated) else getattr(robot, "cameras", None) or {}
        with ThreadPoolExecutor(1) as beside:
            look = lambda: list(check_cameras(cameras))  # noqa: E731
            # Cameras take seconds, nearly all of them waiting. A robot that is no arm opens its own as it connects.
            early = beside.submit(look) if robot is not None and any(arms_of(robot)) else None
            ready = [self._arms("teleoperator", "teleop", pilot), self._arms("robot", "robot", robot)]
            self._guard("cameras", True, early.result if early else look)
        if robot is not None and ready[1]:
            self._guard(
                "latency", False, lambda: _latency(robot, pilot if ready[0] else None, config.dataset.fps)
            )

    def _made(self, what: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except DemodeckError as error:
            self._add(Finding(what, False, True, str(error)))
            return None

    def _arms(self, what: str, part: str, device: Any) -> bool:
        """Look at a device's arms; return whether it can be asked now."""
        if device is None:
            return False
        arms = list(arms_of(device))
        if not arms:
            return self._connects(what, device)
        before = len(self.findings)
        for side, arm in arms:
            name = f"{what} {side}".rstrip()
            self._guard(f"{name} port", True, lambda n=name, a=arm: open_bus(n, a))  # type: ignore[misc]
            if not arm.bus.is_connected:
                continue
            self._guard(f"{name} servos", True, lambda n=name, a=arm: [check_servos(n, a)])  # type: ignore[misc]
            if not self.findings[-1].ok:
                continue  # what is missing would be said again by each of the others
            self._guard(
                f"{name} calibration",
                True,
                lambda n=name, a=arm: [check_calibration(n, part, a)],  # type: ignore[misc]
            )
            self._guard(f"{name} heat and voltage", True, lambda n=name, a=arm: [check_health(n, a)])  # type: ignore[misc]
        return all(one.ok or not one.needed for one in self.findings[before:])

    def _connects(self, what: str, device: Any) -> bool:
        """Connect a device without arms of lerobot's; return whether it is connected."""

        def connect() -> Iterable[Finding]:
            from collector.session.devices import connect

            connect(device, what)
            yield Finding(what, True, True, f"'{device.name}' connects")

        self._guard(what, True, connect)
        return self.findings[-1].ok

    def _guard(self, what: str, needed: bool, look: Callable[[], Iterable[Finding]]) -> None:
        """Add what `look` finds; whatever it raises becomes a finding too."""
        try:
            for finding in look():
                self._add(finding)
        except Exception as error:  # drivers raise what they like, termios.error among them
            advice = "" if isinstance(error, DemodeckError) else ": check its cable and power"
            self._add(Finding(what, False, needed, f"{words_of(error)}{advice}"))

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._said(finding)


def _config_words(config: RigConfig, args: list[str]) -> str:
    # One class may have several names: the one that was written is said.
    written = dict(arg.removeprefix("--").split("=", 1) for arg in args if "=" in arg)
    pilot = f", teleoperator {written.get('teleop.type', config.teleop.type)}" if config.teleop else ""
    return f"robot {written.get('robot.type', config.robot.type)}{pilot}, {config.dataset.fps} Hz"


def _let_go(device: Any) -> None:
    """Close everything, with the torque as it was found."""
    arms = list(arms_of(device))
    for _, arm in arms:
        close_parts(arm, torque_off=False)
    close_parts(device, torque_off=False)
    if not arms:
        with contextlib.suppress(Exception):
            if device.is_connected:
                device.disconnect()


def _fits(robot: Any, pilot: Any) -> Finding:
    from collector.session.features import check_pilot_fits

    if hasattr(pilot, "fit_to"):
        pilot.fit_to(robot)
    check_pilot_fits(robot, pilot)
    n_joints = len(robot.action_features)
    return Finding("teleoperator fits", True, True, f"it gives the {n_joints} values that the robot takes")


def _encoder_and_disk(config: RigConfig, robot: Any) -> Iterable[Finding]:
    """Give whether encoding keeps up here, and whether the disk holds the session."""
    shapes = [shape for shape in robot.observation_features.values() if isinstance(shape, tuple)]
    sizes = [(int(shape[0]), int(shape[1])) for shape in shapes if len(shape) == 3 and all(shape[:2])]
    bytes_a_picture = None
    if sizes:
        from collector.dataset.encode import EncoderSettings
        from collector.dataset.probe import choose, measured_here, probe

        flags, fps = config.dataset.rgb_encoder, config.dataset.fps
        base = EncoderSettings.of(flags)
        measured = measured_here(sizes, fps, base) if flags.vcodec == "auto" else probe(sizes, fps, [base])
        choice = choose(measured)
        best = choice.best
        bytes_a_picture = best.bytes_per_frame
        advice = ": it may lag; use fewer or smaller pictures, or a lower rate" if choice.lags else ""
        seen = f"{best.name} takes {best.load or 0:.2f} of {choice.budget:.2f} cores for {len(sizes)} cameras"
        yield Finding("encoder", not choice.lags, False, f"{seen}{advice}")
    yield _disk(config.dataset, len(sizes), bytes_a_picture or _PICTURE_BYTES)


def _disk(data: DatasetFlags, n_cameras: int, bytes_a_picture: float) -> Finding:
    from collector.dataset.locate import default_root

    folder = Path(data.root or default_root(data.repo_id or "owner/name")).absolute()
    folder = next(one for one in (folder, *folder.parents) if one.is_dir())
    ticks = data.num_episodes * data.episode_time_s * data.fps
    need = ticks * (n_cameras * bytes_a_picture + 500) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1e9:.1f} GB free in {folder}, at most {need / 1e9:.1f} GB needed for {data.num_episodes} flights"
    ok = free > need
    return Finding("disk", ok, True, seen + ("" if ok else ": free some, or choose another --dataset.root"))


def _latency(robot: Any, pilot: Any, fps: float) -> Iterable[Finding]:
    """Give how long one tick takes from the input to the command, by reading alone: nothing is sent.

    The command itself is one packet that the servos do not answer: the bytes that it takes on the wire are added.
    """
    buses = [arm.bus for device in (robot, pilot) if device is not None for _, arm in arms_of(device)]
    ticks: list[tuple[float, float]] = []
    lost, failed = 0, ""
    if pilot is not None and not _answers(robot, pilot):
        pilot = None
        yield Finding(
            "teleoperator in flight", True, False, "it answers in flight only: latency is the robot's"
        )
    with contextlib.ExitStack() as stack:
        asked_again = [stack.enter_context(counted(bus)) for bus in buses]
        while len(ticks) < TICKS + _SETTLED and lost <= TICKS // 10:
            try:
                ticks.append(_tick(robot, pilot))
            except (ConnectionError, TimeoutError) as error:
                lost, failed = lost + 1, words_of(error)
    spoiled = max(lost, sum(map(len, asked_again)))
    if spoiled:
        seen = f"{spoiled} times in {len(ticks) + lost} ticks packets were lost or late"
        yield Finding(
            "wire", False, False, f"{seen}{f' ({failed})' if failed else ''}: check plugs and cables"
        )
    if len(ticks) > TICKS // 2:
        finding = _latency_finding(robot, pilot, np.array(ticks[_SETTLED:]), 1e3 / fps)
        if is_lock_step(robot) and not finding.ok:
            finding = replace(
                finding, ok=True, seen=finding.seen.rpartition("; ")[0] + "; in lock-step time waits"
            )
        yield finding


def _answers(robot: Any, pilot: Any) -> bool:
    """Return whether a pilot that looks at what the robot sees can be asked outside a flight."""
    if not hasattr(pilot, "observe"):
        return True
    try:
        pilot.reset(0)
        _tick(robot, pilot)
    except Exception:  # a script that wants the scene's state, a policy that wants a camera
        return False
    return True


def _tick(robot: Any, pilot: Any) -> tuple[float, float]:
    """Return how long the robot's answer and the pilot's took [s]."""
    start = time.perf_counter()
    observation = robot.get_observation()
    observed = time.perf_counter()
    if pilot is not None:
        if hasattr(pilot, "observe"):
            pilot.observe(observation)
        pilot.get_action()
    return observed - start, time.perf_counter() - observed


def _latency_finding(robot: Any, pilot: Any, ticks_s: np.ndarray, period_ms: float) -> Finding:
    """Judge ticks of (robot, pilot) [s], (n, 2)."""
    wire_ms = max((_wire_ms(arm.bus) for _, arm in arms_of(robot)), default=0.0)
    p50, p99 = np.percentile(ticks_s.sum(axis=1) * 1e3 + wire_ms, (50, 99))
    of_robot, of_pilot = np.median(ticks_s, axis=0) * 1e3
    parts = [f"teleoperator {of_pilot:.1f} ms"] if pilot is not None else []
    parts.append(f"robot {of_robot:.1f} ms")
    if wire_ms:
        parts.append(f"command {wire_ms:.2f} ms by its length")
    seen = (
        f"input to command {p50:.1f} ms (p99 {p99:.1f} ms) of {period_ms:.1f} ms a tick: {', '.join(parts)}; "
        f"{len(ticks_s)} ticks by reading alone, nothing was sent"
    )
    if p99 <= period_ms:
        return Finding("latency", True, True, seen)
    if p50 > period_ms:
        return Finding("latency", False, True, f"{seen}; too slow for this rate: lower --dataset.fps")
    return Finding(
        "latency", False, False, f"{seen}; now and then too slow: end what else runs on this computer"
    )


def _wire_ms(bus: Any) -> float:
    """Return how long a command to all servos is on the wire [ms]: 8 bytes, and 3 a servo, of 10 bits each."""
    baud = getattr(getattr(bus, "port_handler", None), "baudrate", 0) or 1_000_000
    return (8 + 3 * len(bus.motors)) * 10 / baud * 1e3
